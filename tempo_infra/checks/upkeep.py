"""How the system is kept up to date, and what that may do to a running cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tempo_infra.checks.check import check
from tempo_infra.checks.finding import Finding, Outcome, Severity, follow, judged

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.upkeep import Apparmor, Restarts

OURS = ("docker.", "containerd.", "tempo-infra")  # units without which the cluster doesn't run


@check(
    "docker.apparmor",
    "containers can be started under AppArmor",
    severity=Severity.CRITICAL,
    wants="where the kernel has AppArmor enabled, apparmor_parser is installed",
    remedy="apt-get install apparmor: without its parser the engine refuses to start any container",
    source="https://github.com/moby/moby/blob/master/contrib/check-config.sh",
)
def apparmor(facts: Facts, expected: Expected) -> Finding:
    del expected

    def judge(told: Apparmor) -> Finding:
        trapped = told.enabled and not told.parser
        found = "enabled" if told.enabled else "not enabled"
        return Finding(
            outcome=Outcome.FAIL if trapped else Outcome.PASS,
            found=f"{found}, {'no parser' if not told.parser else 'with parser'}",
            wanted="with parser, or not enabled",
            evidence=asdict(told),
        )

    return judged(follow(facts.upkeep, lambda part: part.apparmor), judge)


@check(
    "host.reboot",
    "no reboot is waiting",
    severity=Severity.ADVICE,
    wants="no package asks for a reboot",
    remedy="reboot one host after the other, the database host at a quiet time; then check again",
    source="https://www.debian.org/doc/debian-policy/ch-opersys.html#signaling-that-a-reboot-is-required",
)
def reboot(facts: Facts, expected: Expected) -> Finding:
    del expected

    def judge(packages: tuple[str, ...]) -> Finding:
        return Finding(
            outcome=Outcome.WARN if packages else Outcome.PASS,
            found=f"wanted by {', '.join(packages)}" if packages else "none",
            wanted="none",
            evidence={"packages": list(packages)},
        )

    return judged(follow(facts.upkeep, lambda part: part.reboot_wanted_by), judge)


@check(
    "host.restarts",
    "updates restart neither the host nor Docker by themselves",
    severity=Severity.ADVICE,
    wants="no automatic reboot; needrestart not automatic, or told to leave docker alone",
    remedy="/etc/needrestart/conf.d/docker.conf: $nrconf{override_rc}{qr(^docker|^containerd)} = 0; and "
    'Unattended-Upgrade::Automatic-Reboot "false"',
    source="https://github.com/liske/needrestart/blob/master/README.md",
)
def restarts(facts: Facts, expected: Expected) -> Finding:
    del expected

    def judge(told: Restarts) -> Finding:
        risks = []
        if told.unattended and told.reboots:
            risks.append("the host reboots after updates")
        if told.needrestart == "a" and not told.spares_docker:
            risks.append("needrestart restarts services, docker too")
        return Finding(
            outcome=Outcome.WARN if risks else Outcome.PASS,
            found=", ".join(risks) or "none",
            wanted="none",
            evidence=asdict(told),
        )

    return judged(follow(facts.upkeep, lambda part: part.restarts), judge)


@check(
    "host.units",
    "no unit has failed",
    severity=Severity.MAJOR,
    wants="no failed unit; one of Docker or ours fails, others warn",
    remedy="systemctl status UNIT says why; systemctl reset-failed clears what is of the past",
    source="https://www.freedesktop.org/software/systemd/man/latest/systemctl.html",
)
def units(facts: Facts, expected: Expected) -> Finding:
    del expected

    def judge(failed: tuple[str, ...]) -> Finding:
        ours = [one for one in failed if one.startswith(OURS)]
        outcome = Outcome.FAIL if ours else Outcome.WARN if failed else Outcome.PASS
        names = ", ".join([*ours, *(one for one in failed if one not in ours)])
        return Finding(
            outcome=outcome,
            found=names or "none failed",
            wanted="none failed",
            evidence={"failed": list(failed)},
        )

    return judged(follow(facts.upkeep, lambda part: part.failed_units), judge)
