"""What is sold as a server: a virtual machine, metal, or only a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.checks.check import check
from tempo_infra.checks.finding import Finding, Outcome, Severity, follow, judged, noting, one_of

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts

GOOD = ("kvm", "amazon", "google", "none")


@check(
    "virt.kind",
    "the host is a virtual machine or metal, not a container",
    severity=Severity.CRITICAL,
    wants="kvm, amazon, google or none; other hypervisors warn, containers (lxc, openvz, docker) fail",
    remedy="rent a KVM server: a container shares its kernel, so limits, clock and sysctls are not yours",
    source="https://www.freedesktop.org/software/systemd/man/latest/systemd-detect-virt.html",
)
def kind(facts: Facts, expected: Expected) -> Finding:
    del expected
    container = follow(facts.virt, lambda part: part.container)
    if container.value not in (None, "none"):
        return Finding(
            outcome=Outcome.FAIL, found=f"{container.value} container", wanted="a virtual machine or metal"
        )

    def judge(vm: str) -> Finding:
        vendor = follow(facts.virt, lambda part: part.vendor).value or ""
        product = follow(facts.virt, lambda part: part.product).value or ""
        return noting(one_of(vm, GOOD), f"{vendor} {product}".strip(), vm=vm)

    return judged(follow(facts.virt, lambda part: part.vm), judge)
