"""What echo is asked on its host: its greeting, as it answers now. Standard library only."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

from tempo_infra.on_host import material
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.probes.reading import Unread

if TYPE_CHECKING:
    from tempo_infra.on_host.probes.components import Asked

TOKEN = "echo/echo_token"
OK = 200
ASK_S = 3.0
MOST_BYTES = 4096


def read(asked: Asked) -> dict[str, object]:
    """Return what it answers to somebody who has no token, and its greeting to one who has."""
    token = material.value(Layout(), TOKEN)
    if token is None:
        raise Unread("its token is gone")
    refused, _ = _ask(asked, "")
    status, greeting = _ask(asked, token.decode())
    if status != OK:
        raise Unread(f"it answers {status} to its own token")
    return {"without": refused, "greeting": greeting}


def _ask(asked: Asked, token: str) -> tuple[int, str]:
    with closing(HTTPConnection(asked.address, asked.ports["http"], timeout=ASK_S)) as connection:
        connection.request("GET", "/greeting", headers={"X-Token": token})
        answer = connection.getresponse()
        return answer.status, answer.read(MOST_BYTES).decode("ascii", errors="replace").strip()
