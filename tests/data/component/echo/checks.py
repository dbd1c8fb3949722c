"""Whether echo says what its file has, and to nobody but who knows its secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_infra.checks.check import Phase, check
from tempo_infra.checks.components import probed
from tempo_infra.checks.finding import Finding, Outcome, Severity, judged

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts

REFUSED = 403


@check(
    "echo.greeting",
    "echo greets whoever knows its token, and nobody else",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants="a greeting with the token, status 403 without it",
    remedy="tempo-infra provision -i {inventory} --host {host}",
    source="tests/data/component",
)
def greeting(facts: Facts, expected: Expected) -> Finding:
    del expected

    def judge(found: dict[str, Any]) -> Finding:
        closed = found["without"] == REFUSED
        said = found["greeting"] if closed else "it greets everybody"
        return Finding(
            outcome=Outcome.PASS if closed else Outcome.FAIL, found=said, wanted="only with its token"
        )

    return judged(probed(facts, "echo"), judge)


CHECKS = (greeting,)
