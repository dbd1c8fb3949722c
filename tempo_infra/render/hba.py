"""pg_hba.conf, as PostgreSQL takes it: the first line that fits a login decides. What none of ours may have.

Fields as in hba.c of PostgreSQL 17 (check_db, check_role): a name, `all`, `sameuser`, `samerole`, `+role`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError
from tempo_infra.inventory.logins import LOCAL, LOCAL_MAP, OWNER
from tempo_infra.sizing.tables import MAIN, VISIBILITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

STRONG = frozenset({"scram-sha-256", "peer", "cert", "reject"})
KINDS = ("local", "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc")
NAMES = re.compile(r"\+?[A-Za-z0-9_$.-]+(,\+?[A-Za-z0-9_$.-]+)*")
OPTION = re.compile(r"(map|clientcert|clientname)=[A-Za-z0-9_-]+")
OF_ITS_HOST = frozenset({"samehost", "samenet"})  # addresses that the server has: not known here
SUPERUSER = "postgres"
PLAIN, TLS = "hostnossl", "hostssl"
PEER, PASSWORD = ("peer",), ("scram-sha-256",)


def check_lines(found: list[list[str]], template: Path) -> None:
    """InputError for a line that lets somebody in without a password, or with one that can be read.

    Also for one that is not as plain as it could be: PostgreSQL reads more from such lines than people do.
    """
    for words in found:
        for why in _problems(*words):
            raise InputError(
                f"{template}: {' '.join(words)}: {why}",
                remedy="use scram-sha-256, or peer on the container's socket",
            )


def _problems(kind: str, *rest: str) -> Iterator[str]:
    """Yield what is wrong: a line is kind, databases, users, address (but for `local`), method, options."""
    names, place, method = rest[:2], rest[2:3], rest[3:]
    if kind == "local":
        place, method = ("all",), rest[2:]
    if kind not in KINDS:
        yield f"a line begins with one of {', '.join(KINDS)}"
    if not method:
        yield "a field is missing"
    if not all(NAMES.fullmatch(name) for name in names):
        yield "databases and users by their names only, no patterns and no files"
    if not all(map(_is_network, place)):
        yield f"{place[0]} is no network; write ADDRESS/BITS, or all"
    if method and method[0] not in STRONG:
        yield f"the method {method[0]} is refused"
    if not all(OPTION.fullmatch(option) for option in method[1:]):
        yield f"{' '.join(method[1:])}: options are map, clientcert and clientname"


def _is_network(text: str) -> bool:
    try:
        return text in {"all", *OF_ITS_HOST} or ("/" in text and bool(ip_network(text)))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Login:
    """One that has to come in, as a line of its own would say it."""

    who: str  # in words
    kind: str  # "local", or the one kind of line beside `host` that is for its connection
    database: str
    user: str
    client: str  # network; empty on the socket
    way: tuple[str, ...]  # method and options

    @property
    def line(self) -> str:
        kind = "local" if self.kind == "local" else "host"
        return " ".join(filter(None, (kind, self.database, self.user, self.client, *self.way)))


@dataclass(frozen=True, slots=True)
class Logins:
    """What of ours logs in: tempo-infra on the container's socket, Temporal's servers over the network."""

    role: str  # of the servers
    clients: tuple[str, ...]  # networks that they come from
    tls: bool  # whether they may have it: by own templates alone

    @property
    def on_the_socket(self) -> Iterator[Login]:
        keeps = f"{SUPERUSER}, as which tempo-infra keeps the server,"
        yield Login(keeps, "local", SUPERUSER, SUPERUSER, "", PEER)
        asks = f"{LOCAL}, through which tempo-infra asks in Temporal's databases,"
        for database in (MAIN, VISIBILITY):
            yield Login(asks, "local", database, LOCAL, "", (*PEER, f"map={LOCAL_MAP}"))

    @property
    def over_the_network(self) -> Iterator[Login]:
        for client in self.clients:
            for database in (MAIN, VISIBILITY):
                who = f"{self.role}, as which Temporal logs in from {client},"
                yield Login(who, PLAIN, database, self.role, client, PASSWORD)


def check_logins(found: list[list[str]], lines: Sequence[int], template: Path, ours: Logins) -> None:
    """InputError for a login of ours that a line keeps out, or that none lets in as it comes.

    `lines`: the number of each in the file.
    """
    for login in (*ours.on_the_socket, *ours.over_the_network):
        at = _kept_out_by(found, login)
        if at is None:
            continue
        if ours.tls and login.kind == PLAIN and _kept_out_by(found, replace(login, kind=TLS)) is None:
            continue
        if at == len(found):
            raise InputError(f"{template}: {login.who} is not let in", remedy=f"a line for it: {login.line}")
        line = f"line {lines[at]} of what it renders: {' '.join(found[at])}"
        raise InputError(
            f"{template}: {line}: {login.who} is not let in: of the lines that fit, the first one decides",
            remedy=f"above that line: {login.line}",
        )


def _kept_out_by(found: list[list[str]], login: Login) -> int | None:
    """Return which line keeps a login out, or a part of its clients; past the end when none lets it in."""
    for number, words in enumerate(found):
        covers = _fits(words, login)
        if covers and not _lets_in(words, login):
            return number
        if covers == _WHOLLY:
            return None
    return len(found)


_WHOLLY, _IN_PART, _NOT = 2, 1, 0


def _fits(words: list[str], login: Login) -> int:
    """Return whether a line is for a login: wholly, in part (some of its clients, or nobody knows), not."""
    kind, databases, users, *rest = words
    if kind == "local" or login.kind == "local":
        same = kind == login.kind
    else:
        same = kind in {"host", "hostnogssenc", login.kind}
    if not same or not _is_of(databases, login) or not _is_user(users, login.user):
        return _NOT
    return _WHOLLY if kind == "local" else _overlap(rest[0], login.client)


def _is_of(databases: str, login: Login) -> bool:
    names = set(databases.split(","))
    by_role = {"samerole", "samegroup"} & names and _is_user(f"+{login.database}", login.user)
    return bool(
        {"all", login.database} & names or ("sameuser" in names and login.database == login.user) or by_role
    )


def _is_user(users: str, user: str) -> bool:
    """Whether a field names a login: it is in its own role, and all of Temporal's are in their owner's."""
    groups = {f"+{user}"} if user == SUPERUSER else {f"+{user}", f"+{OWNER}"}
    return bool({"all", user, *groups} & set(users.split(",")))


def _overlap(place: str, client: str) -> int:
    if place == "all":
        return _WHOLLY
    if place in OF_ITS_HOST:
        return _IN_PART
    one, two = ip_network(place, strict=False), ip_network(client)
    if one.version != two.version or not one.overlaps(two):
        return _NOT
    return _WHOLLY if one.prefixlen <= two.prefixlen else _IN_PART


def _lets_in(words: list[str], login: Login) -> bool:
    method = tuple(words[3 if words[0] == "local" else 4 :])
    if login.kind != TLS:
        return method == login.way
    return method[:1] in {PASSWORD, ("cert",)}  # a certificate, too, is in an own template then
