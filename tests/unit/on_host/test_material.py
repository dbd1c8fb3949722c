"""Secrets of a generation on the host: staged, switched, put back, compared, taken away."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.on_host import garbage, manifest, material, mounts, ownership, reloading, state, undo
from tempo_infra.on_host.arming import must_be_able
from tempo_infra.on_host.generation import stage, switch
from tempo_infra.on_host.journal import Entry, record
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.manifest import Instance, Manifest, Material
from tempo_infra.on_host.probes import generation as probe
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change
from tests.unit.on_host.test_undo import ARMED

KEY = b"a key that nobody guesses........"
UID = os.geteuid()
LOGIN, TOKEN, SEAL = "temporal/db_password", "echo-%s/echo_token", "echo-reloaded-%s/echo_seal"
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n-----END PRIVATE KEY-----\n"


def made(token: str, seal: str, login: str = "the first") -> tuple[Manifest, dict[str, str]]:
    """A generation of one component and a login, and its secrets by path."""
    values = {LOGIN: login, TOKEN % token: f"token {token}", SEAL % seal: f"{PEM}{seal}\n"}

    def one(name: str, reader: str, path: str, *, reloaded: bool = False) -> Material:
        digest = material.digest(KEY, values[path].encode())
        return Material(name, reader, UID, digest, reloaded=reloaded)

    listed = {
        LOGIN: one("db_password", "temporal", LOGIN),
        TOKEN % token: one("echo_token", "echo", TOKEN % token),
        SEAL % seal: one("echo_seal", "echo", SEAL % seal, reloaded=True),
    }
    return Manifest(host="x", material=listed), values


def packed(one: Manifest, files: Mapping[str, bytes]) -> change.Stage:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, content in (*files.items(), (manifest.NAME, one.text)):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    archive = buffer.getvalue()
    digest = hashlib.sha256(one.text).hexdigest()
    return change.Stage(digest, hashlib.sha256(archive).hexdigest(), len(archive), payload=archive)


def staged(layout: Layout, one: Manifest, values: Mapping[str, str]) -> str:
    files = {f"{material.IN_ARCHIVE}{path}": value.encode() for path, value in values.items()}
    return stage(layout, packed(one, {manifest.KEY: KEY, **files})).generation


def went(layout: Layout, one: Manifest, values: Mapping[str, str]) -> str:
    """Stage, switch and confirm."""
    digest = staged(layout, one, values)
    switch(layout, change.Switch(digest, {}))
    record(layout, Entry(digest[:8], "confirm", "confirmed", digest))
    return digest


def there(layout: Layout) -> dict[str, str]:
    found = (path for path in layout.secrets.rglob("*") if path.is_file())
    return {str(path.relative_to(layout.secrets)): path.read_text() for path in found}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    tmp_path.chmod(0o755)
    return Layout(tmp_path)


def test_it_is_staged_for_its_reader_alone_and_what_is_reloaded_waits_for_the_switch(layout: Layout) -> None:
    one, values = made("aa", "bb")
    digest = staged(layout, one, values)
    assert there(layout) == values
    modes = {path: (layout.secrets / path).stat().st_mode & 0o7777 for path in values}
    assert set(modes.values()) == {0o400}
    assert {(layout.secrets / path).parent.stat().st_mode & 0o7777 for path in values} == {0o700}
    assert layout.secrets.stat().st_mode & 0o7777 == 0o711
    assert (layout.generations / digest / manifest.KEY).stat().st_mode & 0o7777 == 0o400

    switch(layout, change.Switch(digest, {}))
    assert there(layout) == {**values, "echo-reloaded/echo_seal": values[SEAL % "bb"]}
    assert ownership.wrong(layout, ownership.of_secrets(layout, *material.owners(layout, one))) == []


def test_another_value_is_another_folder_and_what_is_reloaded_is_replaced_where_it_is(layout: Layout) -> None:
    first, old = made("aa", "bb")
    went(layout, first, old)
    live = layout.secrets / "echo-reloaded/echo_seal"
    folder, file = live.parent.stat().st_ino, live.stat().st_ino
    second, new = made("cc", "dd")
    digest = staged(layout, second, new)
    assert live.read_text() == old[SEAL % "bb"]  # nothing that runs sees it yet
    switch(layout, change.Switch(digest, {}))
    assert live.read_text() == new[SEAL % "dd"]
    assert live.parent.stat().st_ino == folder
    assert live.stat().st_ino != file
    assert there(layout).items() >= {**old, **new}.items()


def test_a_change_that_failed_puts_back_what_was_reloaded_and_again(layout: Layout) -> None:
    first, old = made("aa", "bb")
    before = went(layout, first, old)
    second, new = made("cc", "dd")
    after = staged(layout, second, new)
    (layout.runs / "r/before").mkdir(parents=True)
    (layout.runs / "r/before/before.json").write_text(json.dumps({"files": {}, "live": {}}))
    switch(layout, change.Switch(after, {}))
    armed = replace(ARMED, generation=after, previous=before, before="runs/r/before")
    for _ in range(2):
        undo.restore_files(layout, armed)
        assert (layout.secrets / "echo-reloaded/echo_seal").read_text() == old[SEAL % "bb"]
        assert layout.current.resolve().name == before


def test_what_the_first_generation_brought_is_gone_with_it(layout: Layout) -> None:
    one, values = made("aa", "bb")
    digest = went(layout, one, values)
    (layout.runs / "r/before").mkdir(parents=True)
    (layout.runs / "r/before/before.json").write_text(json.dumps({"files": {}, "live": {}}))
    undo.restore_files(layout, replace(ARMED, generation=digest, previous=None, before="runs/r/before"))
    assert "echo-reloaded/echo_seal" not in there(layout)


@pytest.mark.parametrize("missing", [True, False])
def test_a_secret_that_is_not_the_manifests_is_refused_before_anything_is_written(
    layout: Layout, *, missing: bool
) -> None:
    one, values = made("aa", "bb")
    changed = {**values, LOGIN: "another one altogether"}
    if missing:
        del changed[LOGIN]
    with pytest.raises(StepError, match="temporal/db_password: its content differs") as told:
        staged(layout, one, changed)
    assert "another one" not in str(told.value)
    assert LOGIN not in there(layout)


def test_the_same_login_with_another_password_is_written_over_and_stays(layout: Layout) -> None:
    first, old = made("aa", "bb")
    before = went(layout, first, old)
    second, new = made("aa", "bb", "another password")
    after = staged(layout, second, new)
    assert there(layout)[LOGIN] == "another password"
    (layout.runs / "r/before").mkdir(parents=True)
    (layout.runs / "r/before/before.json").write_text(json.dumps({"files": {}, "live": {}}))
    switch(layout, change.Switch(after, {}))
    undo.restore_files(layout, replace(ARMED, generation=after, previous=before, before="runs/r/before"))
    assert there(layout)[LOGIN] == "another password"  # the database's role has it


def edited(path: Path) -> None:
    path.write_text("edited")
    path.chmod(0o400)


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "its content": (edited, "changed"),
    "its mode": (lambda path: path.chmod(0o444), "mode 0444"),
    "it is gone": (Path.unlink, "missing"),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("path", [LOGIN, TOKEN % "aa", SEAL % "bb", "echo-reloaded/echo_seal"])
def test_the_host_sees_by_itself_what_is_not_as_its_manifest_says_and_the_next_run_mends_it(
    layout: Layout, what: str, path: str
) -> None:
    one, values = made("aa", "bb")
    went(layout, one, values)
    secrets = f"{layout.secrets}/"

    def wrong() -> dict[str, str]:
        read = probe.read(layout).files
        return {
            file.path.removeprefix(secrets): file.is_now
            for file in read
            if file.path.startswith(secrets) and file.is_now != "same"
        }

    right = there(layout)
    assert wrong() == {}
    (layout.secrets / path).chmod(0o600)
    change_it, said = CHANGES[what]
    change_it(layout.secrets / path)
    assert wrong() == {path: said}
    in_state = [each for each in state._wrong(layout, one) if each.path == f"{secrets}{path}"]
    assert [each.kind for each in in_state] == [
        {"changed": "content", "missing": "missing"}.get(said, "mode")
    ]
    went(layout, one, values)
    assert (wrong(), [each for each in state._wrong(layout, one) if each.path.startswith(secrets)]) == (
        {},
        [],
    )
    assert there(layout) == right


def test_what_no_generation_that_can_be_gone_back_to_reads_is_taken_away(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine tokens, one after the other; then the component is gone, for as many changes."""
    monkeypatch.setattr(mounts, "mounted", set)
    for number in range(9):
        went(layout, *made(f"a{number}", f"b{number}"))
        garbage.collect(layout)
    kept = {f"echo-a{number}" for number in range(4, 9)} | {
        f"echo-reloaded-b{number}" for number in range(4, 9)
    }
    assert {path.name for path in layout.secrets.iterdir()} == {"temporal", "echo-reloaded", *kept}
    one, values = made("a8", "b8")
    login = {LOGIN: one.material[LOGIN]}
    for number in range(5):
        went(layout, Manifest(host=f"x{number}", material=login), {LOGIN: values[LOGIN]})
        assert garbage.collect(layout)
    assert there(layout) == {LOGIN: values[LOGIN]}
    assert {path.name for path in layout.secrets.iterdir()} == {"temporal"}


def test_what_a_container_or_a_generation_of_before_mounts_stays(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest of format 2 lists no secrets: its containers' mounts say which they have."""
    old = layout.generations / "old"
    old.mkdir(parents=True)
    mounted = [f"{layout.secrets}/echo", f"{layout.secrets}/temporal"]
    instance = {"component": "echo", "image": "e", "mounts": mounted}
    body = {"format": 2, "files": {}, "instances": {"echo": instance}}
    (old / manifest.NAME).write_text(json.dumps(body))
    record(layout, Entry("r0", "confirm", "confirmed", "old"))
    for name in ("echo", "temporal", "running", "past"):
        (layout.secrets / name).mkdir(parents=True)
    went(layout, *made("aa", "bb"))
    monkeypatch.setattr(mounts, "mounted", lambda: {f"{layout.secrets}/running"})
    assert garbage.collect(layout) == ["past"]


def test_a_generation_whose_secret_is_gone_can_not_be_gone_to(layout: Layout) -> None:
    first, old = made("aa", "bb")
    before = went(layout, first, old)
    went(layout, *made("cc", "dd"))
    must_be_able(layout, before, None)
    (layout.secrets / (TOKEN % "aa")).unlink()
    with pytest.raises(StepError, match=r"reads .*/echo-aa/echo_token, which is not there"):
        must_be_able(layout, before, None)
    (layout.secrets / LOGIN).unlink()
    (layout.secrets / "temporal").rmdir()
    with pytest.raises(StepError, match="which a rotation of the password took away"):
        must_be_able(layout, layout.current.resolve().name, None)


def test_a_generation_of_before_says_whose_the_folders_are_that_its_containers_have(layout: Layout) -> None:
    instance = Instance("history", "h", mounts=(f"{layout.secrets}/temporal", "/srv/x"))
    old = Manifest(format=2, instances={"history": instance})
    assert material.owners(layout, old) == ({"temporal": old.users.temporal}, set())
    assert material.lacking(layout, old) == []


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("../etc/shadow", {}),
        ("echo/../../x", {}),
        ("/echo/echo_token", {}),
        ("echo-aa", {}),
        ("echo-aa/other", {}),
        ("another-aa/echo_token", {}),
        (TOKEN % "aa", {"scope": "world"}),
        (TOKEN % "aa", {"signal": "KILL"}),
        (TOKEN % "aa", {"uid": -1}),
        (TOKEN % "aa", {"reloaded": 1}),
        (TOKEN % "aa", {"digest": None}),
    ],
)
def test_a_manifest_whose_secrets_can_lie_nowhere_is_refused(path: str, changed: dict[str, object]) -> None:
    one, _ = made("aa", "bb")
    body = json.loads(one.text)
    right = body["material"].pop(TOKEN % "aa")
    body["material"][path] = {**right, **changed}
    with pytest.raises(manifest.ManifestError):
        manifest.of(body)


def test_a_manifest_is_read_as_it_was_written() -> None:
    one, _ = made("aa", "bb")
    path = SEAL % "bb"
    more = replace(one.material[path], scope="host", signal="HUP", not_after="2027-03-01T00:00:00Z")
    full = replace(one, material={**one.material, path: more})
    assert manifest.parse(full.text) == full


@pytest.mark.parametrize(
    ("started", "told"), [("2026-11-30T10:00:00.5Z", True), ("2026-11-30T10:00:00.7Z", False)]
)
def test_its_reader_is_sent_its_signal_where_it_started_before(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, started: str, *, told: bool
) -> None:
    one, values = made("aa", "bb")
    path = SEAL % "bb"
    listed = {**one.material, path: replace(one.material[path], signal="HUP")}
    signalled = replace(one, material=listed)
    went(layout, signalled, values)
    os.utime(layout.secrets / "echo-reloaded/echo_seal", (0, 1796032800.6))
    labels = {"com.docker.compose.service": "echo"}
    container = {"Id": "c1", "Config": {"Labels": labels}, "State": {"StartedAt": started}}
    sent: list[list[str]] = []
    monkeypatch.setattr("tempo_infra.on_host.reloading.engine.containers", lambda **_: [container])
    monkeypatch.setattr(reloading, "must", lambda words, **_: sent.append(words))
    reloading.signal_readers(layout, signalled)
    assert sent == ([["docker", "kill", "--signal=HUP", "c1"]] if told else [])
    reloading.signal_readers(layout, one)  # without a signal Docker is not even asked
    assert len(sent) == told
