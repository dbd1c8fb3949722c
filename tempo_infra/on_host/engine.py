"""Asking the Docker engine through its socket: what the `docker` program would say, without starting it.

Starting the program costs as much as twenty questions, on a host that may be small and busy.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from tempo_infra.on_host.layout import PROJECT
from tempo_infra.on_host.shell import StepError

SOCKET = "/var/run/docker.sock"
FLOOR = (24,)  # older engines are refused
ADVISED = (28,)  # it keeps the local network away from ports that are not published
COMPOSE_FLOOR = (2, 20)
OURS = [f"com.docker.compose.project={PROJECT}"]  # labels
ONE_OFF = [*OURS, "com.docker.compose.oneoff=True"]
KEPT_RUNNING = [*OURS, "com.docker.compose.oneoff=False"]
OK, NOT_FOUND = 200, 404  # of HTTP
MOST_BYTES = 64 * 1024 * 1024
PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")  # in a path


def ask(path: str, *, deadline_s: float) -> Any:
    """Return the engine's answer, None when there is no such thing; StepError when it does not answer."""
    try:
        status, body = _exchange(path, time.monotonic() + deadline_s)
    except TimeoutError:
        raise StepError(f"the Docker engine gave no answer in {deadline_s:g} s") from None
    except OSError as error:
        raise StepError(
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


def _exchange(path: str, until: float) -> "tuple[int, bytes]":
    """HTTP/1.0: the answer comes in one piece and ends with the connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
        engine.settimeout(max(0.01, until - time.monotonic()))
        engine.connect(SOCKET)
        engine.sendall(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        received = bytearray()
        while len(received) < MOST_BYTES:
            engine.settimeout(max(0.01, until - time.monotonic()))
            data = engine.recv(1 << 16)
            if not data:
                break
            received += data
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - version and status
        raise OSError("no HTTP answer")
    return int(words[1]), body


def _quoted(text: str) -> str:
    """Quote as urllib does, which takes longer to import than the engine takes to answer."""
    return "".join(chr(byte) if byte in PLAIN else f"%{byte:02X}" for byte in text.encode())


def version(*, deadline_s: float) -> str:
    return str(ask("/version", deadline_s=deadline_s)["Version"])


def has_image(reference: str, *, deadline_s: float) -> bool:
    return ask(f"/images/{_quoted(reference)}/json", deadline_s=deadline_s) is not None


def containers(*, stopped: bool, deadline_s: float) -> "list[dict[str, Any]]":
    """Return what `docker inspect` says of the containers that our compose project keeps running."""
    found = [
        ask(f"/containers/{one['Id']}/json", deadline_s=deadline_s)
        for one in listed(KEPT_RUNNING, stopped=stopped, deadline_s=deadline_s)
    ]
    return [one for one in found if one is not None]  # None: it went between the two questions


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
