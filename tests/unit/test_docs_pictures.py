"""Pictures in the docs show what the code says and what commands printed; they are small."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from docs import cluster_figure, pictures
from tempo_infra.inventory.cluster import Cluster, Role
from tempo_infra.sizing import size
from tests.unit.sizing.clusters import ALL, cluster, host, solo, trio

IMAGES = sorted(pictures.IMAGES.iterdir())
TEMPORAL = (Role.FRONTEND, Role.HISTORY, Role.MATCHING, Role.WORKER)


def five() -> Cluster:
    """Two frontends, two histories, and the UI beside the database."""
    return cluster(
        host("front-1", Role.FRONTEND, Role.MATCHING, internal="10.0.0.11"),
        host("front-2", Role.FRONTEND, Role.WORKER, internal="10.0.0.12"),
        host("history-1", Role.HISTORY, internal="10.0.0.13"),
        host("history-2", Role.HISTORY, internal="10.0.0.14"),
        host("db-1", Role.POSTGRESQL, Role.UI, internal="10.0.0.15"),
    )


def texts(svg: str) -> list[tuple[float, str]]:
    """All words of a picture in its order, each with how far down it stands."""
    root = ET.fromstring(svg)  # noqa: S314 - our own
    found = root.iter("{http://www.w3.org/2000/svg}text")
    return [(float(text.get("y", 0)), text.text or "") for text in found]


@pytest.mark.parametrize("one", [solo(), trio(), five()], ids=["solo", "trio", "five"])
def test_every_host_and_service_stands_in_the_figure(one: Cluster) -> None:
    words = [text for _, text in texts(cluster_figure.figure(one, size(one)))]
    for machine in one.hosts:
        begin = words.index(machine.name)
        card = words[begin : begin + 4 + 2 * len(machine.roles)]
        assert f"{machine.internal} inside, {machine.ssh.address} for ssh" in card
        named = {"PostgreSQL" if role is Role.POSTGRESQL else role.value for role in machine.roles}
        assert set(card[4::2]) == named


@pytest.mark.parametrize(
    ("one", "clients", "sql", "members"),
    [
        (solo(), (0,), None, None),
        (trio(), (0,), ((2,), (0, 1)), (0, 1)),
        (five(), (0, 1), ((4,), (0, 1, 2, 3)), (0, 1, 2, 3)),
        (cluster(host("one", *ALL), host("two", Role.FRONTEND)), (0, 1), ((0,), (0, 1)), (0, 1)),
    ],
    ids=["solo", "trio", "five", "two"],
)
def test_lines_lead_from_who_reaches_to_what_is_reached(
    one: Cluster,
    clients: tuple[int, ...],
    sql: tuple[tuple[int, ...], tuple[int, ...]] | None,
    members: tuple[int, ...] | None,
) -> None:
    outside = dict(cluster_figure.outside(one.hosts))
    inside = {line.text.partition(",")[0]: line for line in cluster_figure.inside(one.hosts)}
    assert outside["you, and CI"].to == tuple(range(len(one.hosts)))
    assert outside["workers, clients"].to == clients
    assert ((inside["SQL"].to, inside["SQL"].since) if sql else inside.get("SQL")) == sql
    among = inside.get("Temporal's services: gRPC")
    assert (among.to if among else None) == members


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("a\r\nb\r\n", "a\nb\n"),
        ("a\r\nb\r\n\x1b[1A\x1b[2Kc\r\n", "a\nc\n"),  # drawn again
        ("a\x1b[?25l\r\x1b[2K\x1b[1Ab\r\n", "b\n"),
        ("one\r\ntwo\r\n\r\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K1\r\n2\r\n", "1\n2\n"),
        ("\x1b[32m✓\x1b[0m done  \r\n\r\n", "\x1b[32m✓\x1b[0m done\n"),
    ],
)
def test_a_screen_shows_what_was_drawn_last(said: str, shown: str) -> None:
    assert pictures.screen(said) == shown


@pytest.mark.parametrize("path", [one for one in IMAGES if one.suffix == ".ansi"], ids=lambda path: path.name)
def test_a_terminals_picture_has_every_word_of_what_was_printed(path: Path) -> None:
    drawn = texts(path.with_suffix(".svg").read_text())
    lines = ["".join(part for at, part in drawn if at == y) for y in sorted({at for at, _ in drawn})]
    printed = [pictures.CONTROL.sub("", line) for line in path.read_text().splitlines()]
    plain = " ".join(" ".join(lines).split())  # long lines are wrapped
    assert [line for one in printed if (line := " ".join(one.split())) not in plain] == []


def test_pictures_are_small_and_name_no_place_of_the_machine_they_were_made_on() -> None:
    assert {one.suffix for one in IMAGES} <= {".ansi", ".svg", ".png"}
    for one in IMAGES:
        assert one.stat().st_size < 300_000, one
        if one.suffix != ".png":
            places = r"/root|/home|/tmp|https?://(?!www\.w3\.org|localhost)\S+"
            assert re.findall(places, one.read_text()) == [], one
