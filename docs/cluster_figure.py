"""A cluster as one figure: what runs on which host, and who reaches what. SVG, of an inventory alone.

Hosts stand side by side between two sets of lines: from above come those outside, from below hosts reach each
other. Arrows end at what is reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from tempo_infra import components
from tempo_infra.components.component import Reach
from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.sizing import Settings

GIB = 1 << 30
WIDTH, GAP, ROW, MARGIN = 270, 30, 34, 24  # of a host, between hosts, of a service, around it all
LEFT, NAMED = 206, 150  # where hosts begin; of those outside, who stand before that
HEAD, LANE = 84, 56  # of a host's card; between lines
NARROWEST = 560  # for what is written at the lines
COLOURS = {
    Role.FRONTEND: "#2563eb",
    Role.HISTORY: "#7c3aed",
    Role.MATCHING: "#0891b2",
    Role.WORKER: "#64748b",
    Role.UI: "#db2777",
    Role.POSTGRESQL: "#15803d",
}
CLIENTS, PERSON, MEMBERS, SQL = "#2563eb", "#b45309", "#7c3aed", "#15803d"
STYLE = (
    "text{font:14px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1e293b}"
    ".host{font-size:17px;font-weight:700}.small{font-size:12px;fill:#64748b}.service{fill:#fff;font-weight:600}"
    ".port{fill:#fff;font-size:12px}.outside{font-weight:700}"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One way to reach hosts: a horizontal line with a stub at each host that begins or ends there."""

    colour: str
    text: str
    to: tuple[int, ...]  # hosts' numbers, where an arrow ends
    since: tuple[int, ...] = ()  # where it begins, if not outside
    at: float = 0.5  # of a host's width, where the stubs meet it


def figure(cluster: Cluster, settings: Settings) -> str:
    """Return the SVG of a cluster."""
    hosts = cluster.hosts
    above, below = outside(hosts), inside(hosts)
    tallest = max(len(host.roles) for host in hosts)
    top = MARGIN + LANE * len(above) + 34
    bottom = top + HEAD + ROW * tallest + 10
    width = max(LEFT + len(hosts) * (WIDTH + GAP) + MARGIN, NARROWEST)
    height = bottom + 24 + LANE * len(below) + 2 * MARGIN
    network = (LEFT - 14, top - 26, width - LEFT - MARGIN + 8, height - top + 26 - MARGIN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(cluster.name)}: what runs where, and who reaches what</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" rx="10" fill="#f8fafc"/>',
        _box(network, fill="#eef2ff", stroke="#a5b4fc", dash=True),
        _text(network[0] + 14, network[1] + network[3] - 12, "the hosts' private network", "small"),
        *(
            piece
            for number, line in enumerate(above)
            for piece in _from_outside(line, MARGIN + 20 + LANE * number, top)
        ),
        *(
            piece
            for number, line in enumerate(below)
            for piece in _between(line, bottom + 34 + LANE * number, bottom)
        ),
        *(
            piece
            for number, host in enumerate(hosts)
            for piece in _card(host, settings, _x(number), top, bottom)
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def outside(hosts: tuple[Host, ...]) -> list[tuple[str, Line]]:
    grpc = components.port("frontend", "grpc")
    return [
        ("you, and CI", Line(PERSON, "ssh, 22: tempo-infra, the UI through a tunnel", _all(hosts), at=0.72)),
        ("workers, clients", Line(CLIENTS, f"gRPC, {grpc}", _with(hosts, Role.FRONTEND), at=0.28)),
    ]


def inside(hosts: tuple[Host, ...]) -> list[Line]:
    temporal = tuple(n for n, host in enumerate(hosts) if host.temporal_roles)
    grpc = [components.port(role, "grpc") for role in TEMPORAL_ROLES]
    membership = [components.port(role, "membership") for role in TEMPORAL_ROLES]
    ranges = f"gRPC, {min(grpc)} to {max(grpc)}; membership, {min(membership)} to {max(membership)}"
    sql = components.port("postgresql", "sql")
    lines = [
        Line(
            SQL,
            f"SQL, {sql}",
            _with(hosts, Role.POSTGRESQL),
            temporal,
            at=0.72,
        ),
        Line(MEMBERS, f"Temporal's services: {ranges}", temporal, at=0.28),
    ]
    return [line for line in lines if len({*line.to, *line.since}) > 1]


def _all(hosts: tuple[Host, ...]) -> tuple[int, ...]:
    return tuple(range(len(hosts)))


def _with(hosts: tuple[Host, ...], role: Role) -> tuple[int, ...]:
    return tuple(number for number, host in enumerate(hosts) if role in host.roles)


def _x(number: int) -> int:
    return LEFT + number * (WIDTH + GAP)


def _from_outside(named: tuple[str, Line], y: int, top: int) -> Iterator[str]:
    who, line = named
    ends = [_x(number) + round(WIDTH * line.at) for number in line.to]
    yield _box((MARGIN, y - 18, NAMED, 36), fill="#fff", stroke=line.colour)
    yield _text(MARGIN + NAMED / 2, y + 5, who, "outside", anchor="middle")
    yield _path(f"M{MARGIN + NAMED} {y}H{ends[-1]}", line.colour)
    yield from (
        _path(f"M{x} {y}V{top - 9}", line.colour) + _arrow(x, top, line.colour, down=True) for x in ends
    )
    yield _text(LEFT + 6, y - 8, line.text)


def _between(line: Line, y: int, bottom: int) -> Iterator[str]:
    ends = {number: _x(number) + round(WIDTH * line.at) for number in {*line.to, *line.since}}
    yield _path(f"M{min(ends.values())} {y}H{max(ends.values())}", line.colour)
    for number, x in sorted(ends.items()):
        reached = number in line.to
        yield _path(f"M{x} {y}V{bottom + (9 if reached else 0)}", line.colour)
        if reached:
            yield _arrow(x, bottom, line.colour, down=False)
    yield _text(min(ends.values()) + 10, y + 18, line.text)


def _card(host: Host, settings: Settings, x: int, top: int, bottom: int) -> Iterator[str]:
    have = host.resources
    size = f"{have.vcpu} vCPU, {have.memory_bytes / GIB:.0f} GiB, {have.disk.kind}"
    yield _box((x, top, WIDTH, bottom - top), fill="#fff", stroke="#334155")
    yield _text(x + 14, top + 26, host.name, "host")
    yield _text(x + WIDTH - 14, top + 26, host.instance_class.name, "small", anchor="end")
    yield _text(x + 14, top + 46, size, "small")
    yield _text(x + 14, top + 64, f"{host.internal} inside, {host.ssh.address} for ssh", "small")
    for number, role in enumerate(sorted(host.roles, key=list(COLOURS).index)):
        y = top + HEAD - 4 + ROW * number
        memory = next(
            (
                one.memory_bytes
                for one in settings.host(host.name).containers
                if one.role is role and not one.job
            ),
            0,
        )
        yield _box((x + 12, y, WIDTH - 24, ROW - 6), fill=COLOURS[role], stroke="none")
        yield _text(x + 24, y + 19, "PostgreSQL" if role is Role.POSTGRESQL else role.value, "service")
        yield _text(x + WIDTH - 24, y + 19, f"{_port(role)} · {_memory(memory)}", "port", anchor="end")


def _port(role: Role) -> str:
    first, *_ = components.of(role).ports
    return f"{first.number}, loopback" if first.reach is Reach.OPERATORS else str(first.number)


def _memory(size: int) -> str:
    return f"≤ {size / GIB:.1f} GiB" if size >= GIB else f"≤ {size >> 20} MiB"


def _box(place: tuple[float, float, float, float], *, fill: str, stroke: str, dash: bool = False) -> str:
    """Return a box at x, y of a width and a height."""
    x, y, width, height = place
    more = ' stroke-dasharray="6 4"' if dash else ""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" '
        f'fill="{fill}" stroke="{stroke}"{more}/>'
    )


def _text(x: float, y: float, words: str, kind: str = "", *, anchor: str = "start") -> str:
    more = f" class={quoteattr(kind)}" if kind else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def _path(way: str, colour: str) -> str:
    return f'<path d="{way}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _arrow(x: float, y: float, colour: str, *, down: bool) -> str:
    back = -11 if down else 11
    return f'<path d="M{x} {y}l-6 {back}h12z" fill="{colour}"/>'
