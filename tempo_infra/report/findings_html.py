"""The check report as one HTML file: no script, nothing fetched; for phones, print, a provider's support."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_infra import __version__
from tempo_infra.checks.finding import Finding, Outcome
from tempo_infra.report import plots
from tempo_infra.report.escaping import markup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tempo_infra.report.result import CheckRun, HostResult

SYMBOLS = {Outcome.PASS: "✓", Outcome.WARN: "!", Outcome.FAIL: "✗", Outcome.UNKNOWN: "?", Outcome.SKIP: "-"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_QUIET = (Outcome.PASS, Outcome.SKIP)
_STYLE = """
:root{--fg:#1c2126;--dim:#5b6670;--line:#d8dee4;--bg:#fff;--pass:#1a7f37;--warn:#8a5a00;--fail:#c11d2b;
--unknown:#7a3ea8;--bar:#4a7fb5;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--fg:#e6e9ec;--dim:#9aa5b0;--line:#3a424a;--bg:#15191d;--pass:#4ac26b;
--warn:#d9a13a;--fail:#ff7b72;--unknown:#c297ee;--bar:#6ba3dc}}
*{box-sizing:border-box}
body{font:15px/1.45 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:60rem;margin:0 auto;
padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.15rem;margin:0}
section{border:1px solid var(--line);border-radius:8px;padding:1rem;margin:1rem 0}
.dim,figcaption,.note{color:var(--dim);font-size:.87em}
.verdict{font-weight:600;margin:.5rem 0}
.totals span{display:inline-block;margin-right:1em;font-weight:600}
ul{list-style:none;margin:.6rem 0;padding:0}
li{display:grid;grid-template-columns:1.4em minmax(8.5em,11em) 1fr;gap:0 .6em;padding:.35em 0;
border-top:1px solid var(--line)}
li>.id{font-family:ui-monospace,monospace;font-size:.9em}
li>.symbol{font-weight:700;text-align:center}
.pass .symbol,.totals .pass{color:var(--pass)}.warn .symbol,.totals .warn{color:var(--warn)}
.fail .symbol,.totals .fail{color:var(--fail)}.unknown .symbol,.totals .unknown{color:var(--unknown)}
.wanted{color:var(--dim)}.wanted::before{content:" · wanted "}
.remedy{display:block;margin-top:.15em}.remedy::before{content:"→ ";color:var(--dim)}
summary{cursor:pointer;color:var(--dim)}
.plots{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:.5rem 0;flex:1 1 15rem;max-width:18.5rem}
svg{width:100%;height:auto;display:block}
svg text{font:10px system-ui,sans-serif;fill:var(--dim)}
.grid{stroke:var(--line)}.range{stroke:var(--bar);stroke-width:1}.bar{fill:var(--bar);opacity:.65}
.rail{fill:none;stroke:var(--line)}.dot{fill:var(--fg)}
.wide{overflow-x:auto}.matrix{border-collapse:collapse;margin-top:.6rem}
.matrix th,.matrix td{border:1px solid var(--line);padding:.3em .7em;text-align:right;font-weight:400}
@media(max-width:34rem){figure{max-width:none}body{padding:.5rem}section{padding:.7rem}
li{grid-template-columns:1.4em 1fr}li>.what{grid-column:2}}
@media print{body{max-width:none;font-size:10pt;color:#000;background:#fff}
section,li,figure{break-inside:avoid}figure{flex:1 1 30%;max-width:31%}section.host{break-inside:auto}
details::details-content{content-visibility:visible!important;height:auto!important}summary{display:none}}
"""


def write(run: CheckRun) -> Iterable[str]:
    """Give one page; its policy forbids the browser to load or run anything."""
    title = "check-host: " + ", ".join(host.name for host in run.hosts[:4])
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{markup(title)}</title><style>{_STYLE}</style></head><body>\n"
    )
    yield f"<header><h1>check-host</h1><p class=totals>{_totals(run)}</p></header>\n"
    for host in run.hosts:
        yield from _host(host)
    yield plots.round_trips(run.hosts)
    yield from _diagnosis(run)
    if run.changes is not None:
        lines = "".join(f"<p>{markup(one.line)}</p>" for one in run.changes)
        yield f"<section><h2>Changes</h2>{lines or '<p>none</p>'}</section>\n"
    yield f"<footer class=dim>tempo-infra {markup(__version__)} · exit {int(run.exit_code)}</footer>\n"
    yield "</body></html>\n"


def _diagnosis(run: CheckRun) -> Iterator[str]:
    if not run.symptom:
        return
    marks = {"supported": Outcome.FAIL, "not measurable": Outcome.UNKNOWN, "ruled out": Outcome.PASS}
    yield f"<section><h2>Diagnosis: {markup(run.symptom)}</h2><ul>\n"
    for one in run.diagnosis:
        mark = marks[one.standing.value]
        lines = "".join(f"<br><span class=note>{markup(line)}</span>" for line in one.evidence)
        remedy = f"<span class=remedy>{markup(one.next)}</span>" if one.next else ""
        yield (
            f'<li class="{mark}"><span class=symbol>{SYMBOLS[mark]}</span>'
            f"<span class=id>{one.standing}</span>"
            f"<span class=what>{markup(one.cause)}: {markup(one.how)}{lines}{remedy}</span></li>\n"
        )
    yield "</ul></section>\n"


def _totals(run: CheckRun) -> str:
    return "".join(
        f'<span class="{outcome}">{number} {outcome}</span>'
        for outcome, number in reversed(run.totals.items())
        if number
    )


def _host(host: HostResult) -> Iterator[str]:
    parts = dict.fromkeys(part for part in (host.name, host.class_name, host.address) if part)
    yield f"<section class=host><h2>{markup(' · '.join(parts))}</h2>\n"
    if host.error:
        remedy = f"<span class=remedy>{markup(host.remedy)}</span>" if host.remedy else ""
        yield '<ul><li class="unknown"><span class=symbol>?</span><span class=id>host</span>'
        yield f"<span class=what>{markup(host.error)}{remedy}</span></li></ul></section>\n"
        return
    yield f"<p class=dim>{markup(host.system)} · measured in {host.seconds:.1f} s</p>\n"
    yield f"<p class=verdict>{markup(host.verdict)}</p>\n" if host.verdict else ""
    yield _plots(host)
    yield from _list([one for one in host.findings if one.outcome not in _QUIET])
    folded = [one for one in host.findings if one.outcome in _QUIET]
    if folded:
        yield f"<details><summary>{len(folded)} passed or skipped</summary>\n"
        yield from _list(folded)
        yield "</details>\n"
    yield "</section>\n"


def _plots(host: HostResult) -> str:
    writes = [one.evidence for one in host.findings if one.id == "disk.fsync"]
    drawn = [_drawn(draw, one) for one in writes for draw in (plots.bursts, plots.distribution)]
    drawn += [_drawn(plots.steal, one.evidence) for one in host.findings if one.id == "cpu.steal"]
    return f"<div class=plots>{''.join(drawn)}</div>\n" if any(drawn) else ""


def _drawn(draw: Callable[[Mapping[str, Any]], str], evidence: Mapping[str, Any]) -> str:
    """Draw what a host has measured; numbers that nothing can be make no picture, and end no report."""
    try:
        return draw(evidence)
    except (ArithmeticError, ValueError, TypeError, LookupError, AttributeError):
        return ""


def _list(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        return
    yield "<ul>\n"
    for one in findings:
        found = f"{one.subject}: {one.found}" if one.subject else one.found
        wanted = f"<span class=wanted>{markup(one.wanted)}</span>" if one.wanted else ""
        note = f"<br><span class=note>{markup(one.note)}</span>" if one.note else ""
        remedy = f"<span class=remedy>{markup(one.remedy)}</span>" if one.remedy else ""
        yield (
            f'<li class="{one.outcome}">'
            f'<span class=symbol title="{one.outcome}">{SYMBOLS[one.outcome]}</span>'
            f'<span class=id title="{markup(one.title)}">{markup(one.id)}</span>'
            f"<span class=what>{markup(found)}{wanted}{note}{remedy}</span></li>\n"
        )
    yield "</ul>\n"
