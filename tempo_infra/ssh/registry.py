"""Asking an image registry for digests: the HTTP API v2 of Docker and OCI, anonymous, read only."""

from __future__ import annotations

import hashlib
import http.client
import re
import socket
import ssl
import urllib.parse
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from tempo_infra import trees
from tempo_infra.errors import InputError, StepFailedError, UnreachableError
from tempo_infra.on_host import remedies
from tempo_infra.on_host.wire import read_json
from tempo_infra.ssh.deadline import Deadline, Watch
from tempo_infra.ssh.dial import dial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DEFAULT_REGISTRY = "docker.io"
DEADLINE_S = 20.0
MOST_BYTES = 4 * 1024 * 1024  # what registries accept as a manifest
# Lists first: the digest of the list is the same image on every architecture.
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json,"
    " application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})(:[0-9]{1,5})?")
_TOKEN = re.compile(r"[!-~]{1,16384}")
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+")  # plain HTTP there, as Docker has it
_PHRASES = {one.value: one.phrase for one in HTTPStatus}
HERE = "this machine"
CHECK = "check images.registry in the inventory, and that this machine reaches it"
_NO_LOGIN = "only registries that may be read without a login are supported"


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry and how to reach it."""

    name: str  # "registry.lab:5000", "registry.example.no/mirror"; "" is Docker Hub
    ca_file: Path | None = None  # PEM; the system's authorities otherwise
    address: str = ""  # "127.0.1.10:5000": connect there, while name and certificate stay the registry's

    @property
    def shown(self) -> str:
        return self.name or DEFAULT_REGISTRY

    @property
    def place(self) -> str:
        """Where one connects; the port is the registry's where `address` names none."""
        if not self.address:
            return self.host
        (host, port), (_, usual) = _host_and_port(self.address), _host_and_port(self.host)
        return f"{host}:{port or usual}" if port or usual else host

    @property
    def host(self) -> str:
        return self.name.split("/", maxsplit=1)[0] or "registry-1.docker.io"

    def repository(self, image: str) -> str:
        """`postgres` is `library/postgres` on Docker Hub, and `mirror/postgres` under `host/mirror`."""
        if not self.name:
            return image if "/" in image else f"library/{image}"
        prefix = self.name.partition("/")[2]
        return f"{prefix}/{image}" if prefix else image


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


def digest_of(registry: Registry, image: str, *, deadline_s: float = DEADLINE_S) -> str:
    """Return the digest that `name:tag` has in the registry now.

    UnreachableError when the registry does not answer in `deadline_s` per question, StepFailedError when it
    answers that it has no such image or wants a login.
    """
    name, _, tag = image.rpartition(":")
    path = f"/v2/{registry.repository(name)}/manifests/{tag}"
    headers = {"Accept": MANIFESTS}
    answer = _ask(registry, "HEAD", path, headers, deadline_s)
    if answer.status == HTTPStatus.UNAUTHORIZED:
        headers["Authorization"] = f"Bearer {_token(registry, answer, deadline_s)}"
        answer = _ask(registry, "HEAD", path, headers, deadline_s)
    digest = answer.headers.get("docker-content-digest", "")
    if answer.status == HTTPStatus.OK and _DIGEST.fullmatch(digest):
        return digest
    if answer.status in {HTTPStatus.OK, HTTPStatus.METHOD_NOT_ALLOWED}:
        answer = _ask(registry, "GET", path, headers, deadline_s)
    _refuse(registry, image, answer.status)
    return _digest_of_manifest(registry, answer.body)


def _digest_of_manifest(registry: Registry, body: bytes) -> str:
    try:
        whole = "schemaVersion" in read_json(body)
    except (ValueError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise UnreachableError(
            f"{registry.shown} did not answer with a manifest", remedy="is it an image registry?"
        )
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _refuse(registry: Registry, image: str, status: int) -> None:
    if status == HTTPStatus.OK:
        return
    if status == HTTPStatus.NOT_FOUND:
        raise StepFailedError(
            f"{registry.shown} has no {image}", remedy="check the version in the inventory, or push it there"
        )
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise StepFailedError(f"{registry.shown} wants a login for {image}", remedy=_NO_LOGIN)
    answered = f"{status} {_PHRASES.get(status, '')}".rstrip()
    raise UnreachableError(
        f"{registry.shown} answered {answered} for {image}",
        remedy=remedies.remedy(remedies.REGISTRY, answered, "try again later", here=HERE),
    )


def _token(registry: Registry, answer: _Answer, deadline_s: float) -> str:
    """Get the anonymous token that the registry's refusal points at."""
    challenge = answer.headers.get("www-authenticate", "")
    fields: dict[str, str] = dict(re.findall(r'([a-z_]+)="([^"]*)"', challenge))
    try:
        realm = urllib.parse.urlsplit(fields.get("realm", ""))
    except ValueError:  # of no form at all, as half a bracket
        realm = urllib.parse.urlsplit("")
    if not challenge.lower().startswith("bearer ") or not _HOST.fullmatch(realm.netloc):
        raise StepFailedError(f"{registry.shown} wants a login", remedy=_NO_LOGIN)
    if realm.scheme != "https" and not _LOOPBACK.fullmatch(realm.hostname or ""):
        raise StepFailedError(f"{registry.shown} sends its readers to {realm.netloc} without TLS; refused")
    wanted = [(key, value) for key, value in fields.items() if key in {"service", "scope"}]
    query = urllib.parse.urlencode(wanted)
    issuer = registry if realm.netloc == registry.host else Registry(realm.netloc, registry.ca_file)
    found = _ask(issuer, "GET", f"{realm.path or '/'}?{query}", {}, deadline_s)
    try:
        body = read_json(found.body)
        token = body.get("token") or body.get("access_token")
    except (ValueError, AttributeError, RecursionError):
        token = None
    if found.status != HTTPStatus.OK or not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise StepFailedError(f"{realm.netloc} gave no token to read {registry.shown}", remedy=_NO_LOGIN)
    return token


def _ask(
    registry: Registry, method: str, path: str, headers: Mapping[str, str], deadline_s: float
) -> _Answer:
    """Ask once; whatever the other side does, it is over soon after the deadline."""
    try:
        with _connected(registry, deadline_s) as connection:
            connection.request(method, path, headers={**headers, "User-Agent": "tempo-infra"})
            response = connection.getresponse()
            names = {name.lower(): text for name, text in response.getheaders()}
            return _Answer(response.status, names, _body(response))
    except ssl.SSLCertVerificationError as error:
        raise UnreachableError(
            f"{registry.shown}: its certificate is not trusted: {error.verify_message}",
            remedy="name its authority: --ca-file PEM, or images.ca_file in the inventory",
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        words = _cause(error, deadline_s)
        raise UnreachableError(
            f"{registry.shown}: no answer from {registry.place}: {words}",
            remedy=remedies.remedy(remedies.REGISTRY, words, CHECK, here=HERE),
        ) from None


def _body(response: http.client.HTTPResponse) -> bytes:
    body = bytearray()
    while chunk := response.read(1 << 16):
        body += chunk
        if len(body) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")
    if response.length:  # what was announced and did not come
        raise ConnectionError("the answer ended early")
    return bytes(body)


def _cause(error: Exception, deadline_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing within {deadline_s:.0f} s"
    if isinstance(error, socket.gaierror):
        return "its name has no address"
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


@contextmanager
def _connected(registry: Registry, deadline_s: float) -> Iterator[http.client.HTTPConnection]:
    """Yield a connection that is cut at the deadline: a mere timeout starts again with every byte."""
    end, (own_name, port) = Deadline(deadline_s), _host_and_port(registry.host)
    plain = bool(_LOOPBACK.fullmatch(own_name)) and registry.ca_file is None and not registry.address
    context = None if plain else _trust(registry.ca_file)
    name, port = _host_and_port(registry.place) if registry.address else (own_name, port)
    channel = dial(name, port or (80 if plain else 443), deadline_s)
    if context:
        channel = context.wrap_socket(channel, server_hostname=own_name, do_handshake_on_connect=False)
    connection = http.client.HTTPConnection(*_host_and_port(registry.host))
    connection.sock = channel
    watch = Watch(lambda: _cut(channel))
    try:
        with watch.within(end.left_s):
            if isinstance(channel, ssl.SSLSocket):
                channel.do_handshake()
            yield connection
    finally:
        watch.end()
        connection.close()
        channel.close()


def _cut(channel: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(channel, socket.SHUT_RDWR)  # not the TLS one, which waits for the other side


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        try:
            context.load_verify_locations(cadata=trees.read(ca_file, MOST_BYTES).decode("ascii", "ignore"))
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            why = getattr(error, "strerror", None) or "no PEM"
            raise InputError(f"{ca_file}: no certificate authority can be read from it: {why}") from None
    return context


def _host_and_port(text: str) -> tuple[str, int | None]:
    """`registry.lab:5000` to its parts; InputError when it is neither that nor a host alone."""
    if not _HOST.fullmatch(text):
        raise InputError(f"{text!r} is not HOST or HOST:PORT")
    host, _, port = text.partition(":")
    return host, int(port) if port else None
