"""Going back to before the first provision stops everything, so it asks for the cluster's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.deploy import go_back as module
from tempo_infra.errors import InputError
from tempo_infra.inventory import load
from tempo_infra.render import render
from tempo_infra.sizing import size

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
    assert "db-1 holds the database of front-1, history-1" in told.what


def test_who_interrupts_it_is_told_who_decides_now(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    way = module.WayBack({"front-1": "a" * 64}, {"front-1": "b" * 64}, {})
    monkeypatch.setattr(module, "way_back", lambda *_: way)
    monkeypatch.setattr(module, "go_back", interrupted)
    result = CliRunner().invoke(app, ["rollback", "-i", str(EXAMPLE), "--host", "front-1"])
    assert result.exit_code == 1
    assert "a host that was switched decides by itself" in result.output
    assert f"tempo-infra status -i {EXAMPLE}" in result.output


@pytest.mark.parametrize(
    ("changed", "says"), [({}, False), ({"front-1": "b" * 64}, True), ({"db-1": "0"}, True)]
)
def test_the_inventory_is_said_to_differ_only_where_it_does(changed: dict[str, str], says: bool) -> None:
    cluster = load(EXAMPLE)
    meant = {one.host: one.digest for one in render(cluster, size(cluster))}
    assert module.says_otherwise(cluster, module.WayBack({**meant, **changed}, {}, {})) is says


def test_an_inventory_that_renders_no_more_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "oslo.yaml"
    path.write_text(EXAMPLE.read_text())
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/limits.conf.j2").write_text("{{ nothing_like_it }}")
    assert module.says_otherwise(load(path), module.WayBack({"db-1": "a" * 64}, {}, {}))
