"""Temporal as it runs: do its roles serve, who is a member, is the number of shards the planned one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.checks.check import Phase, check
from tempo_infra.checks.database import ask_database
from tempo_infra.checks.finding import Finding, Outcome, Severity, judged, skipped, unread
from tempo_infra.on_host.facts import NOT_ASKED

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
    "inventory's; one that is not ours warns, as does one whose logins were refused in the last 10 min. "
    "Where there is a frontend: the ring, as that sees it, has exactly the inventory's servers",
    remedy="missing: is the service up on that host? Not ours: it takes shards of this cluster; tempo-infra "
    "plan -i {inventory} says who it is and how it is taken out. Refused: it does no harm; stop it there",
    source="https://docs.temporal.io/temporal-service/temporal-server",
)
def members(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    if not expected.members:
        return skipped("no inventory says who they should be")

    def judge(told: tuple[str, ...]) -> Finding:
        return _strangers(_compared(told, expected.members, "members", Outcome.WARN), facts)

    table = judged(ask_database(facts, expected, lambda part: part.members), judge)
    if facts.ring.not_wanted or facts.ring == NOT_ASKED or facts.generation.value is None:
        return table
    # Whoever is in the ring is handed shards: what it has, nobody serves.
    ring = judged(facts.ring, lambda told: _compared(told, expected.ring, "servers", Outcome.FAIL))
    return table, replace(ring, subject="ring")


def _compared(told: tuple[str, ...], wanted: tuple[str, ...], what: str, others_are: Outcome) -> Finding:
    missing = sorted(set(wanted) - set(told))
    others = sorted(set(told) - set(wanted))
    parts = [f"missing: {', '.join(missing)}"] if missing else []
    parts += [f"not ours: {', '.join(others)}"] if others else []
    return Finding(
        outcome=Outcome.FAIL if missing else others_are if others else Outcome.PASS,
        found="; ".join(parts) or f"{len(told)} {what}, all ours",
        wanted=f"{len(wanted)} {what}",
        evidence={what: list(told)},
    )


def _strangers(finding: Finding, facts: Facts) -> Finding:
    """Add whose logins the database has just refused: a host that was taken out, and is back."""
    database = facts.database.value
    refused = (database.refusals.value if database else None) or ()
    if not refused:
        return finding
    words = ", ".join(f"{one.address} ({one.times} times)" for one in refused)
    worse = max(finding.outcome, Outcome.WARN, key=lambda one: one.rank)
    return replace(finding, outcome=worse, found=f"{finding.found}; logins refused: {words}")


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
