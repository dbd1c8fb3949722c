"""Health is asked inside TLS as in the clear: by name, with our certificate where it is wanted, over h2."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tempo_infra.on_host import health
from tempo_infra.on_host.exchange import Tls
from tempo_infra.on_host.grpc_call import DATA, HTTP2, _frame
from tempo_infra.on_host.health import SERVICES, Grpc, Health, Http, why_silent
from tests.unit.ssh.registries import certificate

NAME = "history.cluster.internal"
SERVING = _frame(DATA, 0, 1, b"\0\0\0\0\x02\x08\x01")
PAGE = b"HTTP/1.0 200 OK\r\n\r\n"


@dataclass
class Server:
    """Answers one connection inside TLS, and keeps what it was asked."""

    context: ssl.SSLContext
    said: bytes
    asked: bytes = b""
    protocol: str | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=self._answer, args=(listener,))
            thread.start()
            yield listener.getsockname()[1]
            thread.join()

    def _answer(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            client.settimeout(5)
            with self.context.wrap_socket(client, server_side=True) as inside:
                self.protocol = inside.selected_alpn_protocol()
                self.asked = inside.recv(4096)
                inside.sendall(self.said)
                while inside.recv(4096):
                    pass


@dataclass
class Site:
    server: Server
    tls: Tls

    def why(self, question: Health) -> str:
        with self.server.running() as port:
            return why_silent(replace(question, host="127.0.0.1", port=port), 5.0)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    context, ca = certificate(tmp_path, NAME)
    context.set_alpn_protocols([HTTP2])
    return Site(Server(context, SERVING), Tls(str(ca), NAME))


def grpc(tls: Tls | None) -> Grpc:
    return Grpc("", 0, SERVICES["history"], tls)


def test_a_role_is_asked_by_its_name_over_http2(site: Site) -> None:
    assert site.why(grpc(site.tls)) == ""
    assert site.server.protocol == HTTP2
    assert NAME.encode() in site.server.asked
    assert b"https" in site.server.asked


def test_a_page_is_asked_for_inside_tls_too(site: Site) -> None:
    site.server.said = PAGE
    assert site.why(Http("", 0, site.tls)) == ""
    assert site.server.asked.startswith(b"GET / HTTP/1.0\r\nHost: " + NAME.encode())


def test_who_can_not_prove_its_name_does_not_serve(site: Site, tmp_path: Path) -> None:
    assert "Hostname mismatch" in site.why(grpc(replace(site.tls, name="frontend.cluster.internal")))
    _, pem = certificate(tmp_path, "other")
    assert "certificate verify failed" in site.why(grpc(replace(site.tls, ca=str(pem))))
    site.server.context = certificate(tmp_path, "expired", ends_in_h=-1)[0]
    expired = Tls(str(tmp_path / "expired.pem"), "expired")
    assert "certificate has expired" in site.why(grpc(expired))


def test_our_certificate_is_shown_where_it_is_asked_for(site: Site, tmp_path: Path) -> None:
    _, ours = certificate(tmp_path, "operator")
    site.server.context.verify_mode = ssl.CERT_REQUIRED
    site.server.context.load_verify_locations(ours)
    refused = site.why(grpc(site.tls))
    assert any(one in refused for one in ("certificate required", "EOF", "reset", "closed")), refused
    shown = replace(site.tls, certificate=str(ours), key=str(ours.with_suffix(".key")))
    assert site.why(grpc(shown)) == ""


def test_who_speaks_no_tls_and_who_drips_a_handshake_are_said_in_time(site: Site) -> None:
    for said, why in (
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "WRONG_VERSION|wrong version|record"),
        (b"\x16", "timed out"),
    ):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def drips(listener: socket.socket = listener, said: bytes = said) -> None:
                client, _ = listener.accept()
                with client, contextlib.suppress(OSError):
                    client.sendall(said)
                    for byte in b"\x03\x03\x40\x00" + b"\x02" * 40:
                        time.sleep(0.1)
                        client.sendall(bytes([byte]))

            thread = threading.Thread(target=drips)
            thread.start()
            question = Grpc("127.0.0.1", listener.getsockname()[1], SERVICES["history"], site.tls)
            begun = time.monotonic()
            found = why_silent(question, 0.6)
            passed = time.monotonic() - begun
            thread.join()
        assert passed < 0.6 * 6
        assert any(one in found for one in why.split("|")), found


def test_a_manifest_carries_it_both_ways_and_nothing_where_there_is_none() -> None:
    secured = Tls("/etc/ca.pem", NAME, "/etc/a.pem", "/etc/a.key")
    for question in (grpc(secured), Http("10.0.0.1", 8080, secured), grpc(None), Http("10.0.0.1", 8080)):
        there = replace(question, host="10.0.0.1", port=7234)
        assert health.of(health.as_json(there)) == there
    assert "tls" not in health.as_json(grpc(None))


@pytest.mark.parametrize(
    "tls", [{"ca": 3, "name": "x"}, {"ca": "x"}, {"ca": "x", "name": "y", "z": "w"}, "yes", [1], None]
)
def test_another_shape_of_it_is_no_manifest(tls: object) -> None:
    body = {"kind": "http", "host": "x", "port": 1, "tls": tls}
    with pytest.raises((TypeError, AttributeError)):  # what the reader of a manifest catches
        health.of(body)
