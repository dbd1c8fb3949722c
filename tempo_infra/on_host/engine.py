"""Asking the Docker engine through its socket: what the `docker` program would say, without starting it.

Starting the program costs as much as twenty questions, on a host that may be small and busy.
"""

from __future__ import annotations

import json
import time
from typing import Any, Optional

from tempo_infra.on_host import exchange
from tempo_infra.on_host.layout import DOCKER_SOCKET, PROJECT
from tempo_infra.on_host.shell import StepError

SOCKET = DOCKER_SOCKET
FLOOR = (24,)  # older engines are refused
ADVISED = (28,)  # it keeps the local network away from ports that are not published
COMPOSE_FLOOR = (2, 20)
OURS = [f"com.docker.compose.project={PROJECT}"]  # labels
ONE_OFF = [*OURS, "com.docker.compose.oneoff=True"]
KEPT_RUNNING = [*OURS, "com.docker.compose.oneoff=False"]
OK, NOT_FOUND = 200, 404  # of HTTP
LOG_LINES = 5000
FRAME_BYTES = 8  # https://docs.docker.com/reference/api/engine/ (stream format of attach)
MOST_BYTES = 16 * 1024 * 1024  # what it says of a container is some ten thousand
PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")  # in a path


class NobodyThereError(StepError):
    """Nothing listens on the socket, or there is none."""


def ask(path: str, *, deadline_s: float) -> Any:
    """Return the engine's answer, None when there is no such thing; StepError when it does not answer."""
    try:
        status, body = _exchange(path, deadline_s)
    except TimeoutError:
        raise StepError(f"the Docker engine gave no answer in {deadline_s:g} s") from None
    except OSError as error:
        nobody = isinstance(error, (FileNotFoundError, ConnectionRefusedError))
        raise (NobodyThereError if nobody else StepError)(
            f"Cannot connect to the Docker daemon at unix://{SOCKET}: {error.strerror or error}"
        ) from error
    if status == NOT_FOUND:
        return None
    try:
        answer = json.loads(body)
    except ValueError:
        raise StepError(f"the Docker engine did not answer {path} with JSON") from None
    if status != OK:
        raise StepError(f"the Docker engine answered {path} with {status}: {str(answer)[:200]}")
    return answer


def _exchange(path: str, deadline_s: float) -> "tuple[int, bytes]":
    """HTTP/1.0: the answer comes in one piece and ends with the connection."""
    with exchange.unix(SOCKET, deadline_s=deadline_s, most_bytes=MOST_BYTES) as engine:
        engine.send(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        head, _, body = engine.rest().partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - version and status
        raise OSError("no HTTP answer")
    return int(words[1]), body


def _quoted(text: str) -> str:
    """Quote as urllib does, which takes longer to import than the engine takes to answer."""
    return "".join(chr(byte) if byte in PLAIN else f"%{byte:02X}" for byte in text.encode())


def networks(*, deadline_s: float) -> "list[dict[str, Any]]":
    """Return the engine's networks, whoever made them."""
    found = ask("/networks", deadline_s=deadline_s)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def has_image(reference: str, *, deadline_s: float) -> bool:
    return bool(image_id(reference, deadline_s=deadline_s))


def image_id(reference: str, *, deadline_s: float) -> str:
    """Return the id of an image here, which is a digest of its content; empty when it is not here."""
    found = image(reference, deadline_s=deadline_s)
    return "" if found is None else str(found["Id"])


def image(reference: str, *, deadline_s: float) -> "Optional[dict[str, Any]]":
    """Return what `docker image inspect` says; None for one that is not here."""
    found: "Optional[dict[str, Any]]" = ask(f"/images/{_quoted(reference)}/json", deadline_s=deadline_s)
    return found


def containers(*, stopped: bool, deadline_s: float) -> "list[dict[str, Any]]":
    """Return what `docker inspect` says of the containers that our compose project keeps running.

    The deadline is for all the questions together.
    """
    until = time.monotonic() + deadline_s
    found = [
        inspect(str(one["Id"]), deadline_s=max(0.0, until - time.monotonic()))
        for one in listed(KEPT_RUNNING, stopped=stopped, deadline_s=deadline_s)
    ]
    return [one for one in found if one is not None]


def inspect(container: str, *, deadline_s: float) -> "Optional[dict[str, Any]]":
    """Return what `docker inspect` says; None for one that went since it was listed."""
    found: "Optional[dict[str, Any]]" = ask(f"/containers/{container}/json", deadline_s=deadline_s)
    return found


def log(container: str, *, since_s: float, deadline_s: float) -> bytes:
    """Return what a container has written since a time of the epoch, at most the last thousands of lines.

    StepError when the engine does not answer with it.
    """
    path = f"/containers/{container}/logs?stdout=1&stderr=1&tail={LOG_LINES}&since={since_s:.9f}"
    try:
        status, body = _exchange(path, deadline_s)
    except OSError as error:
        raise StepError(f"the Docker engine does not show the log of a container: {error}") from error
    if status != OK:
        raise StepError(f"the Docker engine answered {path} with {status}: {body[:200]!r}")
    return _unframed(body)


def _unframed(body: bytes) -> bytes:
    """Return what was written, without the eight bytes before each piece: whose it is, and its length."""
    pieces, at = [], 0
    while at < len(body):
        begins = at + FRAME_BYTES
        at = begins + int.from_bytes(body[begins - 4 : begins], "big")
        pieces.append(body[begins:at])
    return b"".join(pieces)


def listed(labels: "list[str]", *, stopped: bool, deadline_s: float) -> "list[dict[str, Any]]":
    """Return what `docker ps` knows of the containers with these labels, as the engine has it."""
    every = "&all=1" if stopped else ""
    filters = _quoted(json.dumps({"label": labels}))
    return ask(f"/containers/json?filters={filters}{every}", deadline_s=deadline_s) or []


def service_of(container: "dict[str, Any]") -> str:
    return named(container["Config"].get("Labels") or {})


def named(labels: "dict[str, str]") -> str:
    """Return the compose service of a container with these labels."""
    return str(labels.get("com.docker.compose.service", ""))


def bound(container: "dict[str, Any]") -> "list[str]":
    """Return where its ports are published, as "10.0.0.11:7233"."""
    ports = container["HostConfig"].get("PortBindings") or {}
    return [f"{one['HostIp']}:{one['HostPort']}" for binds in ports.values() for one in binds or ()]
