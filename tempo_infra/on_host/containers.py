"""Images and containers of our compose project. Docker itself is never configured or restarted."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tempo_infra.on_host import compose_network, engine, remedies, which_engine
from tempo_infra.on_host.layout import PROJECT
from tempo_infra.on_host.shell import Output, StepError, must, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change

PULL_S, AT_ONCE = 900.0, 2  # the longest time for so many images
UP_DEADLINE_S, DOWN_DEADLINE_S = 240.0, 300.0
JOB_PAUSE_S = 1.0
NEVER_PULL = ("--pull", "never")  # what is not here by now was not prepared, or taken away since
PULL_BY_HAND = "`docker pull` of it on the host says more; then run it again"
AT_BOOT = "tempo-infra.service"  # starts what Docker could not


def pull_s(images: int) -> float:
    """Return how long pulling so many images may take: long, for a slow link, and finite."""
    return PULL_S * max(1, math.ceil(images / AT_ONCE))


@dataclass(frozen=True)
class Pulled:
    images: list[str]


def pull(args: change.Pull, say: "Callable[[str], None]" = lambda _: None) -> Pulled:
    """Fetch the images that are not here yet, two at a time."""
    from concurrent.futures import ThreadPoolExecutor

    until = time.monotonic() + args.deadline_s
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for number, image in enumerate(pool.map(lambda one: _pull(one, until), args.images), 1):
            say(f"{number} of {len(args.images)}: {image}")
    return Pulled(args.images)


def _pull(image: str, until: float) -> str:
    output = run(["docker", "pull", "-q", image], deadline_s=max(1.0, until - time.monotonic()))
    if output.returncode != 0:
        raise StepError(
            f"image {image}: {output.last_words}",
            remedy="nothing was switched; " + remedies.remedy(remedies.REGISTRY, output.err, PULL_BY_HAND),
        )
    return image


def compose(layout: Layout, *words: str, deadline_s: float, stdin: bytes | None = None) -> Output:
    """Run `docker compose` on the current generation."""
    return run(
        ["docker", "compose", "-f", str(layout.compose_file), *words], deadline_s=deadline_s, stdin=stdin
    )


def validate(layout: Layout, args: change.Validate) -> dict[str, str]:
    """Let compose itself read the staged file before anything is switched."""
    file = layout.generations / args.digest / "docker-compose.yml"
    must(["docker", "compose", "-f", str(file), "--profile", "*", "config", "-q"], deadline_s=30)
    return {}


@dataclass(frozen=True)
class Brought:
    services: list[str]
    made_anew: list[str]  # that ran before, in another container


def up(layout: Layout, args: change.Up) -> Brought:
    """Bring services to what the current generation says; unchanged ones are left running."""
    before = _ids()
    renew_network(layout)
    if args.recreate:
        words = ["up", "-d", "--no-deps", "--force-recreate", *NEVER_PULL, *args.recreate]
        if (output := compose(layout, *words, deadline_s=UP_DEADLINE_S)).returncode != 0:
            raise StepError(f"compose up {' '.join(args.recreate)}: {output.last_words}")
    flags = ["--remove-orphans"] if args.remove_orphans else []
    output = compose(
        layout, "up", "-d", "--no-deps", *NEVER_PULL, *flags, *args.services, deadline_s=UP_DEADLINE_S
    )
    if output.returncode != 0:
        raise StepError(f"compose up {' '.join(args.services)}: {output.last_words}")
    after = _ids()
    return Brought(args.services, sorted(name for name, id_ in before.items() if after.get(name, id_) != id_))


def renew_network(layout: Layout) -> None:
    """Take our containers and network away, where the network gets other addresses; data stays."""
    if compose_network.moves(layout):
        down()


def _ids() -> "dict[str, str]":
    """Return service -> container that runs."""
    found = engine.listed(engine.OURS, stopped=False, deadline_s=20)
    return {engine.named(one["Labels"]): str(one["Id"]) for one in found}


def before_ours(layout: Layout) -> dict[str, str]:
    """Take our containers and network away, never data; on a host that was ejected its services run again."""
    file = layout.zero_compose_file
    if file.is_file():
        must(["docker", "compose", "-f", str(file), "up", "-d", "--remove-orphans"], deadline_s=UP_DEADLINE_S)
    else:
        down()
    return {}


def down() -> "list[str]":
    """Stop and remove our containers and network, each in the time that its compose file grants; their names.

    The database stops last: the others write down what they hand over.
    """
    run(["systemctl", "stop", AT_BOOT], deadline_s=60)  # after a boot it may yet start what is stopped here
    found = which_engine.find(deadline_s=30)
    if found.absent:
        return []
    if found.version is None:  # one that is stopped may hold containers of ours
        raise StepError(found.unfit[0].what, remedy=found.unfit[0].remedy)
    ours = engine.listed(engine.OURS, stopped=True, deadline_s=30)
    if found.unfit and not ours:
        return []
    first = [one["Id"] for one in ours if one["State"] == "running" and _service(one) != "postgresql"]
    if first:
        must(["docker", "stop", *first], deadline_s=DOWN_DEADLINE_S)
    must(["docker", "compose", "-p", PROJECT, "down", "--remove-orphans"], deadline_s=DOWN_DEADLINE_S)
    left = [one["Id"][:12] for one in engine.listed(engine.OURS, stopped=True, deadline_s=30)]
    if left:
        raise StepError(f"{len(left)} containers of {PROJECT} are left: docker rm -f {' '.join(left)}")
    return sorted({_service(one) for one in ours})


def _service(listed: "dict[str, Any]") -> str:
    return engine.named(listed.get("Labels") or {})


@dataclass(frozen=True)
class Job:
    service: str
    command: list[str] = field(default_factory=list)
    deadline_s: float = 180.0


def job(layout: Layout, args: Job, stdin: bytes) -> dict[str, str]:
    """Run a one-shot service of the `tools` profile to its end and return what it printed."""
    wait_for_earlier(args)
    output = compose(
        layout,
        "--profile",
        "tools",
        "run",
        "--rm",
        "-T",
        "--no-deps",
        args.service,
        *args.command,
        deadline_s=args.deadline_s,
        stdin=stdin,
    )
    if output.returncode != 0:
        raise StepError(f"job {args.service}: {output.last_words}")
    return {"out": output.out[-20000:]}


def wait_for_earlier(args: Job) -> None:
    """Let a job end that outlived its run, killed or past its deadline: two could meet in the schema."""
    until = time.monotonic() + args.deadline_s
    while left := [one for one in _jobs() if engine.named(one["Labels"]) == args.service]:
        if time.monotonic() > until:
            raise StepError(
                f"job {args.service}: one of an earlier run is still at work after {args.deadline_s:g} s",
                remedy=f"see `docker logs {left[0]['Id'][:12]}`; after `docker rm -f` of it run this again",
            )
        time.sleep(JOB_PAUSE_S)


def _jobs() -> "list[dict[str, Any]]":
    return engine.listed(engine.ONE_OFF, stopped=False, deadline_s=20)


def running(layout: Layout) -> "dict[str, str]":
    """Return our running containers by service: id, start time and restarts, as one word."""
    del layout  # found by the project's label, whichever file they were made from
    found = engine.containers(stopped=False, deadline_s=20)
    return {
        engine.service_of(one): f"{one['Id']},{one['State']['StartedAt']},{one['RestartCount']}"
        for one in found
    }


def restart_counts() -> "dict[str, int]":
    """Return by service how often Docker has restarted our containers, those that are down just now too."""
    try:
        found = engine.containers(stopped=True, deadline_s=20)
    except StepError:
        return {}
    return {engine.service_of(one): int(one["RestartCount"]) for one in found}


def why_not_running(layout: Layout, service: str) -> str:
    """Return the end of a service's log, for the message about one that did not become healthy."""
    words = ["logs", "--no-color", "--no-log-prefix", "--tail", "4", service]
    try:
        output = compose(layout, *words, deadline_s=15)
    except StepError as error:  # which is not what is wrong
        return str(error)
    return " | ".join(line.strip()[:300] for line in output.out.splitlines()[-3:])
