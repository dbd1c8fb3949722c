"""What the unit tests share: commands are built once, not anew for each that is typed."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
import typer.main
import typer.testing


@pytest.fixture(scope="session", autouse=True)
def commands_are_built_once() -> Iterator[None]:
    """Typer reads every command's signature again at each `invoke`, which takes longer than most commands."""
    built = typer.main.get_command
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", functools.cache(built))
        yield
