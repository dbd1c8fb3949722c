"""No secret is ever seen: in output, arguments, environments, files of a generation, logs, inspections."""

from __future__ import annotations

import base64
import json
import shlex
import urllib.parse

import pytest

from lab.hosts import Lab
from tempo_infra.inventory import load
from tempo_infra.on_host.users import OWN
from tempo_infra.secrets import TEMPORAL_DB, SecretStore
from tests.lab.conftest import Inventory, Ran, containers


@pytest.fixture
def marks(inventory: Inventory, fresh: Ran) -> list[str]:
    """Each secret in the forms in which it could leak."""
    store = SecretStore.open(load(inventory.path).secrets)
    found = []
    for secret in store.ensure([TEMPORAL_DB]).values():
        plain = secret.value
        found += [
            plain,
            base64.b64encode(plain.encode()).decode(),
            urllib.parse.quote(plain),
            shlex.quote(plain),
        ]
    return found


def test_no_secret_is_in_any_output(cluster: Inventory, fresh: Ran, marks: list[str]) -> None:
    outputs = [fresh.said]
    outputs += [cluster.run(command).said for command in ("plan", "provision", "check-host --quick")]
    assert all(outputs)
    assert [mark for mark in marks for text in outputs if mark in text] == []


@pytest.mark.parametrize("name", ["front-1", "history-1", "db-1"])
def test_no_secret_is_on_a_host_outside_its_folder(
    cluster: Inventory, lab: Lab, marks: list[str], name: str
) -> None:
    host = lab.host(name)
    pattern = "\n".join(marks)
    found = host.exec(
        ["grep", "-rlF", "-f", "-", "/var/lib/tempo-infra", "/etc", "/tmp", "/var/tmp", "/root", "/home"],
        input=pattern,
    )
    places = set(found.stdout.split())
    assert places, "the secrets' own folders hold them"
    assert all(place.startswith("/var/lib/tempo-infra/secrets/") for place in places), places
    inspected = json.dumps(containers(lab, name))
    logs = host.must(["journalctl", "-o", "cat", "--no-pager"])
    processes = host.must(
        ["sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"]
    )
    assert processes
    assert [mark for mark in marks for text in (inspected, logs, processes) if mark in text] == []


def test_secret_files_are_readable_by_their_reader_only(cluster: Inventory, lab: Lab) -> None:
    listed = lab.host("db-1").must(
        ["find", "/var/lib/tempo-infra/secrets", "-mindepth", "1", "-printf", "%P %m %U\\n"]
    )
    assert set(listed.splitlines()) == {
        f"temporal 700 {OWN.temporal}",
        f"temporal/db_password 400 {OWN.temporal}",
    }


def test_roles_without_a_password_have_no_way_in_from_the_network(cluster: Inventory, lab: Lab) -> None:
    id_ = containers(lab, "db-1")["postgresql"]["Id"]
    psql = ["docker", "exec", id_, "psql", "-XAtU", "postgres", "-c"]
    sql = "select rolname from pg_authid where rolcanlogin and rolpassword is null"
    assert set(lab.host("db-1").must([*psql, sql]).split()) == {"postgres", "temporal_local"}
    sql = (
        "select type from pg_hba_file_rules where user_name && array['postgres', 'temporal_local']"
        " and auth_method <> 'reject'"
    )
    assert lab.host("db-1").must([*psql, sql]).split() == ["local", "local"]


def test_the_databases_log_holds_no_password(cluster: Inventory, lab: Lab, marks: list[str]) -> None:
    id_ = containers(lab, "db-1")["postgresql"]["Id"]
    done = lab.host("db-1").exec(["docker", "logs", id_])
    text = done.stdout + done.stderr
    assert text
    assert [mark for mark in marks if mark in text] == []
