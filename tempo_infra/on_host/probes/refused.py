"""Whose logins pg_hba.conf has just refused: those of a host that was taken out and is back."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass

from tempo_infra.on_host import engine, fit
from tempo_infra.on_host.probes.reading import Unread
from tempo_infra.on_host.shell import StepError

WINDOW_S = 600.0
MOST_ADDRESSES = 20
# libpq's server, libpq/auth.c: a line that says reject, and no line at all; the logins of Temporal only.
REFUSED = re.compile(
    r'FATAL:  (?:pg_hba\.conf rejects connection|no pg_hba\.conf entry) for host "([0-9a-fA-F.:]{2,45})", '
    r'user "temporal\w{0,60}", database "'
)
# What the server itself says of a line comes first in it. The rest may be anybody's who is let in, and so are
# lines that begin with a tab.
SAID_OF_IT = re.compile(r"(?<![A-Z])[A-Z]+:  |\t")
LONGEST_LINE = 500


@dataclass(frozen=True, slots=True)
class Refused:
    """An address from which Temporal's logins came and were refused, and how often."""

    address: str
    times: int


def read(container: str) -> "tuple[Refused, ...]":
    """Count in the log of the database's container."""
    try:
        log = engine.log(container, since_s=time.time() - WINDOW_S, deadline_s=10.0)
    except StepError as error:
        raise Unread(f"the database's log: {error}") from None
    return of_log(log.decode(errors="replace"))


def of_log(text: str) -> "tuple[Refused, ...]":
    """Return who was refused, the most often first."""
    times = Counter(address for line in text.split("\n") for address in _address(line[:LONGEST_LINE]))
    return tuple(Refused(address, count) for address, count in times.most_common(MOST_ADDRESSES))


def _address(line: str) -> "list[str]":
    first = SAID_OF_IT.search(line)
    refused = REFUSED.match(line, first.start()) if first else None
    return [refused[1]] if refused and fit.is_address(refused[1]) else []
