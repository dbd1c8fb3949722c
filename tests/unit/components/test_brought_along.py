"""A component that only the tests bring along goes the whole way through a copy of the package.

Its row, its template and its place in the list are all that the copy has more.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
OURS = ROOT / "tests/data/component"
LIST = "SCHEMA, ADMIN_TOOLS)"
DEADLINE_S = 300
ASK = """\
import json
import sys
from dataclasses import replace
from pathlib import Path

import yaml

from tempo_infra.checks.expected import Expected
from tempo_infra.deploy.maintain import EVERYWHERE, ONE_HOST
from tempo_infra.deploy.steps import Work, beside_the_database
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.render import render
from tempo_infra.sizing import size
from tempo_infra.topology import endpoints

cluster = load(Path(sys.argv[1]))
settings = size(cluster)
bundle = next(one for one in render(cluster, settings) if one.host == "history-1")
[config] = [one for one in bundle.files if one.logical == "services/echo/echo.yaml"]
on_database = replace(cluster.host("db-1"), roles=(*cluster.host("db-1").roles, Role("echo")))
both = replace(cluster, hosts=(*(one for one in cluster.hosts if one.name != "db-1"), on_database))
started = {
    one.host: names
    for each in (cluster, both)
    for one in render(each, size(each))
    if "echo" in (names := beside_the_database(Work(each, each.host(one.host), one, None, "", "")))
}
print(
    json.dumps(
        {
            "compose": yaml.safe_load(bundle.file("docker-compose.yml").content)["services"]["echo"],
            "config": config.content.decode(),
            "memory_mib": settings.host("history-1").container("echo").memory_bytes >> 20,
            "endpoints": [str(one) for one in endpoints(cluster, "echo", "http")],
            "expected": {
                str(port): name
                for port, name in Expected.for_host(cluster.host("history-1"), cluster).ports.items()
            },
            "images": cluster.image_names,
            "drained": [ONE_HOST, EVERYWHERE[0]],
            "started": started,
        }
    )
)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and its templates, with the component's folder and its entry in the list."""
    root = tmp_path_factory.mktemp("copy")
    for name in ("tempo_infra", "templates"):
        shutil.copytree(ROOT / name, root / name)  # what is compiled, too: it holds as long as the times do
    shutil.copy(OURS / "echo.py", root / "tempo_infra/components/echo.py")
    (root / "templates/services/echo").mkdir()
    shutil.copy(OURS / "echo.yaml.j2", root / "templates/services/echo")
    table = root / "tempo_infra/components/table.py"
    text = table.read_text()
    assert text.count(LIST) == 1
    entry = text.replace(LIST, f"ECHO, {LIST}")
    entry = entry.replace("DB_PASSWORD =", "from tempo_infra.components.echo import ECHO\n\nDB_PASSWORD =", 1)
    table.write_text(entry)
    return root


def inventory(at: Path, *, roles: str = "[history, echo]") -> Path:
    text = (ROOT / "inventory/oslo-trio.yaml").read_text()
    assert text.count("roles: [history]") == 1
    (at / "oslo.yaml").write_text(text.replace("roles: [history]", f"roles: {roles}"))
    return at / "oslo.yaml"


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=copy, capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )


@pytest.fixture(scope="module")
def asked(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    done = run(copy, "-c", ASK, str(inventory(tmp_path_factory.mktemp("inventory"))))
    assert done.returncode == 0, done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def test_it_is_rendered_with_its_files_its_secret_and_its_port(asked: Mapping[str, Any]) -> None:
    compose = asked["compose"]
    assert compose["image"] == "example/echo:1.0"
    assert compose["user"] == "60902:60902"
    assert compose["command"] == ["/echo", "--file", "/etc/tempo-infra/echo.yaml"]
    assert compose["environment"]["ECHO_NAME"] == "one: two"
    assert compose["ports"] == ["10.0.0.12:8990:8990"]
    assert compose["stop_grace_period"] == "5s"
    targets = [one["target"] for one in compose["volumes"]]
    assert {"/etc/tempo-infra", "/run/secrets/tempo-infra"} <= set(targets)
    assert asked["config"].splitlines()[-1] == "cluster: oslo"


def test_it_is_sized_between_its_floor_and_its_share(asked: Mapping[str, Any]) -> None:
    """Its floor of 48 MiB, and by its weight 2 of 26 parts of the 14864 MiB that are left; in steps of 16."""
    assert asked["memory_mib"] == 1184
    assert asked["compose"]["mem_limit"] == f"{asked['memory_mib']}m"
    assert asked["compose"]["pids_limit"] == 64


def test_it_is_found_expected_and_drained(asked: Mapping[str, Any]) -> None:
    assert asked["endpoints"] == ["10.0.0.12:8990"]
    assert asked["expected"] == {"7234": "history", "6934": "history", "8990": "echo"}
    assert "example/echo:1.0" in asked["images"]
    one_host, everywhere = asked["drained"]
    assert one_host[:2] == ["ui", "echo"]
    assert everywhere[:2] == ["ui", "echo"]


def test_it_is_started_wherever_it_is(asked: Mapping[str, Any]) -> None:
    assert asked["started"] == {"history-1": ["history", "echo"], "db-1": ["echo"]}


def test_without_its_entry_its_role_is_refused_before_anything_is_contacted(tmp_path: Path) -> None:
    done = run(
        ROOT, "-c", "from tempo_infra.cli.main import run; run()", "render", "-i", str(inventory(tmp_path))
    )
    assert done.returncode == 2
    assert 'unknown role "echo"' in done.stderr
