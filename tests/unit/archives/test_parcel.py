"""What is sent: each layer once, compressed, compared, the same bytes for the same images."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tempo_infra.archives import Packing, Parcel, Saved
from tempo_infra.errors import InputError
from tests.unit.archives.images import BASE, Made, digest

NAME, OTHER = "postgres:17-0a0a0a0a0a0a", "temporalio/ui:2.50.1-0b0b0b0b0b0b"


@pytest.fixture
def packing() -> Iterator[Packing]:
    with closing(Packing()) as made:
        yield made


def whole(parcel: Parcel, piece: int = 1000) -> bytes:
    return b"".join(parcel.read(at, piece) for at in range(0, parcel.length, piece))


def unpacked(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]


@pytest.mark.parametrize("packed", [False, True])
def test_it_is_an_archive_of_the_wanted_images_by_the_wanted_names(
    packing: Packing, tmp_path: Path, *, packed: bool
) -> None:
    made = Made()
    first = made.image("postgres:17", BASE, b"the database", packed=packed)
    second = made.image("temporalio/ui:2.50.1", BASE, b"the UI", packed=packed)
    made.image("somebody/else:1", b"left here")
    with Saved(made.write(tmp_path / "x.tar")) as saved:
        by_content = {one.content: one for one in saved.images}
        parcel = packing.parcel({NAME: by_content[first], OTHER: by_content[second]})
        data = whole(parcel)
    files = unpacked(data)
    assert hashlib.sha256(data).hexdigest() == parcel.sha256
    assert (len(data), parcel.contents) == (parcel.length, {NAME: first, OTHER: second})
    assert parcel.unpacked == len(BASE) + len(b"the database") + len(b"the UI")
    listed = {one["RepoTags"][0]: one for one in json.loads(files.pop("manifest.json"))}
    assert {name: digest(files.pop(one["Config"])) for name, one in listed.items()} == parcel.contents
    layers = [gzip.decompress(files[path]) for path in listed[NAME]["Layers"]]
    assert layers == [BASE, b"the database"]
    assert len(files) == 3  # the layer that both have is there once, and no stranger's
    assert len(data) < len(BASE)


def test_the_same_images_make_the_same_bytes_whoever_was_first(tmp_path: Path) -> None:
    made = Made()
    made.image("postgres:17", BASE, b"the database")
    made.image("temporalio/ui:2.50.1", BASE, b"the UI")
    seen = set()
    with Saved(made.write(tmp_path / "x.tar")) as saved:
        first, second = saved.images
        for before in ({}, {"a:1": first}, {"b:1": second}):
            with closing(Packing()) as packing:
                packing.parcel(before)
                parcel = packing.parcel({OTHER: second, NAME: first})
                seen.add((parcel.sha256, whole(parcel), whole(parcel, 77)))
    [(sha256, data, again)] = seen
    assert data == again
    assert hashlib.sha256(data).hexdigest() == sha256


@pytest.mark.parametrize("packed", [False, True])
def test_a_layer_that_is_not_what_its_image_says_is_refused(
    packing: Packing, tmp_path: Path, *, packed: bool
) -> None:
    made = Made()
    made.image("postgres:17", BASE, packed=packed)
    [path] = made.listed[0]["Layers"]
    made.files[path] = gzip.compress(b"other") if packed else b"other"
    refused = pytest.raises(InputError, match=r"x\.tar: it is damaged: a layer is not what sha256:")
    with Saved(made.write(tmp_path / "x.tar")) as saved, refused:
        packing.parcel({NAME: saved.images[0]})


@pytest.mark.parametrize("head", [b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd"])
def test_a_layer_that_only_looks_compressed_is_refused(head: bytes, packing: Packing, tmp_path: Path) -> None:
    made = Made()
    made.image("postgres:17", head + b"no such thing" * 10)
    with Saved(made.write(tmp_path / "x.tar")) as saved, pytest.raises(InputError, match=r"damaged|zstd"):
        packing.parcel({NAME: saved.images[0]})


def test_an_archive_that_shrinks_meanwhile_is_an_error_and_no_hang(packing: Packing, tmp_path: Path) -> None:
    made = Made()
    made.image("postgres:17", BASE, packed=True)
    path = made.write(tmp_path / "x.tar")
    with Saved(path) as saved:
        parcel = packing.parcel({NAME: saved.images[0]})
        path.write_bytes(path.read_bytes()[:700])
        with pytest.raises(InputError, match="got shorter"):
            whole(parcel)
