"""Images out of a host: as much as it said, in time, and nothing of it believed."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from tempo_infra import trees
from tempo_infra.archives import Saved
from tempo_infra.deploy import fetching
from tempo_infra.deploy.fetching import SPARE_BYTES, names_of, receive
from tempo_infra.deploy.session import Sudo
from tempo_infra.errors import StepFailedError, UnreachableError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Images, ImageSource
from tempo_infra.inventory.scaffold import example
from tests.unit.archives.images import Made

NONCE = "0a1b2c"
ID = f"sha256:{'c' * 64}"
DIGEST = f"sha256:{'d' * 64}"


class Script:
    """A process that says these lines, then sends this."""

    def __init__(self, lines: list[str], sends: bytes = b"", piece: int = 1000, err: bytes = b"") -> None:
        self.lines, self.sends, self.piece, self.stderr = lines, sends, piece, err

    def read_line(self, **_: Any) -> bytes:
        return f"{self.lines.pop(0)}\n".encode() if self.lines else b""

    def read_some(self, most: int, *, check: Any, **_: Any) -> bytes:
        check()
        part, self.sends = self.sends[: min(most, self.piece)], self.sends[self.piece :]
        return part


def received(script: Script) -> tuple[bool, bytes]:
    taken = bytearray()
    found = receive(script, NONCE, "db-1", taken.extend)  # type: ignore[arg-type]
    return found, bytes(taken)


def test_what_a_login_shell_says_is_skipped_and_the_rest_unpacked() -> None:
    data = b"an archive" * 1000
    script = Script(["Welcome!", "tempo-infra", f"{NONCE} {ID} 9000"], gzip.compress(data))
    assert received(script) == (True, data)
    assert received(Script(["tempo-infra", f"{NONCE} "])) == (False, b"")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (Script([f"{NONCE} {ID} -1"]), "makes no sense"),
        (Script([f"{NONCE} latest 10"]), "makes no sense"),
        (Script([f"{NONCE} {ID} 9999999999999"]), "makes no sense"),
        (
            Script([], err=b"sudo: a password is required\n"),
            "no answer of docker: sudo: a password is required",
        ),
        (Script(["x" * 1000] * 2000), "no answer of docker"),
        (Script([f"{NONCE} {ID} 10"], b"not gzip"), "not what gzip makes"),
        (
            Script([f"{NONCE} {ID} 10"], gzip.compress(b"x" * 10)[:-9], err=b"no space\n"),
            r"is cut \(no space\)",
        ),
        (Script([f"{NONCE} {ID} 10"]), "is cut"),
    ],
)
def test_what_a_host_says_is_not_believed(script: Script, why: str) -> None:
    with pytest.raises(UnreachableError, match=why):
        received(script)


@pytest.mark.parametrize("piece", [1000, 1 << 20])
def test_more_than_it_said_is_not_taken(piece: int) -> None:
    bomb = gzip.compress(b"\0" * (SPARE_BYTES + 10_000_000), compresslevel=1)
    taken = 0

    def take(data: bytes) -> None:
        nonlocal taken
        taken += len(data)

    with pytest.raises(UnreachableError, match="sends more than the 65 MiB that it said"):
        receive(Script([f"{NONCE} {ID} 1000"], bomb, piece), NONCE, "db-1", take)  # type: ignore[arg-type]
    assert taken <= SPARE_BYTES + 1100


def test_one_that_trickles_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "AT_LEAST_S", -(10.0**9))
    with pytest.raises(UnreachableError, match="too slow for its size"):
        received(Script([f"{NONCE} {ID} 10"], gzip.compress(b"x")))


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (Images("", {}), ["postgres:17"]),
        (
            Images("r.example:5000", {"postgres:17": DIGEST}),
            [
                f"r.example:5000/postgres:17@{DIGEST}",
                f"r.example:5000/postgres@{DIGEST}",
                DIGEST,
                "r.example:5000/postgres:17",
                "postgres:17",
            ],
        ),
        (
            Images("", {"postgres:17": DIGEST}, source=ImageSource.SSH),
            [f"postgres:17-{'d' * 12}", f"postgres@{DIGEST}", DIGEST, "postgres:17"],
        ),
    ],
)
def test_a_host_is_asked_for_every_name_that_it_may_have(images: Images, names: list[str]) -> None:
    assert names_of(images, "postgres:17") == names


def test_each_image_comes_from_the_first_host_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = load(example("oslo-trio.yaml"))
    first, *others = cluster.image_names
    contents: dict[str, str] = {}

    def fetch(host: Any, _: Sudo, names: list[str], into: int) -> bool:
        name = names[-1]
        if host.name != ("db-1" if name == first else "history-1"):
            return False
        made = Made()
        contents[name] = made.image("whatever:1", b"shared" * 1000, name.encode())
        (tmp_path / "sent").mkdir(exist_ok=True)
        trees.write_all(into, made.write(tmp_path / "sent/x.tar").read_bytes())
        return True

    monkeypatch.setattr(fetching, "_fetch", fetch)
    said: list[str] = []
    path = tmp_path / "images.tar"
    found = fetching.save(cluster, cluster.hosts, Sudo(), path, said.append)
    assert found == contents
    assert next(line.partition(":")[0] for line in said) == first.partition(":")[0]
    with Saved(path) as saved:
        assert {one.names: one.content for one in saved.images} == {
            (n,): contents[n] for n in cluster.image_names
        }
    assert path.stat().st_mode & 0o777 == 0o600

    monkeypatch.setattr(fetching, "_fetch", lambda *_: False)
    before = path.read_bytes()
    with pytest.raises(StepFailedError, match=rf"no host has {first} \(asked: front-1, history-1, db-1\)"):
        fetching.save(cluster, cluster.hosts, Sudo(), path, said.append)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []
    assert others
