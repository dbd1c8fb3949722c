"""Whether somebody else of the host has the user numbers that containers run as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.checks.check import check
from tempo_infra.checks.finding import Finding, Outcome, Severity, judged, together

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.accounts import Accounts
    from tempo_infra.on_host.facts import Facts

WANTED = "nobody else"


@check(
    "users.ids",
    "nobody else on the host has the user ids of containers",
    severity=Severity.MAJOR,
    wants="no account, group or subordinate range has one, and no process outside of our containers runs as "
    "one; each is a warning",
    remedy="give that account another number (usermod -u, groupmod -g), or keep it off this host; "
    "docs/decisions/0015-user-ids-of-our-own.md says which clusters have numbers that nobody else has",
    source="https://github.com/systemd/systemd/blob/main/docs/UIDS-GIDS.md",
)
def ids(facts: Facts, expected: Expected) -> Finding:
    del expected

    def judge(found: Accounts) -> Finding:
        parts = [Finding(outcome=Outcome.WARN, found=one.words) for one in found.shared]
        if found.unasked:
            parts.append(Finding(outcome=Outcome.UNKNOWN, found="not known of all", note=found.unasked))
        return together(*parts) if parts else Finding(outcome=Outcome.PASS, found=WANTED)

    return judged(facts.users, judge, WANTED)
