"""Temporal as it runs: do its roles serve, who is a member, is the number of shards the planned one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.checks.check import Phase, check
from tempo_infra.checks.database import ask_database
from tempo_infra.checks.finding import Finding, Outcome, Severity, judged, skipped, unread

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.roles import RoleHealth

SERVING = "SERVING"


@check(
    "temporal.health",
    "each Temporal role of the host serves",
    severity=Severity.CRITICAL,
    phase=Phase.AFTER,
    wants="SERVING by grpc.health.v1, asked with the role's own service name",
    remedy="docker logs --tail 50 tempo-infra-ROLE-1 says why; is the database reachable?",
    source="https://github.com/grpc/grpc/blob/master/doc/health-checking.md",
)
def health(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    del expected
    if facts.roles.value is None:
        return unread(facts.roles)
    if facts.generation.value is None:
        return skipped("not provisioned yet")
    return tuple(_serves(one) for one in facts.roles.value)


def _serves(one: RoleHealth) -> Finding:
    outcome = Outcome.PASS if one.word == SERVING else Outcome.FAIL
    finding = Finding(outcome=outcome, found=one.word, wanted=SERVING, evidence={"port": one.port})
    return replace(finding, subject=one.role)


@check(
    "temporal.members",
    "the cluster's members are the inventory's hosts",
    severity=Severity.CRITICAL,
    phase=Phase.AFTER,
    wants="the addresses in Temporal's membership table, with a heartbeat in the last 30 s, are exactly the "
    "inventory's; one that is not ours warns",
    remedy="missing: is the service up on that host? Not ours: stop it, it takes shards of this cluster",
    source="https://docs.temporal.io/temporal-service/temporal-server",
)
def members(facts: Facts, expected: Expected) -> Finding:
    if not expected.members:
        return skipped("no inventory says who they should be")

    def judge(told: tuple[str, ...]) -> Finding:
        missing = sorted(set(expected.members) - set(told))
        others = sorted(set(told) - set(expected.members))
        parts = [f"missing: {', '.join(missing)}"] if missing else []
        parts += [f"not ours: {', '.join(others)}"] if others else []
        return Finding(
            outcome=Outcome.FAIL if missing else Outcome.WARN if others else Outcome.PASS,
            found="; ".join(parts) or f"{len(told)} members, all ours",
            wanted=f"{len(expected.members)} members",
            evidence={"members": list(told)},
        )

    return judged(ask_database(facts, expected, lambda part: part.members), judge)


@check(
    "temporal.shards",
    "the number of history shards is the planned one",
    severity=Severity.CRITICAL,
    phase=Phase.AFTER,
    wants="history_shard_count in Temporal's own metadata equals the inventory's temporal.shards",
    remedy="it is fixed when the cluster is made: put the cluster's number into the inventory, or move to a "
    "new cluster",
    source="https://docs.temporal.io/temporal-service/temporal-server#history-shard",
)
def shards(facts: Facts, expected: Expected) -> Finding:
    if not expected.shards:
        return skipped("no inventory says how many there should be")

    def judge(told: int) -> Finding:
        outcome = Outcome.PASS if told == expected.shards else Outcome.FAIL
        return Finding(outcome=outcome, found=str(told), wanted=str(expected.shards))

    return judged(ask_database(facts, expected, lambda part: part.shards), judge)
