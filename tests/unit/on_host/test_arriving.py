"""Images on their way: a cut link goes on, what is not whole is not loaded, nothing passes for another."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from tempo_infra.on_host import arriving, engine
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import Output, StepError
from tempo_infra.on_host.steps import change

DATA = bytes(range(256)) * 40
SHA256 = hashlib.sha256(DATA).hexdigest()
CONTENT, OTHER = f"sha256:{'c' * 64}", f"sha256:{'0' * 64}"
NAME = "postgres:17-cccccccccccc"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.state.mkdir(parents=True)
    return made


class Docker:
    """An engine of the classic store: images by name; `brings` is what the next archive holds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, here: dict[str, str] | None = None) -> None:
        self.here, self.brings, self.fails = dict(here or {}), {NAME: CONTENT}, ""
        self.ran: list[str] = []
        monkeypatch.setattr(engine, "image", self.image)
        monkeypatch.setattr(arriving, "run", self.run)
        monkeypatch.setattr(arriving, "must", self.run)

    def image(self, reference: str, **_: float) -> dict[str, str] | None:
        found = reference if reference in self.here.values() else self.here.get(reference)
        return {"Id": found} if found else None

    def run(self, words: list[str], **_: float) -> Output:
        self.ran.append(words[1])
        if words[1] == "load":
            if self.fails:
                return Output(1, "", self.fails)
            assert Path(words[-1]).read_bytes() == DATA
            self.here |= self.brings
        elif words[1] == "rmi":
            del self.here[words[-1]]
        elif words[1] == "tag":
            self.here[words[3]] = words[2]
        return Output(0, "", "")


def receive(layout: Layout, sha256: str = SHA256) -> int:
    return arriving.receive(layout, change.Receive(sha256, len(DATA))).have


def send(layout: Layout, begin: int, end: int, data: bytes = DATA) -> int:
    step = change.Piece(SHA256, len(DATA), begin, payload=data[begin:end])
    return arriving.piece(layout, step).have


def load(layout: Layout) -> list[str]:
    return arriving.load(layout, change.Load(SHA256, {NAME: CONTENT}, 10.0)).images


def arrived(layout: Layout) -> None:
    receive(layout)
    send(layout, 0, len(DATA))


def test_what_has_come_stays_and_the_rest_follows(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = Docker(monkeypatch)
    assert receive(layout) == 0
    assert send(layout, 0, 4000) == 4000
    assert receive(layout) == 4000  # another connection
    assert send(layout, 4000, len(DATA)) == len(DATA)
    assert load(layout) == [NAME]
    assert docker.here == {NAME: CONTENT}
    assert not layout.arriving.exists()


def test_another_archive_takes_the_place_of_one_that_was_cut(layout: Layout) -> None:
    receive(layout)
    send(layout, 0, 4000)
    assert receive(layout, "0" * 64) == 0
    assert list(layout.arriving.iterdir()) == []


@pytest.mark.parametrize(("begin", "end"), [(0, 10), (8000, 8010), (4001, 4010)])
def test_a_piece_that_does_not_follow_is_refused(begin: int, end: int, layout: Layout) -> None:
    receive(layout)
    send(layout, 0, 4000)
    with pytest.raises(StepError, match="does not follow"):
        send(layout, begin, end)
    assert receive(layout) == 4000


def test_no_more_than_was_announced_is_kept(layout: Layout) -> None:
    receive(layout)
    with pytest.raises(StepError, match="does not follow"):
        send(layout, 0, len(DATA) + 1, DATA + b"x")
    assert receive(layout) == 0


@pytest.mark.parametrize("name", ["../../../etc/passwd", "", "g" * 64, "A" * 64])
def test_an_archive_is_named_by_its_digest_and_lies_nowhere_else(name: str, layout: Layout) -> None:
    with pytest.raises(StepError, match="no name of an archive"):
        receive(layout, name)


def test_a_link_in_its_place_is_not_followed(layout: Layout, tmp_path: Path) -> None:
    receive(layout)
    (tmp_path / "theirs").write_bytes(b"")
    (layout.arriving / f"{SHA256}.tar").symlink_to(tmp_path / "theirs")
    assert receive(layout) == 0
    with pytest.raises(OSError, match="symbolic links"):
        send(layout, 0, 10)
    assert (tmp_path / "theirs").read_bytes() == b""


def test_what_did_not_arrive_as_it_was_sent_is_not_loaded(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = Docker(monkeypatch)
    receive(layout)
    send(layout, 0, len(DATA), DATA[:-1] + b"?")
    with pytest.raises(StepError, match="did not arrive as they were sent") as refused:
        load(layout)
    assert "sends it anew" in refused.value.remedy
    assert (docker.ran, receive(layout)) == ([], 0)
    send(layout, 0, 4000)
    with pytest.raises(StepError, match="did not arrive as they were sent"):
        load(layout)


@pytest.mark.parametrize("had", [{}, {NAME: OTHER}])
def test_an_engine_that_makes_something_else_of_it_is_not_believed(
    had: dict[str, str], layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is taken away again, unless somebody had it before."""
    docker = Docker(monkeypatch, had)
    docker.brings = {NAME: OTHER}
    arrived(layout)
    with pytest.raises(
        StepError, match=r"postgres:17-c{12} is another content on this host than was planned"
    ):
        load(layout)
    assert docker.here == had


def test_a_full_disk_is_said_with_what_to_do(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = Docker(monkeypatch)
    docker.fails = "write /usr/lib/x: no space left on device"
    arrived(layout)
    with pytest.raises(StepError, match="no space left") as refused:
        load(layout)
    assert "make room" in refused.value.remedy
    docker.fails = ""
    assert load(layout) == [NAME]  # it needs not be sent again


def test_a_disk_that_fills_up_meanwhile_keeps_whole_pieces(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(layout)
    send(layout, 0, 4000)
    real = os.pwrite

    def full(descriptor: int, data: bytes, at: int) -> int:
        if at > 4000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[:100], at)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StepError, match="No space left"):
        send(layout, 4000, 8000)
    assert receive(layout) == 4000


def test_a_disk_without_room_is_said_before_anything_comes(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs(layout.state)
    full = os.statvfs_result((*real[:4], 0, *real[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    with pytest.raises(StepError, match="needs 0 MiB, 0 MiB are free"):
        receive(layout)


def test_an_image_that_has_lost_its_name_gets_it_back(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = Docker(monkeypatch, {"dangling": CONTENT})
    arriving.prove(layout, {NAME: CONTENT})
    assert docker.here[NAME] == CONTENT
    del docker.here[NAME]
    arriving.tag(layout, change.Tag({NAME: CONTENT}))
    assert docker.here[NAME] == CONTENT


@pytest.mark.parametrize(
    ("here", "why"), [({}, "is gone from this host"), ({NAME: OTHER}, "is another content on this host")]
)
def test_what_a_generation_needs_is_proved_before_it_is_switched_to(
    here: dict[str, str], why: str, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    Docker(monkeypatch, here)
    with pytest.raises(StepError, match=why):
        arriving.prove(layout, {NAME: CONTENT})
