"""How long each step may take at most, on the host and for who waits for it.

What a step waits for has deadlines of its own; this is their sum, with room. It is for what has none: a write
to a disk that hangs, a fault that nobody has thought of. A step that is past it is left: the program on the
host ends, without a sign of life from then on, and a change under way is decided by the host's timer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tempo_infra.on_host.wire import Step

GRANTED = ("deadline_s", "wait_s", "soak_s")  # arguments that allow a step to take so much longer
UNDO_S = 1800.0  # files, then containers for as long as Docker may need after a boot, then their health


HANGS = "see `dmesg`, `findmnt` and the engine there; then run the same command again"


@dataclass(frozen=True)
class Longest:
    """The longest time of a kind of step: `seconds`, and for each entry of its argument `of`, `each_s`."""

    seconds: float
    why: str
    of: str = ""
    each_s: float = 0.0
    times: int = 1  # how often what its arguments grant may pass


LONGEST = {
    "state": Longest(240, "an engine that stops answering in between, 45 s each time; the data disk"),
    "facts": Longest(780, "check-host --thorough on a very slow disk"),
    "clock": Longest(20, "nothing is waited for"),
    "runs": Longest(60 + UNDO_S, "a change whose timer is gone is decided here"),
    "lock": Longest(30, "nothing but the lock is waited for"),
    "unlock": Longest(30, "nothing is waited for"),
    "note": Longest(30, "a line, written durably"),
    "boot-id": Longest(30, "nothing is waited for"),
    "bootstrap": Longest(2100, "apt's locks, apt-get update and install, 600 s each"),
    "preflight": Longest(240, "a durable write in each folder; 30 s for the data disk, 10 to look at it"),
    "disk-speed": Longest(120, "60 s, and a disk that is slow to begin"),
    "stage": Longest(300, "every file is written durably, on a slow disk"),
    "validate": Longest(90, "docker compose config, 30 s"),
    "pull": Longest(60, "images, each with its deadline"),
    "trial-start": Longest(
        420, "a server started on a throw-away data directory, 150 s; then the running one"
    ),
    "secrets": Longest(120, "a few files, written durably"),
    "arm": Longest(2700, "images that were pruned since are pulled again, 900 s each"),
    "switch": Longest(300, "owned files, kernel values, systemd's reload"),
    "data": Longest(120, "10 s to look at the data disk, 30 to make the folder"),
    "up": Longest(660, "compose, twice, 240 s each; the engine is asked what was made anew"),
    "before-ours": Longest(900, "services stop, each in the time that it is granted"),
    "postgres-ready": Longest(270, "recovery, on a slow disk; files that are read anew, 30 s"),
    "local-login": Longest(150, "the server reads its files again; one login by the socket"),
    "roles": Longest(150, "one query, with a deadline of its own"),
    "members-gone": Longest(150, "one statement, 60 s"),
    "origin": Longest(30, "a file, written durably"),
    "cluster-record": Longest(30, "a file, written durably"),
    "passwords": Longest(30, "a few files are read"),
    "sql": Longest(300, "statements, 60 s together; or each once more, 6 s for its lock"),
    "schema": Longest(420, "a job of an earlier run may have to end; an earlier beginning goes", times=2),
    "database-answers": Longest(60, "one question"),
    "login": Longest(60, "one login, 10 s"),
    "serving": Longest(180, "roles that start; their logs"),
    "membership": Longest(150, "members show themselves within 90 s"),
    "namespaces": Longest(600, "a job for 90 s, of 180 s each; one of an earlier run may have to end first"),
    "healthy": Longest(600, "the database, its roles and the UI, 120 s each"),
    "still": Longest(420, "containers are watched, then their health is asked again"),
    "confirm": Longest(600, "as `still`; then what is past is taken away"),
    "rollback": Longest(UNDO_S, "see above"),
    "unused": Longest(120, "sessions end within 30 s"),
    "forget": Longest(120, "the engine is asked who reads a folder"),
    "drain": Longest(120, "services stop one by one", of="services", each_s=400),
    "owners": Longest(150, "shards move within 120 s", of="owners", each_s=40),
    "command": Longest(60, "a person's command, with a deadline of its own"),
    "reboot": Longest(60, "nothing is waited for"),
    "remove": Longest(1200, "services stop, each in the time that it is granted"),
    "eject": Longest(300, "compose reads what is left"),
}


def longest_s(step: Step) -> float:
    """Return the longest time of a step, in seconds; LookupError for one that nobody knows."""
    kind = LONGEST[step.name]
    granted = sum(float(step.args.get(name) or 0) for name in GRANTED)
    return kind.seconds + kind.times * granted + kind.each_s * len(step.args.get(kind.of) or ())
