"""docs/reference/checks.md, generated from the catalogue: `python -m tempo_infra.report.checks_page`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tempo_infra.checks import CHECKS

if TYPE_CHECKING:
    from tempo_infra.checks import Check

_HEAD = """\
# Checks

Generated from the catalogue of checks; edit `tempo_infra/checks/` and run `make docs`.

`check-host` runs these on every host, in this order. A finding is `pass`, `warn`, `fail`, `unknown`
(wanted, but it could not be measured) or `skip` (does not apply, or was left out on purpose). Names such as
`fsync_p50_ms` are thresholds of the instance class; an inventory may change them under `classes:`.

| id | severity | phase | passes when |
|---|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    rows = "".join(
        f"| [{one.id}](#{_anchor(one)}) | {one.severity} | {one.phase} | {one.wants} |\n" for one in CHECKS
    )
    return _HEAD + rows + "".join(_section(one) for one in CHECKS)


def _anchor(one: Check) -> str:
    return one.id.replace(".", "")


def _section(one: Check) -> str:
    return f"""
## {one.id}

{one.title[0].upper()}{one.title[1:]}.

- passes when: {one.wants}
- what to do: {one.general_remedy}
- source: {one.source}
"""


if __name__ == "__main__":
    sys.stdout.write(page())
