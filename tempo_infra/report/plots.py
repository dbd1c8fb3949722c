"""Small plots as inline SVG, from the evidence of findings: bursts of durable writes, steal, round trips."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tempo_infra.checks.finding import number
from tempo_infra.report.escaping import markup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.report.result import HostResult

WIDTH, HEIGHT = 320, 120
LOW = 40  # of a plot below another
LEFT, BOTTOM, TOP = 46, 18, 8
LABELS = 8  # more would run into each other
DECADES = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7)  # µs: from a memory's speed to a dead disk's


def bursts(evidence: Mapping[str, Any]) -> str:
    """Draw p50, p99 and the longest of each burst, over time on a logarithmic scale; empty without bursts."""
    rows = [one for one in evidence.get("bursts", ()) if one.get("p50_us", 0) > 0]
    if not rows:
        return ""
    low = max((edge for edge in DECADES if edge <= min(one["p50_us"] for one in rows)), default=1.0)
    high = min((edge for edge in DECADES if edge >= max(one["max_us"] for one in rows)), default=1e7)

    def height(value: float) -> float:
        part = math.log(max(value, low) / low) / math.log(max(high, low * 10) / low)
        return HEIGHT - BOTTOM - min(1.0, part) * (HEIGHT - BOTTOM - TOP)

    step = (WIDTH - LEFT) / len(rows)
    parts = [_grid(low, max(high, low * 10), height)]
    for index, one in enumerate(rows):
        x = LEFT + (index + 0.5) * step
        p50, p99, longest = (height(one[key]) for key in ("p50_us", "p99_us", "max_us"))
        parts.append(f'<line class="range" x1="{x:.1f}" y1="{longest:.1f}" x2="{x:.1f}" y2="{p50:.1f}"/>')
        parts.append(f'<rect class="bar" x="{x - 8:.1f}" y="{p99:.1f}" width="16" height="{p50 - p99:.1f}"/>')
        parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{p50:.1f}" r="3.5"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 4}" text-anchor="middle">{index + 1}</text>')
    about = f"durable writes by burst: p50 {number(evidence.get('p50_us', 0) / 1000, 'ms')}"
    caption = "durable writes, burst by burst: dot p50, bar to p99, line to the longest"
    return _figure(about, caption, "".join(parts))


def distribution(evidence: Mapping[str, Any]) -> str:
    """Draw how many durable writes took how long, as bars on a logarithmic scale; empty without them."""
    bins = [(float(one["up_to_us"]), int(one["n"])) for one in evidence.get("distribution", ())]
    most = max((count for _, count in bins), default=0)
    if not most:
        return ""
    step = (WIDTH - LEFT) / len(bins)
    room = HEIGHT - BOTTOM - TOP
    total = sum(count for _, count in bins)
    parts = [_level(TOP, number(100 * most / total, "%")), _level(HEIGHT - BOTTOM, "0")]
    for index, (up_to, count) in enumerate(bins):
        x, high = LEFT + index * step, room * count / most
        place = f'x="{x + 1:.1f}" y="{HEIGHT - BOTTOM - high:.1f}"'
        parts.append(f'<rect class="bar" {place} width="{max(1.0, step - 2):.1f}" height="{high:.1f}"/>')
        if len(bins) <= LABELS or up_to in DECADES:
            parts.append(f'<text x="{x + step:.1f}" y="{HEIGHT - 4}" text-anchor="end">{_time(up_to)}</text>')
    method = str(evidence.get("method", ""))
    caption = f"durable writes by how long they took, {total} in all" + (f": {method}" if method else "")
    return _figure("durable writes by how long they took", caption, "".join(parts))


def _level(y: float, name: str) -> str:
    line = f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH}" y2="{y:.1f}"/>'
    return f'{line}<text x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{name}</text>'


def _time(us: float) -> str:
    return number(us, "µs") if us < 1000 else number(us / 1000, "ms")  # noqa: PLR2004  # of the next unit


def _grid(low: float, high: float, height: Any) -> str:  # noqa: ANN401 - a function of one number
    return "".join(_level(height(edge), _time(edge)) for edge in DECADES if low <= edge <= high)


def steal(evidence: Mapping[str, Any]) -> str:
    """Draw steal under load and since boot as two bars; empty when it was not measured."""
    bars = [
        (name, float(evidence[key]))
        for name, key in (("under load", "percent"), ("since boot", "since_boot_percent"))
        if isinstance(evidence.get(key), int | float)
    ]
    if not bars:
        return ""
    window = [float(one) for one in evidence.get("parts", ()) if isinstance(one, int | float)]
    scale = max(10.0, *(value for _, value in bars), *window)
    parts = []
    for index, (name, value) in enumerate(bars):
        y, room = 10 + index * 34, WIDTH - 150
        parts.append(f'<text x="70" y="{y + 14}" text-anchor="end">{name}</text>')
        parts.append(f'<rect class="rail" x="78" y="{y}" width="{room}" height="20"/>')
        parts.append(f'<rect class="bar" x="78" y="{y}" width="{room * value / scale:.1f}" height="20"/>')
        parts.append(f'<text x="{86 + room}" y="{y + 14}">{number(value, "%")}</text>')
    top = 34 * len(bars) + 8
    if window:
        parts.append(_over_time(window, scale, top))
    over = f"; below it, the {number(float(evidence.get('window_s', 0)), 's')} under load" if window else ""
    return _figure(
        "CPU time taken by the hypervisor",
        f"CPU time taken by the hypervisor (steal); full width and height {number(scale, '%')}{over}",
        "".join(parts),
        height=top + (LOW if window else 0),
    )


def _over_time(window: Sequence[float], scale: float, top: float) -> str:
    """Draw the parts of the window beside each other."""
    room = WIDTH - 150
    step = room / len(window)
    bars = "".join(
        f'<rect class="bar" x="{78 + index * step + 1:.1f}" y="{top + (LOW - 4) * (1 - value / scale):.1f}"'
        f' width="{step - 2:.1f}" height="{(LOW - 4) * value / scale:.1f}"/>'
        for index, value in enumerate(window)
    )
    rail = f'<rect class="rail" x="78" y="{top}" width="{room}" height="{LOW - 4}"/>'
    return f'<text x="70" y="{top + 22}" text-anchor="end">over time</text>{rail}{bars}'


def round_trips(hosts: Sequence[HostResult]) -> str:
    """Make the matrix of round trips between hosts, as a table; empty when none was measured."""
    times: dict[tuple[str, str], float] = {}
    for host in hosts:
        for finding in host.findings:
            p50 = finding.evidence.get("p50_ms")
            if finding.id == "net.rtt" and isinstance(p50, int | float):
                times[host.name, str(finding.evidence.get("peer", finding.subject))] = float(p50)
    if not times:
        return ""
    names = [host.name for host in hosts]
    names += [name for name in dict.fromkeys(to for _, to in times) if name not in names]
    head = "".join(f"<th scope=col>{markup(name)}</th>" for name in names)
    rows = "".join(
        f"<tr><th scope=row>{markup(one)}</th>"
        + "".join(f"<td>{_cell(times.get((one, to)), same=one == to)}</td>" for to in names)
        + "</tr>"
        for one in names
        if any(start == one for start, _ in times)
    )
    return (
        "<section><h2>Round trips, p50 in ms</h2><div class=wide><table class=matrix>"
        f"<tr><th>from ↓ to →</th>{head}</tr>{rows}</table></div></section>"
    )


def _cell(p50_ms: float | None, *, same: bool) -> str:
    return "·" if same else "?" if p50_ms is None else number(p50_ms)


def _figure(about: str, caption: str, inner: str, height: int = HEIGHT) -> str:
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{markup(about)}">{inner}</svg>'
        f"<figcaption>{markup(caption)}</figcaption></figure>"
    )
