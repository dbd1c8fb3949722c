"""What a generation says of itself is read back as it was written; format 1 is understood."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.on_host import manifest, mounts
from tempo_infra.on_host.health import SERVICES, Grpc, Http, Postgres
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.manifest import Entry, Instance, Manifest, ManifestError, parse, read

DIGEST = "d" * 64
WHOLE = Manifest(
    host="db-1",
    cluster="oslo",
    files={"services/x-1/a": Entry("ab", 0o600, 999, "restarts x", live=True), "etc/b": Entry("cd")},
    instances={
        "history": Instance(
            "history",
            "server:1",
            shares_network=True,
            listens=("10.0.0.1:7234",),
            mounts=("/var/lib/tempo-infra/services/x-1",),
            health=Grpc("10.0.0.1", 7234, SERVICES["history"]),
            data={"shards": "4"},
        ),
        "ui": Instance("ui", "ui:1", health=Http("127.0.0.1", 8080)),
        "postgresql": Instance("postgresql", "postgres:17", health=Postgres("10.0.0.1", 5432)),
        "schema": Instance("postgresql", "tools:1", job=True),
    },
    networks={"default": ("172.30.0.0/24",)},
    kernel={"proc/sys/vm/swappiness": "1"},
)
NO_NUMBERS = (float("inf"), float("nan"), 1.0, True, None)
ASKED: dict[str, object] = {"kind": "grpc", "host": "x", "port": 1, "service": "s"}
OLDER = {
    "format": 1,
    "files": {"etc/sysctl.d/60-x.conf": {"sha256": "x"}},
    "services": {
        "frontend": {"role": "frontend", "image": "server:1", "job": False},
        "postgresql": {"role": "postgresql", "image": "postgres:17", "job": False},
        "ui": {"role": "ui", "image": "ui:1", "job": False},
        "schema": {"role": "postgresql", "image": "tools:1", "job": True},
    },
}


def test_what_is_written_is_what_is_read() -> None:
    assert parse(WHOLE.text) == WHOLE
    assert parse(parse(WHOLE.text).text).text == WHOLE.text
    assert json.loads(WHOLE.text)["format"] == 3


def test_format_2_lists_no_secrets() -> None:
    body = json.loads(WHOLE.text)
    del body["material"]
    found = parse(json.dumps({**body, "format": 2}))
    assert (found.format, found.material, found.instances) == (2, {}, WHOLE.instances)


def test_a_job_is_not_asked_and_whoever_is_asked_is_asked_where_the_manifest_says() -> None:
    assert WHOLE.questions("10.9.9.9") == {
        "history": Grpc("10.0.0.1", 7234, SERVICES["history"]),
        "ui": Http("127.0.0.1", 8080),
        "postgresql": Postgres("10.0.0.1", 5432),
    }


def test_one_of_format_1_is_asked_where_its_version_asked() -> None:
    """Its address is the host's; where the UI is published its container says."""
    assert parse(json.dumps(OLDER)).questions("10.0.0.1") == {
        "frontend": Grpc("10.0.0.1", 7233, SERVICES["frontend"]),
        "postgresql": Postgres("10.0.0.1", 5432),
        "ui": Http("", 8080),
    }


def host(root: Path, text: bytes | str) -> Layout:
    layout = Layout(root)
    for name, content in (
        ("etc/sysctl.d/60-x.conf", "# why\nvm.swappiness = 1\nnet.ipv4.tcp_rmem = 1\t2  3\n"),
        ("etc/tmpfiles.d/60-x.conf", "w  /sys/kernel/mm/thp  -  -  -  -  never\n"),
        ("etc/security/limits.d/60-x.conf", "* soft nofile = 4\n"),
    ):
        path = layout.generations / DIGEST / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    file = layout.generations / DIGEST / "manifest.json"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return layout


def test_the_kernel_values_of_format_1_are_those_that_its_files_set(tmp_path: Path) -> None:
    layout = host(tmp_path, json.dumps(OLDER))
    assert read(layout.generations / DIGEST).kernel == {
        "proc/sys/vm/swappiness": "1",
        "proc/sys/net/ipv4/tcp_rmem": "1 2 3",
        "sys/kernel/mm/thp": "never",
    }
    host(tmp_path, WHOLE.text)
    assert read(layout.generations / DIGEST).kernel == WHOLE.kernel


def test_compose_is_asked_for_the_mounts_of_format_1_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "named_by", lambda file: {str(file)})
    layout = host(tmp_path, json.dumps(OLDER))
    file = layout.generations / DIGEST / "docker-compose.yml"
    assert mounts.of_generation(layout, DIGEST) == {str(file)}
    host(tmp_path, WHOLE.text)
    assert mounts.of_generation(layout, DIGEST) == {"/var/lib/tempo-infra/services/x-1"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 4}, "it has format 4: a later version wrote it"),
        ({"format": 1}, "KeyError|no text|neither"),
        ({"instances": {"a": {"component": "a", "image": 3}}}, "'3' is no text"),
        ({"instances": {"a": {"component": "a", "image": "i", "listens": "all"}}}, "'all' is no list"),
        ({"instances": {"a": {"component": "a", "image": "i", "data": {"shards": 4}}}}, "'4' is no text"),
        (
            {
                "instances": {
                    "a": {"component": "a", "image": "i", "health": {"kind": "cql", "host": "x", "port": 1}}
                }
            },
            "KeyError: 'cql'",
        ),
        (
            {"instances": {"a": {"component": "a", "image": "i", "health": {"kind": "http", "host": "x"}}}},
            "KeyError: 'port'",
        ),
        ({"kernel": {"proc/sys/vm/swappiness": 1}}, "'1' is no text"),
        ({"networks": {"default": [1]}}, "'1' is no text"),
        ({"format": True}, "it has format True"),
        *(
            ({"files": {"etc/b": {"sha256": "x", key: one}}}, why)
            for key, why, wrong in (
                ("uid", "is no number of a user", (*NO_NUMBERS, "0", -1, 1 << 32)),
                ("mode", "is no mode", ("4755", "-755", "0o644", "00644", "0648", "")),
            )
            for one in wrong
        ),
        *(({"users": {"postgresql": one}}, "is no number of a user") for one in (*NO_NUMBERS, -1)),
        *(
            (
                {"instances": {"a": {"component": "a", "image": "i", "health": {**ASKED, **one}}}},
                "no host, port",
            )
            for one in ({"port": 0}, {"port": 1 << 16}, {"port": True}, {"service": 1}, {"host": None})
        ),
    ],
)
def test_what_is_of_another_shape_is_refused_whole(change: dict[str, object], why: str) -> None:
    body = json.loads(WHOLE.text)
    if change == {"format": 1}:
        body["services"] = {"a": {"image": "i"}}
    with pytest.raises(ManifestError, match=why):
        parse(json.dumps({**body, **change}))


def test_nothing_is_current_on_a_new_host(tmp_path: Path) -> None:
    assert manifest.current(Layout(tmp_path)) == manifest.NONE
    assert replace(manifest.NONE, host="a") != manifest.NONE


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/shadow",
        "../x",
        "etc/../../x",
        "etc//x",
        "./x",
        "etc/",
        "services",
        "services/",
        "services/x",
    ],
)
def test_a_path_that_no_file_of_a_generation_has_is_no_manifest(path: str) -> None:
    with pytest.raises(ManifestError, match="is no path of a file"):
        parse(json.dumps({"format": 2, "files": {path: {"sha256": DIGEST}}, "instances": {}}))
