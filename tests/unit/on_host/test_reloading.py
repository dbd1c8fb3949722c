"""The running database takes up files that are newer than what it has read, or the step fails."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import engine, psql, reloading
from tempo_infra.on_host.shell import StepError


class Server:
    """A database that reads its files when it is told to, as its container sees them."""

    def __init__(self, folder: Path) -> None:
        self.read_at = time.time() - 60
        self.left: list[dict[str, Any]] = []
        self.told = 0
        self.deaf = False
        self.container = {
            "Id": "1",
            "State": {"Running": True},
            "Config": {"Labels": {"com.docker.compose.service": "postgresql"}},
            "Mounts": [
                {"Source": str(folder), "Destination": "/etc/tempo-infra"},
                {"Source": "/srv/tempo/postgres", "Destination": "/var/lib/postgresql/data"},
            ],
        }

    def ask(self, _: str, query: str, **__: object) -> list[dict[str, Any]]:
        if query == reloading.RELOAD:
            self.told += 1
            self.read_at = self.read_at if self.deaf else time.time() + 1
        return {reloading.LOADED: [{"at": self.read_at}], reloading.LEFT: self.left}.get(query, [])


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server(tmp_path)
    for name in ("postgresql.conf", "pg_hba.conf"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(psql, "ask", made.ask)
    monkeypatch.setattr(engine, "containers", lambda **_: [made.container])
    return made


def test_newer_files_are_read_and_named(server: Server) -> None:
    assert reloading.reload() == ["pg_hba.conf", "postgresql.conf"]
    assert (reloading.reload(), server.told) == ([], 1)


def test_a_server_that_has_read_its_files_is_left_alone(server: Server) -> None:
    server.read_at = time.time() + 1
    server.left = [{"what": "of long ago"}]
    assert (reloading.reload(), server.told) == ([], 0)


def test_a_server_that_does_not_read_them_in_time_fails(server: Server) -> None:
    server.deaf = True
    with pytest.raises(StepError, match=r"has not reloaded pg_hba\.conf, postgresql\.conf in 0\.3 s"):
        reloading.reload(0.3)


def test_what_the_server_refuses_fails_in_its_own_words(server: Server) -> None:
    server.left = [{"what": "pg_hba.conf:7: invalid authentication method"}]
    with pytest.raises(StepError, match=r"without a part of its new files: pg_hba\.conf:7: invalid"):
        reloading.reload()


@pytest.mark.parametrize("gone", ["none", "restarting", "other"])
def test_nobody_is_told_where_no_database_runs(
    server: Server, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    if gone == "none":
        monkeypatch.setattr(engine, "containers", lambda **_: [])
    elif gone == "restarting":
        server.container["State"] = {"Running": True, "Restarting": True}
    else:
        server.container["Config"] = {"Labels": {"com.docker.compose.service": "history"}}
    assert (reloading.reload(), server.told) == ([], 0)


class Servers:
    """Temporal's servers that look for a newer file by themselves, as the engine shows them."""

    def __init__(self, folder: Path) -> None:
        self.logs = {"history": b"", "matching": b""}
        self.asked: list[str] = []
        self.file = folder / "dynamic.yaml"
        self.file.write_text("{}")

    def containers(self, **_: object) -> list[dict[str, Any]]:
        return [
            {
                "Id": service,
                "Config": {"Labels": {"com.docker.compose.service": service}},
                "Mounts": [{"Source": str(self.file.parent), "Destination": reloading.TARGET}],
            }
            for service in (*self.logs, "ui")
        ]

    def log(self, container: str, *, since_s: float, **_: object) -> bytes:
        assert since_s == self.file.stat().st_mtime
        self.asked.append(container)
        return self.logs[container]


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Servers:
    made = Servers(tmp_path)
    monkeypatch.setattr(engine, "containers", made.containers)
    monkeypatch.setattr(engine, "log", made.log)
    monkeypatch.setattr(reloading, "LOOK_EVERY_S", 0.01)
    return made


def test_servers_that_have_taken_their_values_up_are_waited_for(servers: Servers) -> None:
    servers.logs = dict.fromkeys(servers.logs, b'{"level":"info","msg":"Updated dynamic config"}')
    reloading.take_up(["history", "matching"])
    assert servers.asked == ["history", "matching"]


def test_a_server_that_does_not_look_in_time_fails(servers: Servers) -> None:
    servers.logs["matching"] = b"2026-11-30T15:37:06.302Z\tinfo\tUpdated dynamic config\t{}"
    with pytest.raises(StepError, match=r"history has not reloaded dynamic\.yaml in 0\.2 s"):
        reloading.take_up(["history", "matching"], 0.2)


@pytest.mark.parametrize("said", ["Updated dynamic config", "Unable to update dynamic config."])
@pytest.mark.parametrize("line", [
    '{{"level":"error","msg":"x","wf-id":"{}"}}',
    '{{"level":"error","msg":"x","error":"\\"msg\\":\\"{}\\""}}',
    '{{"level":"error","msg":"x","error":"\\t{}"}}',
    'Z\terror\tx\t{{"error": "\\"msg\\":\\"{}\\" \\t{}"}}',
])  # fmt: skip
def test_what_others_have_a_server_write_is_not_its_word(servers: Servers, line: str, said: str) -> None:
    """The name of a workflow, or an error that somebody raises in the database."""
    servers.logs["history"] = line.format(said, said).encode()
    with pytest.raises(StepError, match=r"history has not reloaded dynamic\.yaml in 0\.2 s"):
        reloading.take_up(["history"], 0.2)


def test_a_server_that_refuses_the_file_fails_at_once(servers: Servers) -> None:
    servers.logs["history"] = b'{"level":"error","msg":"Unable to update dynamic config."}'
    with pytest.raises(StepError, match=r"history runs on without its new dynamic\.yaml"):
        reloading.take_up(["history"])


def test_nobody_waits_for_what_was_written_long_ago(servers: Servers) -> None:
    past = time.time() - reloading.FORGOTTEN_S - 1
    os.utime(servers.file, (past, past))
    reloading.take_up(["history", "matching"])
    servers.file.unlink()
    reloading.take_up(["history"])
    assert servers.asked == []
