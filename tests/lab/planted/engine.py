"""Faults of the Docker engine and its parts."""

from __future__ import annotations

from tests.lab.planted.fault import VM_ROLE, Fault, by_shell

CLIENT = "/usr/bin/docker"
PLUGIN = "/usr/libexec/docker/cli-plugins/docker-compose"
PARSER = "/sbin/apparmor_parser"
HUNG = by_shell("kill -STOP $(pidof dockerd)", "kill -CONT $(pidof dockerd)")
SILENT = "unknown: the engine that would have to say it is silent"

FAULTS = (
    Fault(
        "hung dockerd",
        "worker",
        "docker.engine",
        "fail",
        "SIGSTOP to dockerd: it takes connections and never answers",
        HUNG,
        also=dict.fromkeys(
            (
                "docker.kind",
                "docker.version",
                "compose.version",
                "container.state",
                "container.image",
                "net.subnet",
                "container.files",
                "nofile.container",
                "containerd.version",
                "docker.cgroup",
                "temporal.backlog",
                "temporal.pollers",
            ),
            SILENT,
        ),
    ),
    Fault(
        "no `docker` program",
        "worker",
        "docker.kind",
        "fail",
        "the program is moved away; the engine and its containers go on",
        by_shell(f"mv {CLIENT} /root/kept", f"mv /root/kept {CLIENT}"),
        also=dict.fromkeys(
            ("docker.engine", "docker.version", "compose.version", "containerd.version", "docker.cgroup"),
            "skipped: of an engine that can't be used nothing else matters",
        ),
    ),
    Fault(
        "no Compose plugin",
        "history",
        "compose.version",
        "fail",
        "the plugin's file is moved away",
        by_shell(f"mv {PLUGIN} /root/kept", f"mv /root/kept {PLUGIN}"),
    ),
    Fault(
        "AppArmor without its parser",
        VM_ROLE,
        "docker.apparmor",
        "fail",
        "apparmor_parser is moved away",
        by_shell(f"mv {PARSER} /root/kept", f"mv /root/kept {PARSER}"),
    ),
)
