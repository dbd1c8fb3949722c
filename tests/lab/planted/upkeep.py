"""Faults of how the system is kept: units, reboots, updates that restart things, changed files."""

from __future__ import annotations

from tests.lab.planted.fault import Fault, by_shell, file_with

OWNED = "/etc/sysctl.d/60-tempo-infra.conf"
MANIFEST = "/var/lib/tempo-infra/current/manifest.json"
ID_OF_HISTORY = "docker inspect -f '{{.Config.User}}' tempo-infra-history-1 | cut -d: -f1"
REBOOT = "/run/reboot-required"


def failing(unit: str) -> tuple[str, str]:
    """How a unit fails, and how that is forgotten."""
    return f"systemd-run -q --unit={unit} false; sleep 1", f"systemctl reset-failed {unit}"


FAULTS = (
    Fault(
        "a person with a container's user id",
        "history",
        "users.ids",
        "warn",
        "an account gets the number that the history service runs as",
        by_shell(f"useradd -o -M -u $({ID_OF_HISTORY}) planted", "userdel planted"),
    ),
    Fault(
        "failed unit",
        "history",
        "host.units",
        "warn",
        "a unit that runs `false`",
        by_shell(*failing("planted")),
    ),
    Fault(
        "failed unit of ours",
        "history",
        "host.units",
        "fail",
        "the same, named as one of ours",
        by_shell(*failing("tempo-infra-planted")),
    ),
    Fault(
        "reboot wanted",
        "history",
        "host.reboot",
        "warn",
        "a package asks for it in /run/reboot-required",
        by_shell(f"touch {REBOOT} && echo linux-image > {REBOOT}.pkgs", f"rm {REBOOT} {REBOOT}.pkgs"),
    ),
    Fault(
        "needrestart restarts docker",
        "history",
        "host.restarts",
        "warn",
        "needrestart set to automatic",
        file_with("/etc/needrestart/needrestart.conf", "$nrconf{restart} = 'a';"),
    ),
    Fault(
        "the host reboots after updates",
        "history",
        "host.restarts",
        "warn",
        "unattended-upgrades may reboot",
        file_with(
            "/etc/apt/apt.conf.d/99planted",
            'APT::Periodic::Unattended-Upgrade "1";\nUnattended-Upgrade::Automatic-Reboot "true";',
        ),
    ),
    Fault(
        "changed file of ours",
        "history",
        "files.drift",
        "fail",
        "a comment is added to our sysctl.d file",
        by_shell(f"cp -p {OWNED} /root/kept && echo '# mine' >> {OWNED}", f"mv /root/kept {OWNED}"),
        fast=True,
    ),
    Fault(
        "missing file of ours",
        "history",
        "files.drift",
        "fail",
        "our sysctl.d file is moved away",
        by_shell(f"mv {OWNED} /root/kept", f"mv /root/kept {OWNED}"),
    ),
    Fault(
        "changed manifest",
        "history",
        "files.drift",
        "fail",
        "a blank is added to the generation's manifest",
        by_shell(
            f"cp -p {MANIFEST} /root/kept && echo ' ' >> {MANIFEST}",
            f"cat /root/kept > {MANIFEST} && rm /root/kept",
        ),
    ),
)
