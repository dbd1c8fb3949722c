from __future__ import annotations

import base64
import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import pyrage
import pytest

from tempo_infra.errors import InputError
from tempo_infra.secrets import TEMPORAL_DB, Secret, SecretStore
from tempo_infra.secrets.age import short
from tempo_infra.trees import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OTHER, THIRD = "other_password", "third_password"
NAMES = (TEMPORAL_DB, OTHER)
PEM = (
    "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG+/8=\nCCqGSM49AwEHBG0w\n-----END PRIVATE KEY-----\n"
)
SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIWzlXqNaK45IzJPuJdzZz3XNKsaXSkGxY0XykfJsCSI"


class File(NamedTuple):
    """What the inventory says about secrets."""

    path: Path
    recipients: tuple[str, ...] = ()


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "secrets.age")


def operator(file: File, name: str) -> SecretStore:
    """Open the store as somebody with a config folder of their own."""
    return SecretStore.open(file, file.path.parent / name, environ={})


def public_key(file: File, name: str) -> str:
    text = (file.path.parent / name / "identity.txt").read_text()
    return str(pyrage.x25519.Identity.from_str(text.splitlines()[-1]).to_public())


def newcomer(file: File, name: str) -> str:
    """Make an identity and return its public key."""
    operator(file, name).own_identity()
    return public_key(file, name)


def content_of(file: File, name: str) -> dict[str, object]:
    key = (file.path.parent / name / "identity.txt").read_text().splitlines()[-1]
    document: dict[str, object] = json.loads(
        pyrage.decrypt(file.path.read_bytes(), [pyrage.x25519.Identity.from_str(key)])
    )
    return document


def write(file: File, name: str, document: object) -> None:
    recipient = pyrage.x25519.Recipient.from_str(public_key(file, name))
    file.path.write_bytes(pyrage.encrypt(json.dumps(document).encode(), [recipient]))


def test_missing_secrets_are_generated_once(file: File) -> None:
    first = operator(file, "alice").ensure(NAMES)
    again = operator(file, "alice").ensure(NAMES)
    assert first == again
    assert set(first) == set(NAMES)
    values = {secret.value for secret in first.values()}
    assert len(values) == 2
    assert all(len(base64.urlsafe_b64decode(value + "=")) == 32 for value in values)


def test_a_later_secret_is_added_and_the_others_stay(file: File) -> None:
    before = operator(file, "alice").ensure([TEMPORAL_DB])
    after = operator(file, "alice").ensure([TEMPORAL_DB, THIRD])
    assert after[TEMPORAL_DB] == before[TEMPORAL_DB]
    assert operator(file, "alice").read() == after


def test_the_file_is_private_encrypted_and_alone(file: File) -> None:
    secrets = operator(file, "alice").ensure(NAMES)
    data = file.path.read_bytes()
    assert data.startswith(b"age-encryption.org/v1\n")
    assert not any(secret.value.encode() in data for secret in secrets.values())
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert sorted(entry.name for entry in file.path.parent.iterdir()) == ["alice", "secrets.age"]


def test_reading_never_rewrites_the_file(file: File) -> None:
    operator(file, "alice").ensure(NAMES)
    before = (file.path.read_bytes(), file.path.stat().st_mtime_ns, file.path.stat().st_ino)
    listing_bob = file._replace(recipients=(newcomer(file, "bob"),))
    store = operator(listing_bob, "alice")
    store.ensure(NAMES)
    store.read()
    store.readers()
    assert (file.path.read_bytes(), file.path.stat().st_mtime_ns, file.path.stat().st_ino) == before
    assert store.notices == ()


def test_no_file_holds_no_secrets(file: File) -> None:
    assert operator(file, "alice").read() == {}
    assert not file.path.exists()


def test_the_operator_is_told_of_a_new_identity_and_of_new_secrets(file: File) -> None:
    store = operator(file, "alice")
    store.ensure(NAMES)
    made, unlisted, generated = store.notices
    assert "Back it up now" in made
    assert str(file.path.parent / "alice" / "identity.txt") in made
    assert unlisted.startswith(f"your key {public_key(file, 'alice')} is not in secrets.recipients")
    assert generated.startswith("generated temporal_db, other_password in ")
    assert ", which 1 key can open; commit it" in generated


def test_a_colleague_opens_the_file_after_a_rekey(file: File) -> None:
    secrets = operator(file, "alice").ensure(NAMES)
    bob = newcomer(file, "bob")
    with pytest.raises(InputError, match="can't be opened with your keys") as told:
        operator(file, "bob").read()
    assert "encrypted for  1 age key\n" in str(told.value)
    assert bob in told.value.remedy
    listing = file._replace(recipients=(bob,))
    done = operator(listing, "alice").rekey()
    assert done.added == (bob,)
    assert operator(listing, "bob").read() == secrets


def test_a_changed_list_takes_effect_with_the_next_write(file: File) -> None:
    operator(file, "alice").ensure([TEMPORAL_DB])
    bob = newcomer(file, "bob")
    secrets = operator(file._replace(recipients=(bob,)), "alice").ensure(NAMES)
    assert operator(file, "bob").ensure(NAMES) == secrets


def test_who_is_not_listed_is_dropped_by_a_colleagues_write_and_that_is_said(file: File) -> None:
    """Alice made the file; the inventory lists only Bob; Bob adds a secret."""
    listing = file._replace(recipients=(newcomer(file, "bob"),))
    operator(listing, "alice").ensure([TEMPORAL_DB])
    alice = public_key(file, "alice")
    store = operator(listing, "bob")
    store.ensure(NAMES)
    assert store.notices[0] == (
        f"{alice} can't open secrets.age any more: it is not in secrets.recipients of the inventory"
    )
    with pytest.raises(InputError, match="can't be opened"):
        operator(listing, "alice").read()


def test_both_listed_keep_access_whoever_writes(file: File) -> None:
    both = file._replace(recipients=(newcomer(file, "alice"), newcomer(file, "bob")))
    operator(both, "alice").ensure([TEMPORAL_DB])
    store = operator(both, "bob")
    secrets = store.ensure(NAMES)
    assert [notice.split()[0] for notice in store.notices] == ["generated"]
    assert operator(both, "alice").ensure(NAMES) == secrets


def test_who_is_taken_off_the_list_loses_access_with_the_next_write(file: File) -> None:
    bob = newcomer(file, "bob")
    alice = newcomer(file, "alice")
    both = file._replace(recipients=(bob, alice))
    operator(both, "alice").ensure(NAMES)
    operator(both, "bob").ensure((*NAMES, THIRD))  # writing does not make a listed one stay
    done = operator(file, "alice").rekey()
    assert done.removed == (bob,)
    with pytest.raises(InputError, match="can't be opened"):
        operator(file, "bob").read()


def test_a_rekey_drops_who_is_not_listed(file: File) -> None:
    listing = file._replace(recipients=(newcomer(file, "bob"),))
    operator(listing, "alice").ensure(NAMES)
    alice = public_key(file, "alice")
    assert operator(listing, "bob").rekey().removed == (alice,)
    with pytest.raises(InputError, match="can't be opened"):
        operator(listing, "alice").read()


def test_readers_are_shown_with_their_origin(file: File) -> None:
    bob, carol = newcomer(file, "bob"), newcomer(file, "carol")
    operator(file._replace(recipients=(carol,)), "alice").ensure(NAMES)
    readers = operator(file._replace(recipients=(bob,)), "alice").readers()
    alice = public_key(file, "alice")
    assert {(one.key, one.origin, one.can_read) for one in readers} == {
        (alice, "you", True),
        (bob, "inventory", False),
        (carol, "not listed", True),
    }
    assert list(map(str, readers)) == [
        f"{alice} (you)",
        f"{bob} (inventory, not yet: tempo-infra secrets rekey)",
        f"{carol} (not listed: dropped by the next write)",
    ]


def test_a_reader_whom_the_file_does_not_name_is_shown(file: File) -> None:
    """Somebody who could open it encrypted it once more by hand, for a key of theirs too."""
    operator(file, "alice").ensure(NAMES)
    document = json.dumps(content_of(file, "alice")).encode()
    keys = [public_key(file, "alice"), newcomer(file, "mallory")]
    file.path.write_bytes(pyrage.encrypt(document, [pyrage.x25519.Recipient.from_str(key) for key in keys]))
    assert [str(one) for one in operator(file, "alice").readers()][1:] == [
        "a key that it does not name (not listed: dropped by the next write)"
    ]


def test_the_comment_of_an_ssh_key_makes_no_other_recipient(file: File) -> None:
    operator(file._replace(recipients=(SSH_KEY,)), "alice").ensure(NAMES)
    done = operator(file._replace(recipients=(f"{SSH_KEY} bob@oslo",)), "alice").rekey()
    assert (done.added, done.removed) == ((), ())
    assert short(SSH_KEY) == "ssh-ed25519 …xY0XykfJsCSI"


@pytest.mark.parametrize(
    ("recipient", "said"),
    [
        ("age1nonsense", "'age1nonsense' is no age or SSH public key"),
        ("ssh-dss AAAAB3NzaC1kc3M", "'ssh-dss AAAAB3NzaC1kc3M' is no age or SSH public key"),
        ("bob@oslo", "'bob@oslo' is no age or SSH public key"),
        ("AGE-SECRET-KEY-1QQQQ", "'AGE-SECRET-KEY-…' is no age or SSH public key"),
    ],
)
def test_a_recipient_that_is_no_key_is_refused_before_anything_is_made(
    file: File, recipient: str, said: str
) -> None:
    with pytest.raises(InputError) as told:
        operator(file._replace(recipients=(recipient,)), "alice")
    assert said in told.value.what
    assert ("PRIVATE" in told.value.remedy) == ("SECRET" in recipient)
    assert not (file.path.parent / "alice").exists()


def flipped(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:-20], "content fails verification"),
        (flipped, "content fails verification"),
        (lambda _: b"", "is damaged or no age file (0 bytes)"),
        (lambda data: data[:40], "is damaged or no age file (40 bytes)"),
        (lambda _: b"temporal_db: hunter2\n", "is damaged or no age file"),
        (lambda data: data.replace(b"\n", b"\r\n"), "is damaged or no age file"),
        (lambda _: b"x" * (1024 * 1024 + 1), "is larger than 1 MiB"),
        (
            lambda _: b"age-encryption.org/v1\n-> scrypt c2FsdA 18\nYm9keQ\n--- bWFj\n",
            "is encrypted with a passphrase",
        ),
    ],
)
def test_a_damaged_file_is_told_from_one_for_others(
    file: File, damage: Callable[[bytes], bytes], said: str
) -> None:
    operator(file, "alice").ensure(NAMES)
    damaged = damage(file.path.read_bytes())
    file.path.write_bytes(damaged)
    acts: list[Callable[[SecretStore], object]] = [
        SecretStore.read,
        SecretStore.rekey,
        lambda store: store.ensure([THIRD]),
    ]
    for act in acts:
        store = operator(file, "alice")
        with pytest.raises(InputError) as told:
            act(store)
        assert said in str(told.value)
    assert file.path.read_bytes() == damaged


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 3}, "is not version 2"),
        ({"version": True}, "is not version 2"),
        ({"origin": None}, "what it follows from can't be read"),
        ({"origin": {"write": 1, "keys": [], "generated": {}}}, "what it follows from can't be read"),
        ({"origin": {"write": "1", "keys": ["k"], "generated": {}}}, "what it follows from can't be read"),
        (
            {"origin": {"write": 1, "keys": ["k"], "generated": {"a": 1}}},
            "what it follows from can't be read",
        ),
        ({"secrets": {"a\x1b[2K": "tahK3xu9bei2Oor5Aing"}}, "a secret's name or a recipient looks like none"),
        ({"recipients": ["age1\x1b]0;x"]}, "a secret's name or a recipient looks like none"),
        ({"secrets": {"temporal_db": 7}}, "secrets must be texts by name"),
        ({"secrets": []}, "secrets must be texts by name"),
        ({"recipients": None}, "recipients a list of texts"),
        ({"secrets": {"temporal_db": "changeme"}}, "temporal_db is shorter than 16 characters"),
        ({"secrets": {"temporal_db": "blåbærsyltetøy-2026"}}, "outside printable ASCII"),
        (
            {"secrets": {"temporal_db": "two-lines-0123\nof-no-pem-x"}},
            "outside printable ASCII, and is no PEM",
        ),
        ({"secrets": {"cert": PEM.replace("END", "END ")}}, "outside printable ASCII, and is no PEM"),
        ({"secrets": {"cert": f"{PEM}\nsesame"}}, "outside printable ASCII, and is no PEM"),
        ({"secrets": {"cert": PEM.replace("\n", "\r\n")}}, "outside printable ASCII, and is no PEM"),
        ({"secrets": {"cert": "xyzw-97531-" * 6000}}, "cert is longer than 65536 characters"),
        ({"secrets": {"a": PEM, "b": PEM}}, "b equals a"),
        ({"secrets": {"cert.": PEM}}, "a secret's name or a recipient looks like none"),
        ({"secrets": {"cert./etc": PEM}}, "a secret's name or a recipient looks like none"),
        ({"secrets": {"a": "xyzw-97531-abcd-q", "b": "xyzw-97531-abcd-q"}}, "b equals a"),
        ({"secrets": {"temporal_db": "x" * 16}}, "temporal_db has fewer than 8 different characters"),
        (
            {"secrets": {"temporal_db": "Temporal_2026_Oslo"}},
            "holds the word 'temporal', which is guessed first",
        ),
        (
            {"secrets": {"temporal_db": "my-changeme-0123-x"}},
            "holds the word 'changeme', which is guessed first",
        ),
    ],
)
def test_a_hand_edited_file_is_read_strictly_and_not_shown(
    file: File, change: dict[str, object], said: str
) -> None:
    operator(file, "alice").ensure(NAMES)
    write(file, "alice", {**content_of(file, "alice"), **change})
    with pytest.raises(InputError) as told:
        operator(file, "alice").read()
    assert said in str(told.value)
    assert not any(value in str(told.value) for value in ("syltet", "x" * 16, "xyzw", "2026_Oslo", "0123-x"))


def test_a_key_and_its_certificates_are_legal_as_pem_and_written_back_as_they_were(file: File) -> None:
    operator(file, "alice").ensure(NAMES)
    chain = f"{PEM}{PEM.replace('PRIVATE KEY', 'CERTIFICATE')}"
    values = {"cert": PEM, "cert.host-1": chain, "without_its_last_line_end": chain[:-1]}
    write(file, "alice", {**content_of(file, "alice"), "secrets": values})
    operator(file, "alice").ensure(NAMES)  # writes the file again
    assert {
        name: one.value for name, one in operator(file, "alice").read().items() if name in values
    } == values


def test_a_file_of_before_files_had_an_origin_is_taken_and_written_anew(file: File) -> None:
    newcomer(file, "alice")
    passwords = {TEMPORAL_DB: "tahK3xu9bei2Oor5Aing", OTHER: "ooQu7ahv4oPh0Wiech1x"}
    write(file, "alice", {"version": 1, "operators": [], "recipients": [], "secrets": passwords})
    assert operator(file, "alice").look().origin.keys == ()
    operator(file, "alice").rekey()
    found = operator(file, "alice").ensure(NAMES)
    assert content_of(file, "alice")["version"] == 2
    assert not operator(file, "alice").look().generated(TEMPORAL_DB)  # a person, or a version of before
    assert {name: secret.value for name, secret in found.items()} == passwords


def test_a_lost_identity_is_told_with_what_to_do(file: File) -> None:
    operator(file, "alice").ensure(NAMES)
    (file.path.parent / "alice" / "identity.txt").unlink()
    store = operator(file, "alice")
    with pytest.raises(InputError) as told:
        store.ensure(NAMES)
    assert "Lost your identity?" in told.value.remedy
    assert "what `tempo-infra secrets identity` says" in told.value.remedy
    assert "tried          nothing: you have no identity yet" in told.value.what
    assert not (file.path.parent / "alice" / "identity.txt").exists()
    operator(file, "alice").own_identity()
    with pytest.raises(InputError) as told:
        operator(file, "alice").read()
    assert public_key(file, "alice") in told.value.remedy
    assert "identity.txt" in told.value.what


def test_of_several_at_once_all_get_the_same_secrets(file: File) -> None:
    stores = [operator(file, "alice") for _ in range(6)]
    barrier = threading.Barrier(len(stores))

    def ensure(store: SecretStore) -> dict[str, Secret]:
        barrier.wait()
        return dict(store.ensure(NAMES))

    with ThreadPoolExecutor(len(stores)) as pool:
        results = list(pool.map(ensure, stores))
    assert all(result == results[0] for result in results)
    assert sum(any("generated" in notice for notice in store.notices) for store in stores) == 1


def test_a_held_lock_ends_in_an_error(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOCK_DEADLINE_S", 0.1)
    store = operator(file, "alice")
    with (
        files.locked(file.path.parent),
        pytest.raises(InputError, match="another tempo-infra writes in"),
    ):
        store.ensure(NAMES)


def test_a_link_is_neither_read_nor_written(file: File) -> None:
    real = file.path.parent / "elsewhere.age"
    file.path.symlink_to(real)
    with pytest.raises(InputError, match="is a link, and links are not followed"):
        operator(file, "alice").ensure(NAMES)
    assert file.path.is_symlink()
    assert not real.exists()


@pytest.mark.parametrize(
    ("path", "said"), [("no/such/secrets.age", "the folder of "), ("", "is a folder, not a file")]
)
def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path: Path, path: str, said: str) -> None:
    store = SecretStore.open(File(tmp_path / path), tmp_path / "alice", environ={})
    with pytest.raises(InputError, match=said):
        store.ensure(NAMES)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = operator(file, "alice").ensure([TEMPORAL_DB])
    store = operator(file, "alice")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="can't be written: no space left on device"):
        store.ensure(NAMES)
    monkeypatch.undo()
    assert operator(file, "alice").read() == secrets
    assert sorted(entry.name for entry in file.path.parent.iterdir()) == ["alice", "secrets.age"]


def test_rekey_needs_a_file(file: File) -> None:
    with pytest.raises(InputError, match="there is no secrets file"):
        operator(file, "alice").rekey()
