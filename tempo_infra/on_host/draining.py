"""A host out of the cluster for a while: services stop in order, their work moves, and it comes back."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import psql
from tempo_infra.on_host.containers import compose, running
from tempo_infra.on_host.database import TEMPORALS
from tempo_infra.on_host.shell import StepError, must, run

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import upkeep

STOP_DEADLINE_S = 360.0  # a service gets its stop_grace_period; compose waits for it
PAUSE_S = 1.0
KILL_AFTER_S = 5
ENDED = (124, 137)  # what `timeout` ends with, or the shell that it had to kill
MOST_CHARS = 200_000  # of what a command wrote; a frame may hold as much, whatever the characters are


@dataclass(frozen=True)
class Drained:
    seconds: "dict[str, float]" = field(default_factory=dict)

    @property
    def say(self) -> str:
        return ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.seconds.items())


def drain(layout: Layout, args: upkeep.Drain) -> Drained:
    """Stop services one by one, each with the time to hand its work over that its compose file grants."""
    if guard.read(layout) is not None:
        raise StepError("a change of this host is not confirmed", remedy="tempo-infra status says which")
    seconds = {}
    for name in args.services:
        if name not in running(layout):
            continue
        started = time.monotonic()
        output = compose(layout, "stop", name, deadline_s=STOP_DEADLINE_S)
        if output.returncode != 0:
            raise StepError(f"{name} did not stop: {output.last_words}")
        seconds[name] = time.monotonic() - started
    return Drained(seconds)


TOTAL = "select count(*) from public.shards"
OWNED = TOTAL + " where position(convert_to('{address}-', 'UTF8') in data) > 0"
MEMBER = (
    "select count(*) from public.cluster_membership where rpc_address = '{address}' "
    "and last_heartbeat > (now() at time zone 'utc') - interval '20 seconds'"
)  # after which Temporal itself takes a silent member for gone


@dataclass(frozen=True)
class Owners:
    shards: "dict[str, int]" = field(default_factory=dict)

    @property
    def say(self) -> str:
        return ", ".join(f"{owner.rpartition(':')[0]} {count}" for owner, count in self.shards.items())


def owners(args: upkeep.Owners) -> Owners:
    """Wait until these history hosts own every shard, by Temporal's own table. Asked on the database host."""
    end = time.monotonic() + args.deadline_s
    while True:
        total, members, *counts = _counted(args)
        found = dict(zip(args.owners, counts, strict=True))
        spread = not args.owners or (sum(counts) == total and (min(counts) > 0 or not total))
        if spread and not members:
            return Owners(found)
        if time.monotonic() > end:
            held = ", ".join(f"{owner}: {count}" for owner, count in found.items())
            still = f"; {args.gone} is still a member" if members else ""
            raise StepError(f"{total - sum(counts)} of {total} shards have not moved ({held}){still}")
        time.sleep(PAUSE_S)


def _counted(args: upkeep.Owners) -> "list[int]":
    """Return all shards, the memberships of who should be gone, then the shards of each owner."""
    member = MEMBER.format(address=args.gone) if args.gone else "select 0"
    queries = (TOTAL, member, *(OWNED.format(address=owner) for owner in args.owners))
    columns = ", ".join(f"({query}) as c{number}" for number, query in enumerate(queries))
    [row] = psql.ask(psql.database_container(), f"select {columns}", database=TEMPORALS, deadline_s=20)
    return [int(row[f"c{number}"]) for number in range(len(queries))]


@dataclass(frozen=True)
class Done:
    out: str  # what it wrote, its errors among the rest in the order in which they came
    returncode: int
    late: bool = False  # it was ended at its deadline

    @property
    def say(self) -> str:
        return "was ended at its deadline" if self.late else f"exit code {self.returncode}"


def command(args: upkeep.Command) -> Done:
    """Run a person's command on the drained host, and return all that it wrote, however it ended."""
    began = time.monotonic()
    limit = ["timeout", f"--kill-after={KILL_AFTER_S}", str(args.deadline_s)]
    output = run(
        [*limit, "sh", "-c", f"exec 2>&1\n{args.command}"], deadline_s=args.deadline_s + 2 * KILL_AFTER_S
    )
    late = output.returncode in ENDED and time.monotonic() - began >= args.deadline_s
    return Done(as_shown(output.out + output.err), output.returncode, late)


def as_shown(text: str) -> str:
    """Return lines as a terminal would show them: of a progress bar its end; of very much, both ends."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    shown = "\n".join(lines).strip("\n")
    if len(shown) <= MOST_CHARS:
        return shown
    left_out = len(shown) - MOST_CHARS
    head, tail = shown[: MOST_CHARS // 4], shown[-(MOST_CHARS - MOST_CHARS // 4) :]
    return f"{head}\n… {left_out} characters are not shown …\n{tail}"


def reboot() -> "dict[str, str]":
    """Reboot in a second, so that this answer still leaves the host."""
    must(["systemd-run", "--quiet", "--on-active=1s", "systemctl", "reboot"], deadline_s=20)
    return {}
