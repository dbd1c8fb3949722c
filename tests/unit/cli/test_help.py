"""`--help` of each command: an example first, and on 80 columns nothing is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from typer.testing import CliRunner

from tempo_infra.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def _walk(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    children = getattr(command, "commands", {})
    if not children:
        yield words, command
    for name, child in children.items():
        yield from _walk(child, (*words, name))


COMMANDS = [pytest.param(*one, id=" ".join(one[0])) for one in _walk(typer.main.get_command(app))]


@pytest.mark.parametrize(("words", "command"), COMMANDS)
def test_the_help_has_an_example_and_every_word(words: tuple[str, ...], command: Any) -> None:
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80", "NO_COLOR": "1"})
    assert max(map(len, done.output.splitlines())) <= 80
    _, example, *_ = command.help.split("\n\n")
    assert example.startswith(f"Example: tempo-infra {' '.join(words)}")
    shown = done.output.split()
    cut = [word for one in command.params for word in (one.help or "").split() if word not in shown]
    assert cut == []
