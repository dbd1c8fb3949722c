"""Asking the Docker engine by its socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.on_host import containers, engine, mounts
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import StepError
from tests.unit.on_host.an_engine import Engine

ANSWERS = {
    "/version": {"Version": "26.1.5+dfsg1"},
    "/images/registry.lab%3A5000/postgres%3A17%40sha256%3Aab/json": {"Id": "sha256:ab"},
    "/containers/a/json": {
        "Id": "a",
        "State": {"StartedAt": "2026-01-01T00:00:00Z", "Running": True},
        "RestartCount": 2,
        "Config": {"Image": "i", "Labels": {"com.docker.compose.service": "history"}},
    },
}


LISTED = [
    {
        "Id": "a",
        "Labels": {"com.docker.compose.service": "history"},
        "Mounts": [
            {"Type": "bind", "Source": "/var/lib/tempo-infra/services/history-3f", "Destination": "/etc"},
            {"Type": "tmpfs", "Destination": "/tmp"},
        ],
    },
    {"Id": "gone", "Labels": {}, "Mounts": None},
]


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    path = tmp_path / "s"
    monkeypatch.setattr(engine, "SOCKET", str(path))
    made = Engine(path, {**ANSWERS, "/containers/json": LISTED})
    yield made
    made.server.close()


def test_its_images(played: Engine) -> None:
    assert engine.has_image("registry.lab:5000/postgres:17@sha256:ab", deadline_s=5)
    assert not engine.has_image("registry.lab:5000/postgres:18", deadline_s=5)


def test_running_containers_are_told_apart_by_id_start_and_restarts(played: Engine, tmp_path: Path) -> None:
    """One that went between the two questions is left out."""
    assert containers.running(Layout(tmp_path)) == {"history": "a,2026-01-01T00:00:00Z,2"}
    assert "com.docker.compose.oneoff" in played.asked[0]
    assert "all=1" not in played.asked[0]


def test_restarts_are_counted_of_those_that_are_down_just_now_too(played: Engine) -> None:
    assert containers.restart_counts() == {"history": 2}
    assert "all=1" in played.asked[0]


def test_nobody_counts_restarts_where_the_engine_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SOCKET", str(tmp_path / "none"))
    assert containers.restart_counts() == {}


def test_mounts_are_those_of_every_container_of_ours(played: Engine) -> None:
    assert mounts.mounted() == {"/var/lib/tempo-infra/services/history-3f"}
    assert "all=1" in played.asked[0]
    assert "oneoff" not in played.asked[0]  # a job reads its files, too


def test_stopped_ones_are_listed_when_asked_for(played: Engine) -> None:
    assert [engine.service_of(one) for one in engine.containers(stopped=True, deadline_s=5)] == ["history"]
    assert played.asked[0].endswith("&all=1")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "no HTTP answer"),
        (b"SSH-2.0\r\n", "no HTTP answer"),
        (b"HTTP/1.0 200 OK\r\n\r\nnot json", "did not answer /version with JSON"),
        (b'HTTP/1.0 500 Oops\r\n\r\n{"message":"server error"}', "with 500: .*server error"),
    ],
)
def test_an_answer_that_is_none_is_an_error_in_words(played: Engine, raw: bytes, words: str) -> None:
    played.raw = raw
    with pytest.raises(StepError, match=words):
        engine.ask("/version", deadline_s=5)


def test_an_engine_that_hangs_ends_at_the_deadline(played: Engine) -> None:
    played.silent.set()
    with pytest.raises(StepError, match=r"gave no answer in 0\.2 s"):
        engine.ask("/version", deadline_s=0.2)


def test_an_engine_that_is_not_there_is_named_as_docker_itself_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SOCKET", str(tmp_path / "none"))
    with pytest.raises(StepError, match=r"Cannot connect to the Docker daemon at unix://.*No such file"):
        engine.ask("/version", deadline_s=1)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_paths_are_quoted_as_the_standard_library_does(text: str) -> None:
    assert engine._quoted(text) == quote(text)


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_a_log_is_what_was_written_and_none_of_the_engines_own_bytes(pieces: list[bytes]) -> None:
    """A length may hold the bytes of a line's end, or of a tab."""
    body = b"".join(bytes([2, 0, 0, 0]) + len(one).to_bytes(4, "big") + one for one in pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_exchange", lambda *_: (200, body))
        assert engine.log("a", since_s=0, deadline_s=1) == b"".join(pieces)
