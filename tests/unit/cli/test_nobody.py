"""A user whom the machine does not know: a container with a number for a user."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Never

import pytest

from tempo_infra.cli import main
from tempo_infra.deploy import locks
from tempo_infra.errors import InputError
from tempo_infra.inventory import load
from tempo_infra.secrets import SecretStore

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> Never:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"]})
    main._be_somebody()


def test_a_lock_says_which_number_holds_it() -> None:
    assert locks.who().startswith(f"uid-{os.getuid()}@")


def test_without_a_home_the_identity_must_be_named() -> None:
    with pytest.raises(InputError, match="let TEMPO_INFRA_IDENTITY name") as told:
        SecretStore.open(load(EXAMPLE).secrets).own_identity()
    assert "can't make your identity" in told.value.what
