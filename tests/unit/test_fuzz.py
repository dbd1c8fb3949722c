"""Whatever comes in, from an operator's files or from a host, ends in words and the right exit code.

A bounded run is part of the unit tests; `make fuzz` goes on for longer.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import re
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tempo_infra.cli import main as command
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.inspect import Supply, read_state
from tempo_infra.deploy.plan import HostPlan, plan_host
from tempo_infra.deploy.plan_file import moved, read_plan
from tempo_infra.deploy.resume import ask_runs, ending
from tempo_infra.deploy.run import Plan
from tempo_infra.deploy.session import Session
from tempo_infra.errors import InputError, TempoInfraError
from tempo_infra.on_host import journal
from tempo_infra.on_host.generation import stage
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.runs import Runs
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change
from tempo_infra.on_host.wire import encode
from tempo_infra.report.changes import plan_json
from tempo_infra.report.history import history_lines, past
from tempo_infra.report.runs import status_line
from tempo_infra.secrets import TEMPORAL_DB, Secret
from tempo_infra.ssh.transport import Completed
from tests.unit.deploy.test_plan import FRESH, HOST, bundle
from tests.unit.deploy.test_plan_file import plan as some_plan

pytestmark = pytest.mark.thorough

INVENTORIES = sorted((Path(__file__).parents[2] / "inventory").glob("*.yaml"))
FACTS = Path(__file__).parents[1] / "data/facts"
NONCE = "c0ffee"
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # a terminal, or the eye
SLOW = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn, text: bytes) -> bytes:
    """The text with a few places cut out, put in, or written over."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        put = draw(
            st.binary(max_size=20)
            | st.sampled_from([b"\0", b"{}", b"[]", b"\n", b"null", b'"', b"-1", b"9" * 40])
        )
        text = text[:start] + put + text[end:]
    return text


def said(*words: str) -> tuple[int, str]:
    """Run the command line in this process; its exit code, and all that it said."""
    out, before = io.StringIO(), sys.argv
    sys.argv = ["tempo-infra", *words]
    code: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            command.run()
    except SystemExit as left:
        code = left.code or 0
    finally:
        sys.argv = before
    return int(code), out.getvalue()


@pytest.mark.parametrize("path", INVENTORIES, ids=lambda path: path.stem)
@given(data=st.data())
@SLOW
def test_a_mutated_inventory_is_loaded_or_refused(path: Path, data: st.DataObject) -> None:
    text = data.draw(mutated(path.read_bytes()))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "inventory.yaml").write_bytes(text)
        code, out = said("inventory", "show", "-i", f"{folder}/inventory.yaml")
    assert code in (0, 2), out
    assert "Traceback" not in out
    assert "this is a bug" not in out
    assert code == 0 or "nothing was contacted" in out


@given(st.data())
@SLOW
def test_a_mutated_file_of_facts_is_judged_or_refused(data: st.DataObject) -> None:
    kept = json.dumps({"hosts": {"h": json.loads(next(FACTS.glob("*.json")).read_text())}}).encode()
    text = data.draw(mutated(kept) | JSON.map(lambda value: json.dumps({"hosts": value}).encode()))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "facts.json").write_bytes(text)
        code, out = said("check-host", "--facts", f"{folder}/facts.json", "--class", "NVMe-Series")
    assert code in (0, 1, 2, 3), out
    assert "Traceback" not in out
    assert "this is a bug" not in out


@given(st.data())
@SLOW
def test_a_mutated_plan_holds_or_is_refused(data: st.DataObject) -> None:
    now = some_plan()
    text = json.dumps(plan_json(now)).encode()
    kept = data.draw(mutated(text) | JSON.map(lambda one: json.dumps({"schema": 1, "hosts": [one]}).encode()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        path.write_bytes(kept)
        with contextlib.suppress(InputError):
            for host, why in moved(read_plan(path), now):
                assert host
                assert why


class Process:
    """The other end of a session: bytes that a host has sent, then its end."""

    def __init__(self, sent: bytes) -> None:
        self._sent = io.BytesIO(sent)
        self.ended = False

    def send(self, data: bytes, *, deadline_s: float) -> None:
        del data, deadline_s

    def read_line(self, *, deadline_s: float, check: object = None) -> bytes:
        del deadline_s, check
        return self._sent.readline()

    def read_exact(self, count: int, *, deadline_s: float, check: object = None) -> bytes:
        del deadline_s, check
        return self._sent.read(count)

    def finish(self, *, deadline_s: float) -> Completed:
        del deadline_s
        return Completed(1, b"", b"\x1b[31mno\n")


def frames() -> bytes:
    """What a host answers that works: noise, an event, a reply."""
    event = encode(NONCE, "event", {"step": "state", "state": "ended", "detail": "", "seconds": 0.1})
    return b"Welcome to Debian\n" + event + encode(NONCE, "reply", {"results": [asdict(FRESH)]})


HOST_SAYS = (
    mutated(frames())
    | JSON.map(lambda body: encode(NONCE, "reply", body))
    | JSON.map(lambda body: encode(NONCE, "event", body))
    | JSON.map(lambda one: encode(NONCE, "reply", {"results": [one]}))
    | st.text(max_size=20).map(
        lambda text: encode(NONCE, "reply", {"results": [], "failed": text, "error": text, "remedy": text})
    )
    | st.binary(max_size=60).map(lambda noise: f"\x01tempo-infra {NONCE} reply ".encode() + noise)
)


@given(HOST_SAYS)
@SLOW
def test_whatever_a_host_answers_is_its_state_or_an_error_of_that_host(answer: bytes) -> None:
    session = Session("db-1", Process(answer), NONCE)  # type: ignore[arg-type]  # as far as a session uses one
    refusal = None
    try:
        state, _ = read_state(
            session,
            bundle(),
            Supply({TEMPORAL_DB: Secret(TEMPORAL_DB, "the password is long")}),
            "10.0.0.13",
        )
        plan_host(HOST, bundle(), replace(state, hostname="db-1"), {})
    except TempoInfraError as error:
        refusal = error
    if refusal:
        assert refusal.host == "db-1"
        assert not STEERS.search(str(refusal))


@given(HOST_SAYS)
@SLOW
def test_whatever_a_host_says_of_its_runs_is_told_or_an_error(answer: bytes) -> None:
    session = Session("db-1", Process(answer), NONCE)  # type: ignore[arg-type]  # as above
    with Fleet(lambda _: contextlib.nullcontext(session), lambda _: None) as fleet:
        answers, errors = ask_runs(fleet, [HOST])
    assert bool(answers) != bool(errors)
    for runs in answers.values():
        assert ending(runs, "r1").text
        assert status_line(runs)


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


NAMES = st.sampled_from(
    ["a", "etc/x", "services/a-1/b", "../a", "/etc/x", "services/../../x", "manifest.json", "", "."]
) | st.text(max_size=10)


@st.composite
def archives(draw: st.DrawFn) -> tuple[bytes, str]:
    """An archive and the digest of its manifest, of any kind."""
    files = draw(st.dictionaries(NAMES, st.binary(max_size=20), max_size=4))
    entries = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "mode": "0644", "uid": 0}
        for name, content in files.items()
    }
    body = draw(st.just({"files": entries, "services": {}}) | JSON)
    manifest = json.dumps(body).encode()
    with contextlib.suppress(ValueError):
        made = packed({**files, "manifest.json": manifest})
        raw = draw(st.just(made) | mutated(made) | mutated(gzip.decompress(made)).map(gzip.compress))
        return raw, hashlib.sha256(manifest).hexdigest()
    return b"", ""


@given(archives())
@SLOW
def test_any_archive_is_staged_whole_or_refused_and_stays_in_its_folder(archive: tuple[bytes, str]) -> None:
    raw, digest = archive
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder) / "root")
        args = change.Stage(digest, hashlib.sha256(raw).hexdigest(), len(raw), payload=raw)
        staged = None
        with contextlib.suppress(StepError):
            staged = stage(layout, args)
        assert (layout.generations / digest / "manifest.json").is_file() == (staged is not None)
        outside = [one for one in Path(folder).rglob("*") if not one.is_relative_to(layout.state)]
        assert {one for one in outside if one.is_file()} == set()


LINES = st.lists(
    st.binary(max_size=60)
    | JSON.map(lambda one: json.dumps(one).encode())
    | st.dictionaries(
        st.sampled_from(["run", "step", "result", "generation", "time", "detail", "who", "seconds", "more"]),
        JSON,
    ).map(lambda one: json.dumps({"run": "r", "step": "switch", "result": "done", **one}).encode())
    | mutated(json.dumps(asdict(journal.Entry("r1", "confirm", "confirmed", "a" * 64))).encode()),
    max_size=6,
)


@given(LINES)
@SLOW
def test_any_line_of_a_journal_is_an_entry_or_none(lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder))
        layout.state.mkdir(parents=True)
        layout.journal.write_bytes(b"\n".join(lines))
        entries = journal.entries(layout)
        for read in (journal.confirmed, journal.history, journal.last_good, journal.restarts):
            read(layout)
    runs = Runs(None, None, None, entries=entries)
    assert ending(runs, "r1").text
    assert len(list(past(runs.entries))) == len({entry.run for entry in entries})
    assert len(list(history_lines({"db-1": runs}))) >= len({entry.run for entry in entries})


def test_a_crash_is_one_line_that_says_so_and_shows_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> Iterator[str]:
        secret = "a secret in a local variable"
        raise KeyError(len(secret))

    monkeypatch.setattr("tempo_infra.inventory.load", crash)
    code, out = said("inventory", "show", "-i", "x.yaml")
    assert code == 1
    assert "this is a bug in tempo-infra: KeyError" in out
    assert "Traceback" not in out
    assert "a secret in" not in out
    assert len(out.splitlines()) <= 3


def test_a_plan_without_hosts_of_its_own_is_no_plan() -> None:
    assert Plan((HostPlan("a", "d"),), {}, {}).changing == ()
