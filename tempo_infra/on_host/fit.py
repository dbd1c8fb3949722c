"""What the owner of Temporal's databases wrote there: harmless and small before it leaves this host.

Whoever has Temporal's password chooses it. The operator's program refuses a whole answer for one part that
is unfit, so what is unfit stays here, and is counted.
"""

from __future__ import annotations

import ipaddress
import re

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # of a namespace, a cluster: wider than an inventory's
TABLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")  # or index: as Temporal names them, which needs no quotes
LARGEST = 2**63 - 1
LONGEST = 200  # characters of a text that is only shown
UNSEEN = re.compile(r"[^ -~]")


def is_number(value: object) -> bool:
    """Whether it is a whole number of 0 to 2^63 - 1."""
    return isinstance(value, int) and 0 <= value <= LARGEST


def is_address(value: object) -> bool:
    """Whether it is an IP literal."""
    try:
        address(value)
    except ValueError:
        return False
    return True


def address(value: object) -> str:
    """Return an IP literal. ValueError, also for one with a zone: that may be any text, a statement too."""
    found = str(ipaddress.ip_address(str(value)))
    if "%" in found:
        raise ValueError("an address with a zone is no member's")
    return found


def text(value: object, longest: int = LONGEST) -> str:
    """Return a text to be shown: plain ASCII, cut; a question mark for all else."""
    return UNSEEN.sub("?", str(value)[:longest])
