"""The cluster's containers: do they run, from the pinned image, on the files of their own generation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.checks.check import Phase, check
from tempo_infra.checks.finding import Finding, Outcome, Severity, follow, skipped, unread
from tempo_infra.on_host.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.docker import Container, Docker
    from tempo_infra.on_host.probes.generation import Planned

RESTARTS = 3  # more than this since it was made, and something ends it again and again; judgement
_PROVISION = "tempo-infra provision -i {inventory} --host {host}"
_SERVICES = f"{Layout().services}/"
_ACCOUNTS = "accounts-"  # the names of users, which all containers have


@check(
    "container.state",
    "the cluster's containers run",
    severity=Severity.CRITICAL,
    phase=Phase.AFTER,
    wants=f"every service of the generation runs and is not unhealthy; more than {RESTARTS} restarts warn",
    remedy="docker logs --tail 50 NAME says why; " + _PROVISION + " starts what is missing",
    source="https://docs.docker.com/reference/cli/docker/container/ls/",
)
def state(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    del expected
    return _each(facts, _state)


def _state(service: Planned, container: Container | None, docker: Docker) -> Finding:
    if container is None:
        stopped = [one for one in docker.stopped.value or () if one.service == service.service]
        found = stopped[0].detail or stopped[0].state if stopped else "no container"
        return Finding(outcome=Outcome.FAIL, found=found, wanted="running")
    bad = container.state != "running" or container.health == "unhealthy"
    often = container.restarts > RESTARTS
    return Finding(
        outcome=Outcome.FAIL if bad else Outcome.WARN if often else Outcome.PASS,
        found=", ".join(word for word in (container.state, container.health) if word),
        wanted="running",
        note=f"restarted {container.restarts} times" if container.restarts else "",
        evidence={"restarts": container.restarts, "started_at": container.started_at},
    )


@check(
    "container.image",
    "each container runs the image that was pinned",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants="the image of the generation, named by its digest, or by its tag where ssh brought it; a name "
    "without either warns",
    remedy="tempo-infra images pin -i {inventory}, then " + _PROVISION,
    source="https://docs.docker.com/reference/compose-file/services/#image",
)
def image(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    del expected
    return _each(facts, _image)


def _image(service: Planned, container: Container | None, _docker: Docker) -> Finding:
    if container is None:
        return skipped("it doesn't run")
    if container.image != service.image:
        return Finding(outcome=Outcome.FAIL, found=container.image, wanted=service.image)
    name, _, digest = container.image.partition("@")
    digest = digest or service.content  # one that was brought has it in the generation, and its tag
    pinned = bool(digest)
    return Finding(
        outcome=Outcome.PASS if pinned else Outcome.WARN,
        found=f"{name}@{digest[:19]}…" if pinned else f"{name}, not pinned",
        wanted="pinned by digest",
        evidence={"image": container.image},
    )


@check(
    "container.files",
    "each container reads the files of its own generation",
    severity=Severity.CRITICAL,
    phase=Phase.AFTER,
    wants="the folder that is mounted is the one that the generation names for the service",
    remedy=_PROVISION + " recreates the container",
    source="docs/explanation/architecture.md",
)
def files(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    del expected
    return _each(facts, _files)


def _files(service: Planned, container: Container | None, _docker: Docker) -> Finding:
    if container is None:
        return skipped("it doesn't run")
    if not service.folder:
        return skipped("it has no files of its own")
    wanted = service.folder.rpartition("/")[2]
    ours = (one.removeprefix(_SERVICES) for one in container.mounts if one.startswith(_SERVICES))
    mounted = sorted({one.partition("/")[0] for one in ours if not one.startswith(_ACCOUNTS)})
    outcome = Outcome.PASS if mounted == [wanted] else Outcome.FAIL
    return Finding(outcome=outcome, found=", ".join(mounted) or "no folder of ours", wanted=wanted)


def _each(
    facts: Facts, judge: Callable[[Planned, Container | None, Docker], Finding]
) -> Finding | tuple[Finding, ...]:
    """Judge each service of the generation that should be running."""
    if facts.generation.value is None:
        return unread(facts.generation)
    containers = follow(facts.docker, lambda part: part.containers)
    if containers.value is None or facts.docker.value is None:
        return unread(replace(containers, not_wanted=False))
    running = {one.service: one for one in containers.value if one.ours}
    planned = [one for one in facts.generation.value.services if not one.job]
    docker = facts.docker.value
    return tuple(
        replace(judge(one, running.get(one.service), docker), subject=one.service) for one in planned
    ) or skipped("no service is planned for this host")


@check(
    "files.drift",
    "nobody changed the files that were put here",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants="every file of the generation is as it was staged, under /var/lib/tempo-infra and in /etc, with "
    "its owner and mode, passwords too; nobody else may write into a folder above",
    remedy="tempo-infra plan -i {inventory} shows the difference; provision puts owner and mode back, and "
    "with --take-over an edited text",
    source="docs/explanation/footprint.md",
)
def drift(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    del expected
    told = facts.generation.value
    if told is None:
        return unread(facts.generation)
    if not told.manifest_is_its_own:
        return Finding(outcome=Outcome.FAIL, found="the manifest was changed", wanted="as staged")
    found = tuple(
        Finding(
            outcome=Outcome.FAIL if one.wanted or one.is_now in ("changed", "missing") else Outcome.UNKNOWN,
            subject=one.path,
            found=one.is_now,
            wanted=one.wanted or "as staged",
        )
        for one in told.files
        if one.is_now != "same"
    )
    as_staged = Finding(outcome=Outcome.PASS, found=f"{len(told.files)} files as staged", wanted="as staged")
    return found or as_staged
