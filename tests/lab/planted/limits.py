"""Faults of open-file limits: logins, the container runtime, containers, the whole host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tempo_infra.on_host.users import OWN
from tests.lab.planted.fault import KEPT, VM_ROLE, Fault, Plant, Site, by_shell, done, file_with, setting
from tests.lab.planted.services import pid_of, remade

ARTICLE = "* soft nofile 65535\n* hard nofile 65535"
LIMITS = "/etc/security/limits.conf"
DROP_IN = "/etc/systemd/system/containerd.service.d/planted.conf"
LOWER = "ulimits: {nofile: {soft: 1024, hard: 2048}}"
SPARE = 3  # files that may still be opened
RESTARTED = (  # and back in touch with dockerd, which asks it for its version
    "systemctl daemon-reload && systemctl restart containerd && for n in $(seq 60);"
    " do docker version -f '{{range .Server.Components}}{{.Name}} {{end}}' | grep -q containerd && exit 0;"
    " sleep 0.5; done; exit 1"
)
# Whose limits root may not set in the lab.
AS_TEMPORAL = f"setpriv --reuid {OWN.temporal} --regid {OWN.temporal} --clear-groups"


def article(lines: str) -> Plant:
    """The article's lines stand in limits.conf; they never reach a container."""
    return by_shell(
        f"cp -p {LIMITS} {LIMITS}.kept && printf '%b\\n' '{lines}' >> {LIMITS}", f"mv {LIMITS}.kept {LIMITS}"
    )


@contextmanager
def article_only(site: Site) -> Iterator[None]:
    """What the article does, and what it leaves as it was."""
    with article(ARTICLE.replace("65535", str(site.cluster.nofile)).replace("\n", "\\n"))(site):  # noqa: SIM117 - in this order
        with remade(site, "worker", LOWER):
            yield


@contextmanager
def bare_container(site: Site) -> Iterator[None]:
    """limits.conf as in the article, and a container of the cluster with the limits of an old unit file."""
    labels = "--label com.docker.compose.project=tempo-infra --label com.docker.compose.service=history"
    image = next(
        f"registry.lab:5000/{name}@{digest}" for name, digest in site.vm.images.items() if "/ui" in name
    )
    run = f"docker run -d --name planted {labels} --ulimit nofile=1024:4095 --entrypoint sleep {image} 600"
    with article(ARTICLE.replace("\n", "\\n"))(site), done(site, run, "docker rm -f planted"):
        yield


@contextmanager
def runtime_lowered(site: Site) -> Iterator[None]:
    """A drop-in of containerd's unit, as some hosting images carry."""
    try:
        with file_with(DROP_IN, "[Service]\nLimitNOFILE=1024:2048")(site):
            site.shell(RESTARTED)
            yield
    finally:
        site.shell(RESTARTED)


@contextmanager
def nearly_used_up(site: Site) -> Iterator[None]:
    """The running server's soft limit is lowered to just above what it has open."""
    pid = pid_of(site, "history")
    used = int(site.shell(f"ls /proc/{pid}/fd | wc -l"))
    prlimit = f"{AS_TEMPORAL} prlimit --pid {pid}"
    soft, hard = site.shell(f"{prlimit} --nofile -o SOFT,HARD --noheadings").split()
    lower, back = (f"{prlimit} --nofile={one}:{hard}" for one in (used + SPARE, soft))
    with done(site, lower, back):
        yield


LOGIN_LINES = "deploy soft nofile 512\ndeploy hard nofile 2048"
FEW_FILES = by_shell(
    "sysctl -n fs.file-max > /root/kept"
    " && sysctl -qw fs.file-max=$(($(cut -f1 /proc/sys/fs/file-nr) * 115 / 100))",
    "sysctl -qw fs.file-max=$(cat /root/kept) && rm /root/kept",
)

RUNTIME = "$(pgrep -xo containerd)"

FAULTS = (
    Fault(
        "service with hardly a file left to open",
        "history",
        "nofile.service",
        "fail",
        "the running containerd's soft limit is lowered to one above what it has open",
        by_shell(
            f"prlimit --pid {RUNTIME} --nofile --noheadings --output SOFT > {KEPT} && "
            f"prlimit --pid {RUNTIME} --nofile=$(($(ls /proc/{RUNTIME}/fd | wc -l) + 1)):",
            f"prlimit --pid {RUNTIME} --nofile=$(cat {KEPT} | tr -d ' '): && rm {KEPT}",
        ),
    ),
    Fault(
        "limits.conf as in the article, containers as they were",
        "worker",
        "nofile.container",
        "fail",
        "the article's two lines in limits.conf; a container recreated with 1024/2048",
        article_only,
    ),
    Fault(
        "open files nearly used up",
        "history",
        "nofile.container",
        "fail",
        "the running server's soft limit is lowered to three above what it has open",
        nearly_used_up,
        fast=True,
    ),
    Fault(
        "few open files for logins",
        "history",
        "nofile.login",
        "warn",
        "a later file of limits.d gives the operator 512/2048",
        file_with("/etc/security/limits.d/99-planted.conf", LOGIN_LINES),
    ),
    Fault(
        "hard limit lowered in containerd",
        "history",
        "nofile.runtime",
        "fail",
        "a drop-in of containerd.service says LimitNOFILE=1024:2048",
        runtime_lowered,
    ),
    Fault(
        "fs.nr_open below what is asked for",
        "history",
        "fs.filenr",
        "fail",
        "written to the host's own copy of the setting",
        setting("/proc/sys/fs/nr_open", "4096"),
    ),
    Fault(
        "limits.conf as in the article, on a real kernel",
        VM_ROLE,
        "nofile.container",
        "fail",
        "the article's two lines with 65535; a container with 1024/4095",
        bare_container,
    ),
    Fault(
        "hard limit lowered in containerd, on a real kernel",
        VM_ROLE,
        "nofile.runtime",
        "fail",
        "a drop-in of containerd.service says LimitNOFILE=1024:2048",
        runtime_lowered,
    ),
    Fault(
        "the whole host's open files nearly used up",
        VM_ROLE,
        "fs.filenr",
        "fail",
        "fs.file-max is set to 15 % above what is open",
        FEW_FILES,
    ),
    Fault(
        "fs.nr_open low, on a real kernel",
        VM_ROLE,
        "fs.filenr",
        "fail",
        "sysctl fs.nr_open=32768",
        setting("/proc/sys/fs/nr_open", "32768"),
    ),
)
