"""What an image in an archive is, its own configuration says; what does not fit is refused in one line."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_infra.archives import Saved
from tempo_infra.archives.saved import MOST_TEXT_BYTES
from tempo_infra.errors import InputError
from tests.unit.archives.images import BASE, Made, postgres


def test_images_are_known_by_the_digest_of_their_configuration(tmp_path: Path) -> None:
    made = Made()
    first = made.image("postgres:17", BASE, b"the database")
    second = made.image("registry.example:5000/temporalio/ui:2.50.1", BASE, b"the UI")
    with Saved(made.write(tmp_path / "x.tar")) as saved:
        assert [(one.content, one.names) for one in saved.images] == [
            (first, ("postgres:17",)),
            (second, ("registry.example:5000/temporalio/ui:2.50.1",)),
        ]
        assert saved.images[0].bytes == len(BASE) + len(b"the database")


def test_a_layer_that_is_named_by_a_link_is_looked_up_in_the_archive(tmp_path: Path) -> None:
    """Docker before 25 writes a layer once: `b/layer.tar` -> `../a/layer.tar`."""
    made = Made()
    made.image("postgres:17", BASE)
    [path] = made.listed[0]["Layers"]
    made.files["a/layer.tar"] = made.files.pop(path)
    made.listed[0]["Layers"], made.links["b/layer.tar"] = ["b/layer.tar"], "../a/layer.tar"
    with Saved(made.write(tmp_path / "x.tar")) as saved:
        assert saved.images[0].bytes == len(BASE)


@pytest.mark.parametrize("target", ["/etc/shadow", "../../../etc/shadow", "layer.tar", "../b/layer.tar"])
def test_a_link_that_leads_elsewhere_is_followed_nowhere(target: str, tmp_path: Path) -> None:
    made = Made(links={"b/layer.tar": target})
    made.image("postgres:17", BASE)
    made.listed[0]["Layers"] = ["b/layer.tar"]
    with pytest.raises(InputError, match="is missing in it"):
        Saved(made.write(tmp_path / "x.tar"))


def listed(change: Callable[[dict[str, object]], object]) -> Callable[[Made], object]:
    return lambda made: change(made.listed[0])


def config(text: bytes) -> Callable[[Made], object]:
    return lambda made: made.files.update({made.listed[0]["Config"]: text})


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda made: made.listed.clear(), "names no images"),
        (listed(lambda one: one.pop("Config")), "is not one of images"),
        (listed(lambda one: one.update(Layers=7)), "is not one of images"),
        (listed(lambda one: one.update(Layers=[])), "has 2 layers, the manifest.json 0"),
        (listed(lambda one: one.update(Config="../../etc/passwd")), "is missing in it"),
        (config(b"{"), "no JSON"),
        (config(b"[" * 100_000), "no JSON"),
        (config(b'{"rootfs": {"type": "layers", "diff_ids": ["x", "y"]}}'), "names no layers"),
        (config(b'{"rootfs": 7}'), "names no layers"),
        (config(b" " * (MOST_TEXT_BYTES + 1)), "is larger than 4 MiB"),
        (lambda made: made.files.pop(made.listed[0]["Layers"][1]), "is missing in it"),
    ],
)
def test_what_docker_does_not_write_is_refused(
    damage: Callable[[Made], object], why: str, tmp_path: Path
) -> None:
    made = Made()
    made.image("postgres:17", BASE, b"the database")
    damage(made)
    with pytest.raises(InputError, match=why) as refused:
        Saved(made.write(tmp_path / "x.tar"))
    assert str(refused.value).startswith(f"{tmp_path}/x.tar: is no archive of images: ")


def test_no_manifest_a_compressed_archive_and_none_at_all(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz"):
        pass
    with pytest.raises(InputError, match="it is no tar archive") as refused:
        Saved(tmp_path / "a.tar.gz")
    assert "do not compress it" in refused.value.remedy
    with pytest.raises(InputError, match="there is no such file") as refused:
        Saved(tmp_path / "b.tar")
    assert refused.value.remedy == f"docker save -o {tmp_path}/b.tar NAME:TAG ..."
    with tarfile.open(tmp_path / "c.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("x"))
    with pytest.raises(InputError, match=r"'manifest.json' is missing in it"):
        Saved(tmp_path / "c.tar")


def test_an_archive_is_not_reached_through_a_link_or_a_strangers_hands(tmp_path: Path) -> None:
    path, _ = postgres(tmp_path / "x.tar")
    (tmp_path / "y.tar").symlink_to(path)
    with pytest.raises(InputError, match="links are not followed"):
        Saved(tmp_path / "y.tar")
    path.chmod(0o666)
    with pytest.raises(InputError, match="everybody on this machine may change it"):
        Saved(path)


def test_names_that_no_image_has_are_left_out(tmp_path: Path) -> None:
    made = Made()
    made.image("postgres:17", BASE)
    made.listed[0]["RepoTags"] = ["postgres:17", "a\x1b[31m", "--all"]
    with Saved(made.write(tmp_path / "x.tar")) as saved:
        assert saved.images[0].names == ("postgres:17",)
    assert json.loads(json.dumps(made.listed))
