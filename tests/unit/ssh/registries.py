"""A registry on loopback: as much of the HTTP API v2 as reading digests needs, and misbehaviour on demand."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import json
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class Behaviour:
    """What the registry has and how it answers."""

    images: set[str] = field(default_factory=lambda: {"postgres:17", "temporalio/ui:2.50.1"})
    head: bool = True  # whether it answers HEAD
    names_digest: bool = True  # whether it sends Docker-Content-Digest
    token: str = ""  # what it wants as bearer token
    realm: str = ""  # where it sends people for one
    status: int = 200
    body: bytes = MANIFEST
    announced: int | None = None  # Content-Length, when it is a lie
    drip_s: float = 0.0  # pause before each byte of the body
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""

    def _answer(self) -> None:
        self.behaviour.asked.append((self.command, self.path, dict(self.headers)))
        if self.path.startswith("/token"):
            self._send(200, json.dumps({"token": self.behaviour.token}).encode(), {})
        elif self.behaviour.token and self.headers.get("Authorization") != f"Bearer {self.behaviour.token}":
            realm = self.behaviour.realm or f"http://{self.headers['Host']}/token"
            challenge = f'Bearer realm="{realm}",service="a registry",scope="repository:postgres:pull"'
            self._send(401, b"", {"WWW-Authenticate": challenge})
        else:
            self._manifest()

    def _manifest(self) -> None:
        _, _, rest = self.path.partition("/v2/")
        name, _, tag = rest.partition("/manifests/")
        if self.command == "HEAD" and not self.behaviour.head:
            self._send(405, b"", {})
        elif f"{name}:{tag}" not in self.behaviour.images or INDEX not in self.headers.get("Accept", ""):
            self._send(404, b"{}", {})
        else:
            headers = {"Docker-Content-Digest": DIGEST} if self.behaviour.names_digest else {}
            self._send(self.behaviour.status, self.behaviour.body, headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        announced = len(body) if self.behaviour.announced is None else self.behaviour.announced
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        if self.command != "HEAD":
            self._write(body)

    def _write(self, body: bytes) -> None:
        for byte in body if self.behaviour.drip_s else b"":
            time.sleep(self.behaviour.drip_s)
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                return
        if not self.behaviour.drip_s:
            self.wfile.write(body)


@contextmanager
def running(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Yield the address of a registry that runs on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"behaviour": behaviour}))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that refuse us are the point
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(folder: Path, name: str, ends_in_h: float = 1.0) -> tuple[ssl.SSLContext, Path]:
    """Make an authority for that name and 127.0.0.1; return the server's side and the PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    now = dt.datetime.now(tz=dt.UTC)
    names = x509.SubjectAlternativeName(
        [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=2))
        .not_valid_after(now + dt.timedelta(hours=ends_in_h))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{name}.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = folder / f"{name}.key"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return context, pem
