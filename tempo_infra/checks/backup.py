"""Whether the database could be brought back: how old its backups are, and whether its log arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_infra.checks.check import Phase, check
from tempo_infra.checks.components import probed
from tempo_infra.checks.finding import Finding, Outcome, Severity, at_most, judged, unread

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts

MANUAL = "https://pgbackrest.org/user-guide.html"
HOUR_S = 3600
FRESH_H, OLD_H = 26.0, 50.0  # one is taken each day; a second one was missed
# A segment is sent when it is finished; twice the time after which one is, and some for a slow line.
LATE, TOO_LATE, SLACK_S = 2, 10, 30
NONE_YET = "tempo-infra backup now -i {inventory}"


@check(
    "backup.age",
    "Each repository has a backup of the last day",
    severity=Severity.CRITICAL,
    phase=Phase.AFTER,
    wants=f"at most {FRESH_H:g} h old; more than {OLD_H:g} h fails",
    remedy="tempo-infra backup now -i {inventory}; `systemctl list-timers tempo-infra-backup.timer` there "
    "says when the next one is due",
    source=MANUAL,
)
def age(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    del expected
    reading = probed(facts, "postgresql")
    return unread(reading) if reading.value is None else _ages(reading.value)


def _ages(found: dict[str, Any]) -> tuple[Finding, ...]:
    newest = {int(one["repository"]): one for one in found["newest"]}
    return tuple(
        _age(one, newest.get(int(one["number"])), int(found["now_s"])) for one in found["repositories"]
    )


def _age(repository: dict[str, Any], newest: dict[str, Any] | None, now_s: int) -> Finding:
    subject = f"repository {repository['number']}"
    if newest is None:
        why = str(repository["wrong"]) or "no backup"
        return Finding(outcome=Outcome.FAIL, found=why, wanted="a backup", subject=subject, remedy=NONE_YET)
    hours = max(0, now_s - int(newest["ended_s"])) / HOUR_S
    finding = at_most(hours, FRESH_H, fail=OLD_H, unit="h", label=str(newest["label"]))
    return Finding(
        outcome=finding.outcome, found=finding.found, wanted=finding.wanted, subject=subject, evidence=newest
    )


@check(
    "backup.archive",
    "The database's log is sent away as it is written",
    severity=Severity.CRITICAL,
    phase=Phase.AFTER,
    wants=f"no finished segment waits longer than {LATE} times backup.rpo and {SLACK_S} s; after {TOO_LATE} "
    "times it fails",
    remedy="docker logs --tail 50 tempo-infra-postgresql-1 there says what pgBackRest has against it",
    source="https://www.postgresql.org/docs/current/continuous-archiving.html",
)
def archive(facts: Facts, expected: Expected) -> Finding:
    del expected

    def judge(found: dict[str, Any]) -> Finding:
        log = found["log"]
        rpo_s = int(log["timeout_s"])
        lag = at_most(
            float(log["oldest_s"]),
            LATE * rpo_s + SLACK_S,
            fail=TOO_LATE * rpo_s + SLACK_S,
            unit="s",
            label=f"{log['waiting']} segments wait, the oldest for",
        )
        if not log["failing"]:
            return lag
        worst = max((lag.outcome, Outcome.WARN), key=lambda one: one.rank)
        return Finding(outcome=worst, found=f"{lag.found}; the last try failed", wanted=lag.wanted)

    return judged(probed(facts, "postgresql"), judge)


@check(
    "backup.failed",
    "No backup has found damage, and no repository is in the way of one",
    severity=Severity.CRITICAL,
    phase=Phase.AFTER,
    wants="every repository is in order, and no backup holds pages whose checksum is wrong",
    remedy="pages: `pg_amcheck` in the database's container names the table; restore it from a backup before "
    "that. A repository: tempo-infra backup now says what is wrong with it",
    source=MANUAL,
)
def failed(facts: Facts, expected: Expected) -> Finding:
    del expected

    def judge(found: dict[str, Any]) -> Finding:
        wrong = [
            f"repository {one['number']}: {one['wrong']}" for one in found["repositories"] if one["wrong"]
        ]
        wrong += [f"{one['label']} holds damaged pages" for one in found["damaged"]]
        outcome = Outcome.FAIL if wrong else Outcome.PASS
        return Finding(outcome=outcome, found="; ".join(wrong) or "none", wanted="none")

    return judged(probed(facts, "postgresql"), judge)


CHECKS = (age, archive, failed)
