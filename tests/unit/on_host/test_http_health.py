"""A service is asked as a browser would; an answer of any kind but a server's error will do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import engine, http_health
from tempo_infra.on_host.health import Http
from tempo_infra.on_host.http_health import ask, place, wait
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import StepError


@contextmanager
def server(status: int) -> Iterator[int]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found.server_port
        found.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "problem"), [(200, ""), (404, ""), (502, "HTTP status 502")])
def test_an_answer_is_what_counts(status: int, problem: str) -> None:
    with server(status) as port:
        assert ask("127.0.0.1", port) == problem


def container(service: str, *bindings: tuple[str, str]) -> dict[str, Any]:
    return {
        "Config": {"Labels": {"com.docker.compose.service": service}},
        "HostConfig": {
            "PortBindings": {"8080/tcp": [{"HostIp": ip, "HostPort": port} for ip, port in bindings]}
        },
    }


@pytest.mark.parametrize(
    ("bindings", "where"),
    [
        ([("127.0.0.1", "8080")], ("127.0.0.1", 8080)),
        ([("10.0.0.11", "8080")], ("10.0.0.11", 8080)),  # of a generation that an earlier version made
        ([("", "8081")], ("127.0.0.1", 8081)),
        ([("0.0.0.0", "8080")], ("127.0.0.1", 8080)),
        ([("10.0.0.11", "")], ("127.0.0.1", 8080)),
        ([], ("127.0.0.1", 8080)),
    ],
)
def test_it_is_asked_where_its_container_is_published(
    bindings: list[tuple[str, str]], where: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = [container("frontend", ("10.0.0.11", "7233")), container("ui", *bindings)]
    monkeypatch.setattr(engine, "containers", lambda **_: ours)
    assert place(Http("", 8080)) == where
    assert place(Http("10.0.0.9", 1)) == ("10.0.0.9", 1)  # its generation says it


def test_nobody_there_is_said_with_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(200) as port:
        pass
    monkeypatch.setattr(http_health, "why_not_running", lambda _, service: f"the end of {service}")
    monkeypatch.setattr(http_health, "restart_counts", dict)
    with pytest.raises(
        StepError,
        match=rf"^echo does not answer at 127\.0\.0\.1:{port} after 0 s: .*refused.*; .* the end of echo$",
    ):
        wait(Layout(tmp_path), "echo", Http("127.0.0.1", port), deadline_s=0)
