"""PostgreSQL on the host: whether it answers, by its own word; steps of a run that ask or change it."""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import data_folder, exchange, fit, identity, psql, reloading, users
from tempo_infra.on_host.containers import why_not_running
from tempo_infra.on_host.durable import replace_symlink
from tempo_infra.on_host.ring import differs
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.on_host.layout import Layout

LOCK_S, LOCK_PAUSE_S = 6.0, 2.0  # half of it for the lock: whoever comes after waits behind us
LOCKED = "lock timeout"
SSL_REQUEST = struct.pack("!II", 8, 80877103)  # PostgreSQL protocol, "SSLRequest"
# Which database it is, as SQL; null where its file is none. The server opens that file at each call: on a
# pipe its session would stand still for good, and not even pg_terminate_backend ends it. Pipes have no size.
IDENTIFIER = (
    "(select case when (pg_stat_file('global/pg_control')).size > 0"
    " then (select system_identifier::text from pg_control_system()) end)"
)


def database_answers(args: change.DatabaseAnswers) -> dict[str, float]:
    """Ask the PostgreSQL port the protocol's first question; StepError when nothing fit to answer is there.

    A dropped packet would leave the Temporal server waiting without a word, so this is asked first.
    """
    started = time.monotonic()
    deadline = started + args.deadline_s
    problem = ""
    while time.monotonic() < deadline:
        problem = why_silent(args.host, args.port, deadline_s=min(3.0, args.deadline_s))
        if not problem:
            return {"seconds": time.monotonic() - started}
        time.sleep(0.2)
    raise StepError(
        f"PostgreSQL at {args.host}:{args.port} does not answer: {problem}",
        remedy="check the route and the firewalls between the two hosts",
    )


def why_silent(host: str, port: int, deadline_s: float) -> str:
    """Return why nothing fit to answer is there; empty when it answers."""
    try:
        with exchange.tcp(host, port, deadline_s=deadline_s, most_bytes=1) as connection:
            connection.send(SSL_REQUEST)
            answer = connection.exactly(1)
    except OSError as error:
        return str(error)
    return "" if answer in (b"S", b"N") else f"unexpected answer {answer!r}"


@dataclass(frozen=True)
class Ready:
    seconds: float
    system_identifier: Optional[str]  # which database it is; None where its own file of that is no file
    say: str = ""


def postgres_ready(layout: Layout, args: change.PostgresReady) -> Ready:
    """Wait until the server takes connections on its address and answers a query, by its files of now.

    The address first: while the image initialises a new data directory the local socket answers already.
    """
    started = time.monotonic()
    try:
        database_answers(change.DatabaseAnswers(args.host, args.port, args.deadline_s))
        number = _wait_for_query(started + args.deadline_s)
    except StepError as error:
        raise StepError(f"{error}; its log ends: {why_not_running(layout, 'postgresql')}") from error
    changed = reloading.reload()
    say = f"reloaded: {', '.join(changed)}" if changed else ""
    return Ready(time.monotonic() - started, number, say)


def _wait_for_query(deadline: float) -> Optional[str]:
    query = f"select {IDENTIFIER} as number"
    while True:
        try:
            [row] = psql.ask(psql.database_container(), query, deadline_s=15)
        except StepError as error:
            if time.monotonic() > deadline:
                raise StepError(
                    f"PostgreSQL accepts connections but does not answer a query: {error}"
                ) from None
            time.sleep(0.3)
        else:
            number: Optional[str] = row["number"]
            return number


def sql(args: change.Sql, say: "Callable[[str], None]" = lambda _: None) -> "dict[str, list[str]]":
    """Run statements, one a line; any error is a StepError. What was left for its lock is returned."""
    container, text, until = (
        psql.database_container(),
        args.payload.decode(),
        time.monotonic() + args.deadline_s,
    )
    if not args.spares_locks:
        psql.change(container, text, database=args.database, deadline_s=args.deadline_s)
        return {"left": []}
    left = [line for line in text.splitlines() if line.strip()]
    while left:
        left = [one for one in left if _is_locked(container, one, args.database)]
        if left and time.monotonic() > until:
            what = f"{len(left)} settings of tables in {args.database}"
            say(f"{what} wait for somebody else's lock: the next run sets them")
            break
        time.sleep(LOCK_PAUSE_S if left else 0)
    return {"left": left}


def _is_locked(container: str, statement: str, database: str) -> bool:
    """Run one statement, and say whether another session's lock was in its way."""
    try:
        psql.change(container, statement, database=database, deadline_s=LOCK_S)
    except StepError as error:
        if LOCKED not in str(error):
            raise
        return True
    return False


MEMBERS = """
select case role when 1 then 'frontend' when 2 then 'history' when 3 then 'matching' when 4 then 'worker' end
       || ' ' || left(rpc_address::text, 64) || ':' || rpc_port::integer as member
from public.cluster_membership
where last_heartbeat > (now() at time zone 'utc') - interval '30 seconds'
group by role, rpc_address, rpc_port order by role, rpc_address limit 1000
"""  # roles as numbered in Temporal's common/persistence/data_interfaces.go
MEMBER = 100  # characters
TEMPORALS = "temporal"  # the database of those tables
VISIBILITY = "temporal_visibility"  # that of lists and counts


def members(container: str, *, deadline_s: float) -> "list[str]":
    """Return who has said within 30 s that it lives, as "history 10.0.0.12:6934", by Temporal's own table."""
    rows = psql.ask(container, MEMBERS, database=TEMPORALS, deadline_s=deadline_s)
    return [fit.text(row["member"], MEMBER) for row in rows if row["member"]]


def membership(args: change.Membership) -> "dict[str, list[str]]":
    """Wait until the cluster's own membership table names exactly the expected role addresses."""
    deadline = time.monotonic() + args.deadline_s
    while True:
        found = members(psql.database_container(), deadline_s=20)
        wrong = differs(found, args.expected, args.may_lack)
        if not wrong:
            return {"members": found}
        if time.monotonic() > deadline:
            raise StepError(f"the cluster's members are not the inventory's: {wrong}")
        time.sleep(1.0)


YOUNG_S = 20  # so long does Temporal itself take a silent member for one to join: ringpop/monitor.go
SPOKE = f"""
select 1 as one from public.cluster_membership
where last_heartbeat > (now() at time zone 'utc') - interval '{YOUNG_S} s' limit 1
"""  # noqa: S608 - a constant


def members_gone() -> "dict[str, float]":
    """Wait until no member has spoken for as long as a starting server would try to join it.

    Whoever still speaks then lives: what that means is for `membership` to say.
    """
    started = time.monotonic()
    while psql.ask(psql.database_container(), SPOKE, database=TEMPORALS, deadline_s=20):
        if time.monotonic() - started > 2 * YOUNG_S:
            break
        time.sleep(1.0)
    return {"seconds": time.monotonic() - started}


ANSWERING = """
select exists (select from public.cluster_membership) or exists (select from public.shards) as one
"""


def local_login() -> "dict[str, str]":
    """Try the way to Temporal's tables before anything is changed: what they say later decides over it."""
    psql.ask(psql.database_container(), ANSWERING, database=TEMPORALS, deadline_s=20)
    return {}


def make_data_folder(layout: Layout, args: change.Data) -> dict[str, str]:
    """Make the data directory for PostgreSQL's user; one that holds a database is left as it is.

    Its container mounts the link to it, which leads nowhere while its disk is not mounted.
    StepError when it is not the database that has been here, when one would be made beside other data, where
    somebody else could put another in its place, or when its container would run as somebody else.
    """
    uid = users.OWN.postgresql if args.uid is None else args.uid
    found = data_folder.look(layout)
    if why := data_folder.another_owner(found, uid):
        raise StepError(why, remedy="nothing was changed in it; run the same command again")
    identity.must_be_known(layout, found, wanted_new=args.wanted_new, forget=args.forget)
    identity.permit(layout, wanted=args.wanted_new and found.number is None, uid=uid)
    if found.number is None:
        data_folder.make(layout, uid)
    folder = str(layout.data / found.folder)
    if not layout.pgdata.is_symlink() or os.readlink(layout.pgdata) != folder:  # noqa: PTH115 - as it is written
        replace_symlink(layout.pgdata, folder)
    return {"folder": folder}
