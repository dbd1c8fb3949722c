"""The container that a lab host is: how it is made, emptied, made again."""

from __future__ import annotations

import itertools
import json
import os
import shlex
from typing import TYPE_CHECKING

from lab.images import digest
from lab.keys import write_if_changed
from lab.process import run
from lab.spec import KEY_LABEL, LABEL, NETWORK, REGISTRY_NAME, HostSpec

if TYPE_CHECKING:
    from pathlib import Path

    from lab.images import Image
    from lab.paths import Home
    from lab.steps import Step

# What a host has beyond Docker's default: all but what reaches the machine itself (SYS_RESOURCE, SYS_TIME,
# SYS_MODULE, SYS_RAWIO). Each is named: on a machine that lacks one of the four, `ALL` fails or means less.
CAPABILITIES = (
    *("AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "DAC_READ_SEARCH", "IPC_LOCK", "IPC_OWNER", "LEASE"),
    *("LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "NET_ADMIN", "NET_BROADCAST", "SYS_ADMIN", "SYS_BOOT"),
    *("SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM"),
)
HOST_LABEL = f"{LABEL}.host"


def ensure(home: Home, spec: HostSpec, port: int, image: Image, step: Step) -> None:
    """Have the container running: leave it, start it, or replace one that was made from something else."""
    command = run_command(home.host_input(spec.name), spec, port, image.tag)
    key = digest(*command)
    state, made_from = _state(spec.container)
    if made_from == key and state == "running":
        return
    step.working("starting")
    if made_from == key and state in ("exited", "created"):
        run(["docker", "start", spec.container])
        return
    for volume in spec.volumes:
        run(["docker", "volume", "create", "--label", f"{LABEL}=1", "--label", f"{HOST_LABEL}=1", volume])
    labelled = [*command[:3], "--label", f"{KEY_LABEL}={key}", *command[3:]]
    write_if_changed(_recipe(home.root, spec.name), json.dumps(labelled))
    _create(home.root, spec.name, spec.container)


def recreate(root: Path, name: str, container: str, *, images: bool) -> None:
    """Make the container anew with empty volumes; pulled images stay unless `images`."""
    told = json.loads(_recipe(root, name).read_text())
    run(["docker", "rm", "-f", "-v", container], check=False)
    volumes = [words for flag, word in itertools.pairwise(told) if flag == "-v" for words in ("-v", word)]
    wipe = ["lab-wipe", *(["--images"] if images else [])]
    run(
        ["docker", "run", "--rm", "--network", "none", *volumes, "--entrypoint", wipe[0], told[-1], *wipe[1:]]
    )
    _create(root, name, container)


def remove_all() -> None:
    """Remove every host and its volumes, found by label."""
    containers = run(["docker", "ps", "-aq", "--filter", f"label={HOST_LABEL}"]).stdout.split()
    if containers:
        run(["docker", "rm", "-f", "-v", *containers], timeout=120)
    volumes = run(["docker", "volume", "ls", "-q", "--filter", f"label={HOST_LABEL}"]).stdout.split()
    if volumes:
        run(["docker", "volume", "rm", "-f", *volumes], timeout=120)


def run_command(host_input: Path, spec: HostSpec, port: int, tag: str) -> list[str]:
    """`docker run`, whole: what it says decides whether a container is still the right one.

    Of devices only characters and loops, so the machine's disk can't be opened.
    """
    fixed = f"""
        --name {spec.container} --hostname {spec.name} --label {LABEL}=1 --label {HOST_LABEL}=1
        --network {NETWORK} --ip {spec.internal_address} -p {spec.ssh_address}:{port}:22 --restart on-failure
        --memory {spec.memory_mb}m --memory-swap {spec.memory_mb}m --cpuset-cpus {_cpus(spec)}
        --env LAB_MEMORY_MB={spec.memory_mb} --env LAB_REGISTRY={REGISTRY_NAME}
        {" ".join(f"--cap-add {name}" for name in CAPABILITIES)}
        --security-opt seccomp=unconfined --security-opt apparmor=unconfined
        --security-opt systempaths=unconfined --cgroupns private
        --device-cgroup-rule 'c *:* rwm' --device-cgroup-rule 'b 7:* rwm'
        --tmpfs /run:exec,mode=755 --tmpfs /run/lock --tmpfs /tmp:exec,mode=1777
    """
    mounts = [f"{host_input}:/lab-in:ro", *(f"{volume}:{place}" for volume, place in spec.volumes.items())]
    volumes = [words for mount in mounts for words in ("-v", mount)]
    return ["docker", "run", "-d", *shlex.split(fixed), *volumes, tag]


def _create(root: Path, name: str, container: str) -> None:
    run(["docker", "rm", "-f", "-v", container], check=False)
    run(json.loads(_recipe(root, name).read_text()))


def _recipe(root: Path, name: str) -> Path:
    """Where the `docker run` of a host is kept, so that a reset can repeat it."""
    return root / "hosts" / f"{name}.json"


def _cpus(spec: HostSpec) -> str:
    """As many CPUs as the host claims, not its neighbours' where the machine has enough."""
    there = sorted(os.sched_getaffinity(0))
    first = (spec.number - 1) * spec.vcpu
    chosen = {there[(first + n) % len(there)] for n in range(spec.vcpu)}
    return ",".join(str(cpu) for cpu in sorted(chosen))


def _state(container: str) -> tuple[str, str]:
    """Docker's word for the container's state, and the key it was made with."""
    form = f'{{{{.State.Status}}}} {{{{index .Config.Labels "{KEY_LABEL}"}}}}'
    told = run(["docker", "inspect", "-f", form, container], check=False)
    status, _, key = told.stdout.strip().partition(" ")
    return (status, key) if told.returncode == 0 else ("absent", "")
