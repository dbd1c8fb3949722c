"""A component that only the tests bring along goes the whole way through a copy of the package.

Its folder and its line in the list are all that the copy has more.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.deploy.payload import program
from tests.brought_along import ROOT, RUN, copied

DEADLINE_S = 300
ASK = """\
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import yaml

from tempo_infra.checks import find
from tempo_infra.checks.expected import Expected
from tempo_infra.cli.check_measuring import tailored
from tempo_infra.cli.run import _supply
from tempo_infra.deploy.batches import late
from tempo_infra.deploy.maintain import EVERYWHERE, ONE_HOST
from tempo_infra.deploy.steps import Work, beside_the_database, material_of
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.facts import FactsOptions
from tempo_infra.on_host.health import as_json
from tempo_infra.on_host.material import digest
from tempo_infra.render import Known, render
from tempo_infra.secrets import Found, Secret
from tempo_infra.sizing import size
from tempo_infra.topology import endpoints

cluster = load(Path(sys.argv[1]))
settings = size(cluster)
names = ("temporal_db", "temporal_db_green", "echo_token", "echo_seal.history-1", "echo_seal.db-1", "others")
known = {name: Secret(name, f"the {name}") for name in names}
full, empty = (_supply(Found(some), cluster) for some in (known, {}))
bundles = {one.host: one for one in render(cluster, settings, known=full.known)}
bundle = bundles["history-1"]
unopened = next(one for one in render(cluster, settings) if one.host == "history-1")


def renders(**others):
    values = {name: Secret(name, others.get(name.split(".")[0], one.value)) for name, one in known.items()}
    supply = _supply(Found(values, full.found.origin), cluster)
    digests = {name: replace_key(supply, name) for name in supply.known}
    [made] = [one for one in render(cluster, settings, known=digests) if one.host == "history-1"]
    return made.file("docker-compose.yml").content.decode(), sorted(made.material)


def replace_key(supply, name):
    return Known(digest(b"the same key", supply.secrets[name].value.encode()))


[config] = [one for one in bundle.files if one.logical == "services/echo/server.yaml"]
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
            "late": late([["history-1"], ["front-1"]], cluster.hosts, frozenset()),
            "in_time": late([["front-1"], ["history-1"]], cluster.hosts, frozenset()),
            "health": as_json(bundle.instances["echo"].health),
            "secrets": {
                host: {path: text.decode() for path, text in material_of(one, full).items() if path[0] == "s"}
                for host, one in bundles.items()
            },
            "material": {path: asdict(one) for path, one in bundle.material.items()},
            "unopened": {path: one.digest for path, one in unopened.material.items()},
            "as_it_was": renders(),
            "another_token": renders(echo_token="another"),
            "another_seal": renders(echo_seal="another"),
            "supply": [sorted(full.secrets), full.missing, empty.missing],
            "checks": [one.title for one in find("echo")],
            "probed": {
                host.name: [[one.name, one.module, one.address, one.ports] for one in found]
                for host in cluster.hosts
                if (found := tailored(FactsOptions(), host, cluster).components)
            },
        }
    )
)
"""
SEND = """\
import sys
from pathlib import Path

from tempo_infra.deploy.payload import program

Path(sys.argv[1]).write_bytes(program())
"""
ON_HOST = """\
import json
import sys
from dataclasses import asdict
from pathlib import Path

zipped, root, port = sys.argv[1:]
sys.path.insert(0, zipped)
from tempo_infra.on_host import layout
from tempo_infra.on_host.facts import FactsOptions
from tempo_infra.on_host.probes import components

layout.Layout.__init__.__defaults__ = (Path(root),)
asked = {"name": "echo", "module": "tempo_infra.components.echo.host"}
options = {"components": [{**asked, "address": "127.0.0.1", "ports": {"http": int(port)}}]}
found = components.read(FactsOptions.of(options).components)
print(json.dumps({name: asdict(one) for name, one in found.items()}))
"""
JUDGE = """\
import json
import sys
from types import SimpleNamespace

from tempo_infra.checks import find
from tempo_infra.on_host.probes.reading import Reading

found = {name: Reading(**one) for name, one in json.loads(sys.argv[1]).items()}
[check] = find("echo")
finding = check.function(SimpleNamespace(components=Reading(found)), None)
print(json.dumps([finding.outcome, finding.found]))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("copy"))


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
    files = ["/etc/tempo-infra/server.yaml", "/run/secrets/own/echo_token", "/run/secrets/reloaded/echo_seal"]
    assert compose["command"] == ["/echo", *files]
    assert compose["environment"]["ECHO_NAME"] == "one: two"
    assert compose["ports"] == ["10.0.0.12:8990:8990"]
    assert compose["stop_grace_period"] == "5s"
    sources = {one["target"]: one["source"] for one in compose["volumes"]}
    assert sources.keys() == {"/etc/tempo-infra", "/etc/passwd", "/run/secrets/own", "/run/secrets/reloaded"}
    [token] = [path for path in asked["material"] if path.endswith("/echo_token")]
    assert sources["/run/secrets/own"] == f"/var/lib/tempo-infra/secrets/{token.partition('/')[0]}"
    assert sources["/run/secrets/reloaded"] == "/var/lib/tempo-infra/secrets/echo-reloaded"
    assert asked["config"].splitlines()[-2:] == ["cluster: oslo", "greeting: hello"]


def test_its_secret_goes_to_its_own_hosts_and_is_generated_where_it_is_missing(
    asked: Mapping[str, Any],
) -> None:
    password = {"secrets/temporal/db_password": "the temporal_db"}
    token, seal = (path for name in ("token", "seal") for path in asked["material"] if path.endswith(name))
    assert asked["secrets"] == {
        "db-1": password,
        "front-1": password,
        "history-1": {
            **password,
            f"secrets/{token}": "the echo_token",
            f"secrets/{seal}": "the echo_seal.history-1",  # each host has its own
        },
    }
    missing = ["temporal_db", "echo_token", "echo_seal.history-1"]
    assert asked["supply"] == [sorted(missing), [], missing]


def test_its_secrets_are_listed_by_digests_that_name_their_folders(asked: Mapping[str, Any]) -> None:
    token, seal = (path for name in ("token", "seal") for path in asked["material"] if path.endswith(name))
    assert re.fullmatch(r"echo-[0-9a-f]{12}/echo_token", token)
    assert re.fullmatch(r"echo-reloaded-[0-9a-f]{12}/echo_seal", seal)
    found = asked["material"]
    ours = ("name", "reader", "uid", "scope", "reloaded", "signal")
    assert [found[token][key] for key in ours] == ["echo_token", "echo", 60902, "cluster", False, ""]
    assert [found[seal][key] for key in ours] == ["echo_seal", "echo", 60902, "host", True, "HUP"]
    assert len({one["digest"] for one in found.values() if re.fullmatch("[0-9a-f]{64}", one["digest"])}) == 3
    unopened = {"temporal/db_password": "", "echo/echo_token": "", "echo-reloaded/echo_seal": ""}
    assert asked["unopened"] == unopened


def test_another_token_is_another_folder_and_another_seal_is_none_that_its_container_has(
    asked: Mapping[str, Any],
) -> None:
    (compose, paths), (by_token, tokens), (by_seal, seals) = (
        asked[name] for name in ("as_it_was", "another_token", "another_seal")
    )
    assert compose != by_token
    assert compose == by_seal
    assert [path for path in paths if path not in tokens] == [one for one in paths if one.endswith("token")]
    assert [path for path in paths if path not in seals] == [one for one in paths if one.endswith("seal")]


def test_it_is_asked_over_http_where_it_is_published(asked: Mapping[str, Any]) -> None:
    assert asked["health"] == {"kind": "http", "host": "10.0.0.12", "port": 8990}


def test_its_check_is_one_of_the_catalogue_and_its_probe_is_asked_on_its_hosts(
    asked: Mapping[str, Any],
) -> None:
    assert asked["checks"] == ["echo greets whoever knows its token, and nobody else"]
    module = "tempo_infra.components.echo.host"
    assert asked["probed"] == {"history-1": [["echo", module, "10.0.0.12", {"http": 8990}]]}


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
    for order in (one_host, everywhere):
        assert "echo" in order[: order.index("frontend")]


def test_it_is_started_wherever_it_is(asked: Mapping[str, Any]) -> None:
    assert asked["started"] == {"history-1": ["history", "echo"], "db-1": ["echo"]}


def test_an_operators_template_says_there_what_it_likes(copy: Path, tmp_path: Path) -> None:
    """Temporal's file of that name has rules of its own, which are not this one's."""
    (tmp_path / "templates/services/echo").mkdir(parents=True)
    (tmp_path / "templates/services/echo/server.yaml.j2").write_text("greeting: hei\npersistence: none\n")
    words = ("render", "-i", str(inventory(tmp_path)), "--host", "history-1", "--stdout")
    done = run(copy, "-c", RUN, *words)
    assert done.returncode == 0, done.stderr
    assert "greeting: hei\npersistence: none\n" in done.stdout


class Echo(BaseHTTPRequestHandler):
    """It greets who has the token; `open_to_all`: everybody."""

    open_to_all = False

    def do_GET(self) -> None:
        greets = self.open_to_all or self.headers["X-Token"] == "sesame"
        self.send_response(200 if greets else 403)
        self.end_headers()
        self.wfile.write(b"hello\n" if greets else b"")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(*, open_to_all: bool) -> Iterator[int]:
    handler = type("Echo", (Echo,), {"open_to_all": open_to_all})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def probed(copy: Path, root: Path, port: int) -> str:
    """What the program that a host gets reads there: of the zip and a bare Python alone, as facts."""
    (root / "var/lib/tempo-infra/secrets/echo").mkdir(parents=True)
    (root / "var/lib/tempo-infra/secrets/echo/echo_token").write_text("sesame")
    zipped = root / "program.zip"
    made = run(copy, "-c", SEND, str(zipped))
    assert made.returncode == 0, made.stderr
    done = run(root, "-I", "-S", "-c", ON_HOST, str(zipped), str(root), str(port))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("open_to_all", "judged"),
    [(False, ["pass", "hello"]), (True, ["fail", "it greets everybody"])],
)
def test_its_probe_travels_to_the_host_and_its_judge_reads_the_answer(
    copy: Path, tmp_path: Path, *, open_to_all: bool, judged: list[str]
) -> None:
    with served(open_to_all=open_to_all) as port:
        found = probed(copy, tmp_path, port)
    done = run(copy, "-c", JUDGE, found)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == judged


def test_nobody_who_answers_is_unknown_and_nothing_is_sent_without_it(copy: Path, tmp_path: Path) -> None:
    with served(open_to_all=False) as port:
        pass
    done = run(copy, "-c", JUDGE, probed(copy, tmp_path, port))
    assert json.loads(done.stdout) == ["unknown", "not measured"]
    assert not [name for name in zipfile.ZipFile(io.BytesIO(program())).namelist() if "components/" in name]


def test_it_waits_for_what_it_needs_where_that_starts_on_a_later_host(asked: Mapping[str, Any]) -> None:
    assert asked["late"] == {"history-1": ["echo"]}
    assert asked["in_time"] == {"front-1": ["worker"]}  # that one needs history


def test_without_its_entry_its_role_is_refused_before_anything_is_contacted(tmp_path: Path) -> None:
    done = run(ROOT, "-c", RUN, "render", "-i", str(inventory(tmp_path)))
    assert done.returncode == 2
    assert 'unknown role "echo"' in done.stderr
