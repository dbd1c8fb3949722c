"""What the SDK says when a frontend can't be used, in words for people, and what to do about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tempo_infra import sanitize
from tempo_infra.components import port
from tempo_infra.on_host.remedies import Row

if TYPE_CHECKING:
    from tempo_infra.on_host.remedies import Table

LONGEST: Final = 300
FRONTEND_PORT: Final = port("frontend", "grpc")
DATABASE_PORT: Final = port("postgresql", "sql")
IS_IT_UP: Final = "is the cluster up?  check-host says, or `docker compose ps` on its host"
_BEHIND: Final = "the frontend answers but not the services behind it: look at history and matching"
_QUOTED: Final = re.compile(r'(?:message|error): "((?:[^"\\]|\\.)*)"')  # in Rust's words for an error

# To reach one at all.
FRONTEND: Final[Table] = (
    Row("dns|lookup|name or service", "its name has no address: name the frontend by address, as HOST:PORT"),
    Row(
        "protocol|http2|frame|compression|content-type|unimplemented",
        f"something else answers there, no Temporal frontend: is the port right ({FRONTEND_PORT})?",
    ),
    Row("certificate|tls", "the frontend speaks TLS, which smoke does not"),
    Row("permission|unauthenticated|unauthorized", "the frontend wants a login, which smoke has not"),
    Row("no route|unreachable", "there is no way there: leave out --address, then it goes through ssh"),
)

# To use what is behind it.
BEHIND_IT: Final[Table] = (
    Row("PERMISSION_DENIED|UNAUTHENTICATED", "the frontend wants a login, which smoke has not"),
    Row("RESOURCE_EXHAUSTED", "a limit of the cluster is reached: try later, or raise frontend.namespaceRPS"),
    Row("UNIMPLEMENTED", "this Temporal is too old for smoke, or something else answers there"),
    Row(
        f"sql|pq:|postgres|database|persistence|{DATABASE_PORT}",
        "Temporal can't use its database: check-host of the database's host says why",
    ),
    Row("UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|ABORTED|CANCELLED|UNKNOWN", _BEHIND),
)


def complaint(error: BaseException) -> str:
    """Return what an error of the SDK says, on one line; empty when it says nothing."""
    text = sanitize.one_line(str(error))
    quoted = [found for found in _QUOTED.findall(text) if found]
    return sanitize.cut(quoted[-1] if quoted else text, LONGEST)
