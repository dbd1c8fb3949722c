"""Archives are read by their headers; what no program writes that saves images is refused."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_infra.archives.tar import BLOCK, MOST_HEADER_BYTES, Member, TarError, contents
from tests.unit.archives.images import add


def written(path: Path, fill: Callable[[tarfile.TarFile], object], form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        fill(tar)
    return path


def read(path: Path) -> dict[str, Member]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return contents(descriptor).files
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_are_found_where_they_lie(form: int, tmp_path: Path) -> None:
    long = "a/" * 60 + "file"  # needs a header of its own, or ustar's prefix

    def fill(tar: tarfile.TarFile) -> None:
        add(tar, "folder/", kind=tarfile.DIRTYPE)
        add(tar, "one", b"1" * 700)
        add(tar, long, b"long")
        add(tar, "empty")

    path = written(tmp_path / "x.tar", fill, form)
    data, found = path.read_bytes(), read(path)
    assert list(found) == ["one", long, "empty"]
    assert data[found["one"].offset :][:701] == b"1" * 700 + b"\0"
    assert data[found[long].offset :][: found[long].length] == b"long"
    assert found["empty"].length == 0


def twice(first: str, second: str) -> Callable[[tarfile.TarFile], object]:
    def fill(tar: tarfile.TarFile) -> None:
        add(tar, first, b"1")
        add(tar, second, b"2")

    return fill


def hostile(name: str, **entry: object) -> Callable[[tarfile.TarFile], object]:
    return lambda tar: add(tar, name, **entry)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fill", "why"),
    [
        (hostile("../out", data=b"x"), "leads out of it"),
        (hostile("/etc/passwd", data=b"x"), "leads out of it"),
        (hostile("a/../../b", data=b"x"), "leads out of it"),
        (hostile("a\x1b[31m", data=b"x"), "leads out of it"),
        (hostile("a", kind=tarfile.LNKTYPE, link="b"), "neither file nor folder"),
        (hostile("a", kind=tarfile.CHRTYPE), "neither file nor folder"),
        (hostile("a", kind=tarfile.FIFOTYPE), "neither file nor folder"),
        (hostile("a", kind=tarfile.GNUTYPE_SPARSE), "neither file nor folder"),
        (twice("a", "./a"), "a is in it twice"),
        (lambda _: None, "no tar archive, or an empty one"),
    ],
)
def test_what_is_not_a_plain_file_once_is_refused(
    fill: Callable[[tarfile.TarFile], object], why: str, tmp_path: Path
) -> None:
    with pytest.raises(TarError, match=why):
        read(written(tmp_path / "x.tar", fill))


def pax(**headers: str) -> Callable[[tarfile.TarFile], object]:
    def fill(tar: tarfile.TarFile) -> None:
        entry = tarfile.TarInfo("a")
        entry.pax_headers = {name.replace("__", "."): value for name, value in headers.items()}
        tar.addfile(entry)

    return fill


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"GNU__sparse__major": "1"}, "sparse"),
        ({"size": "99999999999999"}, "ends behind the end"),
        ({"size": "-5"}, "no number"),
        ({"path": "../a"}, "leads out of it"),
        ({"comment": "x" * MOST_HEADER_BYTES}, "too long"),
    ],
)
def test_a_header_that_says_too_much_is_refused(headers: dict[str, str], why: str, tmp_path: Path) -> None:
    with pytest.raises(TarError, match=why):
        read(written(tmp_path / "x.tar", pax(**headers)))


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.tar", lambda tar: add(tar, "one", b"1" * 5000))
    path.write_bytes(path.read_bytes()[: BLOCK + 3000])
    with pytest.raises(TarError, match="it is cut: one ends behind"):
        read(path)


@pytest.mark.parametrize("data", [b"", b"\0" * BLOCK, b"x" * 2000, b"\x1f\x8b" + b"z" * 600])
def test_what_is_no_archive_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(TarError, match="no tar archive"):
        read(tmp_path / "x.tar")


def test_a_damaged_header_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.tar", twice("a", "b"))
    data = bytearray(path.read_bytes())
    data[2 * BLOCK] ^= 1  # the second name, not its sum
    path.write_bytes(data)
    with pytest.raises(TarError, match=f"damaged at byte {2 * BLOCK}"):
        read(path)
