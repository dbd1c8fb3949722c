"""A rekey that was forgotten, and two clusters with one secrets file: both are said, with what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.deploy.secrets_file import cautions
from tempo_infra.inventory.cluster import Cluster, SecretsFile
from tempo_infra.secrets import TEMPORAL_DB, Found, SecretStore
from tempo_infra.secrets.age import short
from tests.unit.sizing.clusters import trio

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"


def at(folder: Path, *recipients: str) -> Cluster:
    file = SecretsFile(folder / "secrets.age", recipients)
    return replace(trio(), path=folder / "oslo.yaml", secrets=file)


def key_of(folder: Path, name: str, cluster: Cluster) -> str:
    [key] = SecretStore.open(cluster.secrets, folder / name, environ={}).own_identity()
    return key


def store(folder: Path, cluster: Cluster, name: str = "alice") -> SecretStore:
    return SecretStore.open(cluster.secrets, folder / name, environ={})


def test_a_recipient_who_was_added_and_not_rekeyed_for_is_named_with_the_command(tmp_path: Path) -> None:
    before = at(tmp_path)
    store(tmp_path, before).ensure([TEMPORAL_DB])
    assert list(cautions(before, store(tmp_path, before).look())) == []
    bob = key_of(tmp_path, "bob", before)
    after = at(tmp_path, bob)
    [said] = cautions(after, store(tmp_path, after).look())
    assert said.startswith(f"secrets.recipients and secrets.age differ: {short(bob)} can't open it yet; ")
    assert said.endswith(f"tempo-infra secrets rekey -i {tmp_path}/oslo.yaml")
    store(tmp_path, after).rekey()
    assert list(cautions(after, store(tmp_path, after).look())) == []


def test_one_who_was_taken_out_and_can_still_open_it_is_named_too(tmp_path: Path) -> None:
    bob = key_of(tmp_path, "bob", at(tmp_path))
    both = at(tmp_path, bob)
    store(tmp_path, both).ensure([TEMPORAL_DB])
    alone = at(tmp_path)
    [said] = cautions(alone, store(tmp_path, alone).look())
    assert f"{short(bob)} can, and is not listed" in said
    store(tmp_path, alone).rekey()
    assert list(cautions(alone, store(tmp_path, alone).look())) == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("bergen.yaml", EXAMPLE.read_text().replace("cluster: oslo", "cluster: bergen"), True),
        ("bergen.yml", "cluster: bergen\nhosts: {}\nsecrets: {file: ./secrets.age}\n", True),
        ("faulty.yaml", "cluster: bergen\nhosts: {a: 7}\nshards: seven\n", True),
        ("own.yaml", "cluster: bergen\nhosts: {}\nsecrets: {file: bergen.age}\n", False),
        ("copy.yaml", EXAMPLE.read_text(), False),  # the same cluster
        ("compose.yaml", "services: {a: {}}\n", False),
        ("half.yaml", "cluster: bergen\nhosts: {", False),
        ("notes.txt", "cluster: bergen\nhosts: {}\n", False),
    ],
)
def test_another_cluster_with_the_same_secrets_file_is_said(
    tmp_path: Path, name: str, text: str, *, said: bool
) -> None:
    (tmp_path / name).write_text(text)
    cluster = at(tmp_path)
    (tmp_path / "oslo.yaml").write_text(EXAMPLE.read_text())
    found = list(cautions(cluster, Found()))
    assert bool(found) == said
    if said:
        assert found[0].startswith(f"{name} names the same secrets.age for the cluster bergen")
        assert "secrets: {file: bergen.age}" in found[0]


def test_without_a_folder_to_look_at_nothing_is_said(tmp_path: Path) -> None:
    assert list(cautions(at(tmp_path / "gone"), Found())) == []
