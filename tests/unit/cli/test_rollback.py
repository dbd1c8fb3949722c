"""Going back to before the first provision stops everything, so it asks for the cluster's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.errors import InputError

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"


def ran(*words: str) -> InputError:
    result = CliRunner().invoke(app, ["rollback", "-i", str(EXAMPLE), "--to", "0", *words])
    assert isinstance(result.exception, InputError), result.output
    return result.exception


@pytest.mark.parametrize("words", [(), ("--confirm-rollback", "another")])
def test_without_the_clusters_name_nothing_is_contacted(words: tuple[str, ...]) -> None:
    assert ran(*words).remedy == "nothing was contacted"


def test_without_a_terminal_the_option_is_named() -> None:
    assert "--confirm-rollback oslo" in ran().what


def test_the_database_host_does_not_go_to_generation_0_alone() -> None:
    told = ran("--host", "db-1", "--confirm-rollback", "oslo")
    assert "db-1 holds the database of front-1" in told.what
