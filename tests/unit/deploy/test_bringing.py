"""What a host lacks is brought from where it is; what is nowhere, or another content, stops the run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.deploy import preconditions
from tempo_infra.deploy.bringing import Bring, Stock
from tempo_infra.errors import InputError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Cluster
from tempo_infra.inventory.scaffold import example
from tempo_infra.on_host import manifest
from tempo_infra.on_host.state import Brought, HostState
from tempo_infra.render import render
from tempo_infra.render.bundle import Bundle
from tempo_infra.sizing import size
from tests.unit.archives.images import BASE, Made
from tests.unit.deploy.test_plan import FRESH

NAMES = load(example("single.yaml")).image_names
DIGEST = f"sha256:{'d' * 64}"


def inventory(folder: Path, images: str) -> Path:
    """The example of one host, with another section of images."""
    path = folder / "single.yaml"
    path.write_text(f"{example('single.yaml').read_text()}\nimages:\n{images}")
    return path


def saved(folder: Path, names: tuple[str, ...] = NAMES) -> dict[str, str]:
    """An archive of images of these names, images.tar; the digest of each one's configuration."""
    made = Made()
    found = {name: made.image(name, BASE, name.encode()) for name in names}
    made.write(folder / "images.tar")
    return found


def pinned(folder: Path, contents: dict[str, str], more: str = "") -> Cluster:
    digests = "".join(f"    {name}: {content}\n" for name, content in contents.items())
    text = f"  source: ssh\n  archives: [images.tar]\n{more}  digests:\n{digests}"
    return load(inventory(folder, text))


def bundle_of(cluster: Cluster) -> Bundle:
    [made] = render(cluster, size(cluster))
    return made


def bring(cluster: Cluster, state: HostState) -> tuple[Bring, tuple[str, ...]]:
    with Stock(cluster.images) as stock:
        return stock.bring(bundle_of(cluster), state)


def test_the_tag_says_the_content_and_nobody_pulls_it(tmp_path: Path) -> None:
    contents = saved(tmp_path)
    bundle = bundle_of(pinned(tmp_path, contents))
    wanted = {f"{name}-{content[7:19]}": content for name, content in contents.items()}
    assert bundle.manifest.contents == wanted
    assert set(bundle.images) == set(wanted)
    compose = bundle.file("docker-compose.yml").content.decode()
    assert compose.count("pull_policy: never") == compose.count("image:") == len(bundle.instances)
    assert manifest.parse(bundle.manifest.text).contents == wanted


def test_one_image_may_come_another_way(tmp_path: Path) -> None:
    contents = saved(tmp_path) | {"temporalio/ui:2.50.1": DIGEST}
    more = "  sources: {temporalio/ui: registry}\n  registry: registry.example\n"
    bundle = bundle_of(pinned(tmp_path, contents, more))
    assert f"registry.example/temporalio/ui:2.50.1@{DIGEST}" in bundle.images
    assert not any("temporalio/ui" in name for name in bundle.manifest.contents)
    assert len(bundle.manifest.contents) == len(NAMES) - 1
    compose = bundle.file("docker-compose.yml").content.decode()
    assert compose.count("pull_policy: never") == compose.count("image:") - 1


def test_a_cluster_that_pulls_is_as_it_was(tmp_path: Path) -> None:
    text = "".join(f"    {name}: {DIGEST}\n" for name in NAMES)
    bundle = bundle_of(load(inventory(tmp_path, f"  digests:\n{text}")))
    assert bundle.manifest.contents == {}
    assert b"content" not in bundle.manifest.text.partition(b'"instances"')[2]
    assert b"pull_policy" not in bundle.file("docker-compose.yml").content


def test_what_a_host_lacks_is_sent_once_and_nothing_that_it_has(tmp_path: Path) -> None:
    contents = saved(tmp_path)
    cluster = pinned(tmp_path, contents)
    wanted = bundle_of(cluster).manifest.contents
    found, against = bring(cluster, FRESH)
    assert (found.contents, found.names, against) == (wanted, {}, ())
    assert found.bytes == len(BASE) + sum(map(len, NAMES))  # what they share once
    first, second, *rest = sorted(wanted)
    there = replace(FRESH, images=rest, brought=Brought(nameless=[second]))
    found, against = bring(cluster, there)
    assert (found.contents, found.names) == ({first: wanted[first]}, {second: wanted[second]})
    assert against == ()
    found, against = bring(cluster, replace(FRESH, images=sorted(wanted)))
    assert (found, bool(found), against) == (Bring(), False, ())


def test_an_archive_is_not_opened_where_nothing_is_lacking(tmp_path: Path) -> None:
    cluster = pinned(tmp_path, saved(tmp_path))
    (tmp_path / "images.tar").unlink()
    assert bring(cluster, replace(FRESH, images=list(bundle_of(cluster).images))) == (Bring(), ())
    with pytest.raises(InputError, match=r"images\.tar: there is no such file"):
        bring(cluster, FRESH)


def test_what_the_host_would_go_back_to_is_brought_too(tmp_path: Path) -> None:
    contents = saved(tmp_path, (*NAMES, "postgres:16"))
    cluster = pinned(tmp_path, {name: contents[name] for name in NAMES})
    had = {"postgres:16-0": contents["postgres:16"]}
    there = replace(FRESH, images=list(bundle_of(cluster).images), brought=Brought(gone=had))
    assert bring(cluster, there)[0].contents == had


def test_another_content_under_the_name_and_what_is_nowhere_stop_the_run(tmp_path: Path) -> None:
    contents = saved(tmp_path)
    cluster = pinned(tmp_path, contents | {"postgres:17": DIGEST})
    other = next(name for name in bundle_of(cluster).images if name.startswith("temporalio/ui"))
    found, against = bring(cluster, replace(FRESH, brought=Brought(others=[other])))
    assert other not in found.contents
    assert [words.partition(",")[0].partition(":2")[0].partition(" (")[0] for words in against] == [
        f"{other} is another content on this host than the inventory's".partition(":2")[0],
        f"postgres:17-{'d' * 12}",
    ]
    assert f"`docker rmi {other}` there" in against[0]
    assert "in none of the inventory's images.archives" in against[1]


def test_nothing_runs_by_a_name_alone(tmp_path: Path) -> None:
    """That can't be accepted, either: a host could not tell what it has."""
    saved(tmp_path)
    path = inventory(tmp_path, "  source: ssh\n  archives: [images.tar]\n")
    path.write_text(path.read_text() + "\naccept: [floating-images]\n")
    cluster = load(path)
    [(place, what)] = preconditions.of_inventory(cluster)
    assert "postgres:17" in what
    assert "brought by ssh, and nothing says which content" in what
    assert "images pin" in what
    assert str(path) in place


def test_pin_reads_the_archives(tmp_path: Path) -> None:
    prefixed = tuple(f"registry.example/{name}" for name in NAMES)
    contents = saved(tmp_path, prefixed)
    path = inventory(tmp_path, "  source: ssh\n  archives: [images.tar]\n")
    result = CliRunner().invoke(app, ["images", "pin", "-i", str(path)])
    assert result.exit_code == 0, result.exception
    assert load(path).images.digests == {name: contents[f"registry.example/{name}"] for name in NAMES}
    assert f"{len(NAMES)} of images.archives are pinned" in result.output
    assert preconditions.of_inventory(load(path)) == ()


def test_pin_says_what_is_missing_or_there_twice(tmp_path: Path) -> None:
    saved(tmp_path, NAMES[1:])
    path = inventory(tmp_path, "  source: ssh\n  archives: [images.tar]\n")
    result = CliRunner().invoke(app, ["images", "pin", "-i", str(path)])
    assert isinstance(result.exception, InputError)
    assert re.search(rf"single.yaml:\d+:\d+: none of images.archives has {NAMES[0]}", str(result.exception))
    saved(tmp_path, (*NAMES, f"other.example/{NAMES[0]}"))
    result = CliRunner().invoke(app, ["images", "pin", "-i", str(path)])
    assert f"images.archives have several images of the name {NAMES[0]}" in str(result.exception)


@pytest.mark.parametrize(
    ("images", "why"),
    [
        ("  source: scp\n", "unknown source"),
        ("  sources: {temporalio/iu: ssh}\n", 'runs no image "temporalio/iu" \\(did you mean'),
        ("  sources: {'postgres:17': ssh}\n", "is not the name of an image; write it without a tag"),
        ("  archives: images.tar\n", "images.archives"),
    ],
)
def test_what_is_misspelt_is_said_where_it_stands(images: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=why):
        load(inventory(tmp_path, images))
