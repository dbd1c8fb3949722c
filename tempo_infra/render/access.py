"""Whom an own template lets in, or believes, beyond what the inventory means: a risk to accept."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NEVER: Final = "reject"
_NO_DATABASE: Final = "replication"  # the one word for a database that `all` is not one for


def lets_in(own: Sequence[list[str]], ours: Sequence[list[str]]) -> Iterator[str]:
    """Yield lines of `pg_hba.conf` that let in whom none of ours lets in by itself, in the same way."""
    lines = [_Line(words) for words in ours]
    for words in own:
        one = _Line(words)
        if one.method[:1] != [_NEVER] and not any(one.within(other) for other in lines):
            yield " ".join(words)


class _Line:
    """A line: kind, databases, users, address (but for `local`), method, options."""

    def __init__(self, words: list[str]) -> None:
        self.kind, databases, users, *rest = words
        self.databases, self.users = set(databases.split(",")), set(users.split(","))
        self.place, self.method = ("", rest) if self.kind == "local" else (rest[0], rest[1:])

    def within(self, other: _Line) -> bool:
        """Whether whoever comes in by this line comes in by the other one, in the same way."""
        of_all = "all" in other.databases and _NO_DATABASE not in self.databases
        return (
            (self.kind == other.kind or (other.kind == "host" and self.kind != "local"))
            and (of_all or self.databases <= other.databases)
            and ("all" in other.users or self.users <= other.users)
            and _within(self.place, other.place)
            and self.method == other.method
        )


def _within(place: str, other: str) -> bool:
    if other in {place, "all"}:
        return True
    if "/" not in place or "/" not in other:
        return False
    one, two = ip_network(place), ip_network(other)
    return one.version == two.version and one.subnet_of(two)  # type: ignore[arg-type]  # the same version
