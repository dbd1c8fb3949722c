"""What an image is, on both kinds of image store."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import engine
from tempo_infra.on_host.contents import MOST_BYTES, STORES, has

CONFIG, OTHER = f"sha256:{'c' * 64}", f"sha256:{'0' * 64}"
HERE = {"Os": "linux", "Architecture": "amd64"}


def blob(root: Path, body: Any, store: str = STORES[0]) -> str:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    name = hashlib.sha256(text).hexdigest()
    (root / store).mkdir(parents=True, exist_ok=True)
    (root / store / name).write_bytes(text)
    return f"sha256:{name}"


def listed(**manifests: str) -> dict[str, object]:
    return {
        "manifests": [
            {"digest": digest, "platform": {"os": "linux", "architecture": name}}
            for name, digest in manifests.items()
        ]
    }


def asked(monkeypatch: pytest.MonkeyPatch, root: Path, id_: str, wanted: str = CONFIG) -> bool | None:
    monkeypatch.setattr(engine, "image", lambda *_, **__: {"Id": id_, **HERE})
    return has("postgres:17", wanted, deadline_s=1, root=root)


def test_the_classic_store_names_it_by_its_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(monkeypatch, tmp_path, CONFIG) is True
    assert asked(monkeypatch, tmp_path, OTHER) is False
    monkeypatch.setattr(engine, "image", lambda *_, **__: None)
    assert has("postgres:17", CONFIG, deadline_s=1) is None


@pytest.mark.parametrize("store", STORES)
def test_the_containerd_store_names_it_by_its_manifest_or_a_list_of_them(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = blob(tmp_path, {"config": {"digest": CONFIG}}, store)
    assert asked(monkeypatch, tmp_path, manifest) is True
    assert asked(monkeypatch, tmp_path, manifest, OTHER) is False
    index = blob(tmp_path, listed(arm64=OTHER, amd64=manifest), store)
    assert asked(monkeypatch, tmp_path, index) is True


def test_what_a_list_has_for_another_machine_is_not_what_runs_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = blob(tmp_path, {"config": {"digest": CONFIG}})
    wrong = blob(tmp_path, {"config": {"digest": OTHER}})
    assert asked(monkeypatch, tmp_path, blob(tmp_path, listed(arm64=right, amd64=wrong))) is False


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[" * 100_000,
        [],
        7,
        {"config": 7},
        {"config": {"digest": "sha256:../../x"}},
        {"manifests": [7, {}, {"platform": 7}]},
        b" " * (MOST_BYTES + 1),
    ],
)
def test_what_is_no_manifest_proves_nothing(
    body: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(monkeypatch, tmp_path, blob(tmp_path, body)) is False


def test_a_file_that_is_not_what_its_name_says_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = blob(tmp_path, {"config": {"digest": OTHER}})
    (tmp_path / STORES[0] / manifest[7:]).write_text(json.dumps({"config": {"digest": CONFIG}}))
    assert asked(monkeypatch, tmp_path, manifest) is False
