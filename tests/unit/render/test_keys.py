"""Keys that the server would drop in silence are refused, and so is a compose file that is not ours."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.errors import InputError
from tempo_infra.render import parse, render
from tempo_infra.render.keys import (
    check_compose,
    check_dynamic,
    check_postgresql,
    check_temporal,
)
from tempo_infra.sizing import size
from tests.unit.sizing.clusters import trio

TEMPLATE = Path("templates/server.yaml.j2")


def rendered() -> dict[str, Any]:
    bundle = render(trio(), size(trio()))[1]
    path = next(file.path for file in bundle.files if file.path.endswith("server.yaml"))
    found = parse.yaml(bundle.file(path).content.decode())
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ((), "persistance"),
        (("persistence",), "numHistoryshards"),
        (("persistence", "datastores", "default", "sql"), "\u0441aFile"),  # a Cyrillic letter
        (("global", "membership"), "broadcastAdress"),
        (("services", "history", "rpc"), "bindOnIp"),
        (("services",), "histroy"),
        (("clusterMetadata", "clusterInformation", "active"), "rpcName"),
    ],
)
def test_a_misspelt_key_is_named(place: tuple[str, ...], key: str) -> None:
    document = copy.deepcopy(rendered())
    check_temporal(document, TEMPLATE)
    below = document
    for step in place:
        below = below[step]
    below[key] = "x"
    path = ".".join((*place, key))
    with pytest.raises(InputError, match=f"unknown key {path}"):
        check_temporal(document, TEMPLATE)


def test_a_missing_section_is_named() -> None:
    document = rendered()
    del document["dynamicConfigClient"]
    with pytest.raises(InputError, match="missing section dynamicConfigClient"):
        check_temporal(document, TEMPLATE)


@pytest.mark.parametrize("document", [None, [], "x"])
def test_a_configuration_is_a_mapping(document: object) -> None:
    with pytest.raises(InputError, match="is a mapping"):
        check_temporal(document, TEMPLATE)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"name": "tempo-infra", "services": {"a": {}}}, "services differ from the host's roles: b"),
        ({"name": "tempo-infra", "services": {"a": {}, "b": {}, "c": {}}}, "roles: c"),
        ({"name": "other", "services": {"a": {}, "b": {}}}, "name must be tempo-infra"),
        ({"name": "tempo-infra"}, "roles: a, b"),
        (None, "name must be"),
    ],
)
def test_a_compose_file_is_this_project_with_these_services(document: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_compose(document, TEMPLATE, "tempo-infra", {"a", "b"})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("io_method", "worker"), "PostgreSQL 17 knows no such parameter"),
        (("work_mem", "4mb"), "unit 'mb' does not fit"),
        (("fsync", "no"), "is refused: a crash of the host corrupts the database"),
        (("FSYNC", "f"), "is refused: a crash of the host corrupts the database"),
        (("auto_explain.log_min_duration", "1s"), "has no effect: no library auto_explain is loaded"),
    ],
)
def test_an_own_template_can_not_lose_data_either(line: tuple[str, str], message: str) -> None:
    check_postgresql({"jit": "off"}, TEMPLATE, 17)
    with pytest.raises(InputError, match=message):
        check_postgresql({"jit": "off", line[0]: line[1]}, TEMPLATE, 17)


def test_an_own_template_may_set_what_belongs_to_a_library_that_it_loads() -> None:
    check_postgresql(
        {"session_preload_libraries": "auto_explain", "auto_explain.log_analyze": "on"}, TEMPLATE, 17
    )


@pytest.mark.parametrize(
    "text",
    [
        "~",
        "history.rps:\n  - value: 5\n",
        "Frontend.namespaceRPS:\n- value: 5\n  constraints: {}\n- {value: 6, constraints: {NameSpace: a}}",
        "worker.perNamespaceWorkerOptions:\n  - value: {MaxConcurrentActivityTaskPollers: 2}\n",
        "matching.enableFairness:\n  - value: {new: true, start: 2026-01-01T00:00:00Z}\n",
        "matching.numTaskqueueReadPartitions:\n  - value: 5\n    constraints: {taskQueueName: q}\n",
    ],
)
def test_an_own_template_may_say_all_that_the_server_takes(text: str) -> None:
    check_dynamic(parse.yaml(text), TEMPLATE, "1.31.2", 512)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("history.rpz:\n  - value: 5\n", "history.rpz: Temporal 1.31.2 knows no such key"),
        ("history.rps: 5\n", "history.rps: a key has a list of entries, each with a value"),
        ("history.rps:\n  - 5\n", "a key has a list of entries"),
        ("history.rps:\n  - constraints: {}\n", "a key has a list of entries"),
        ("- history.rps: 5\n", "the file: a key has a list of entries"),
        ("history.rps:\n  - value: many\n", "history.rps: must be a whole number"),
        ("history.rps:\n  - value: [1]\n", "history.rps: must be a whole number"),
        ("history.rps:\n  - value: 1\n    constraint: {}\n", "an entry has a value and constraints"),
        (
            "history.rps:\n  - {value: 1, constraints: {nameSpace: a, host: b}}\n",
            "no constraint is called host; known are chasmtasktype",
        ),
        ("frontend.ListWorkersEnabled:\n  - value: true\n", "no service of Temporal 1.31.2 reads it"),
    ],
)
def test_dynamic_configuration_that_the_server_passes_over_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_dynamic(parse.yaml(text), TEMPLATE, "1.31.2", 512)
    assert message in str(caught.value)


def test_a_key_of_dynamic_configuration_has_one_spelling() -> None:
    """Which of two the server takes is not said anywhere; the inventory refuses them, too."""
    text = "history.rps:\n  - value: 3000\nHistory.RPS:\n  - value: 1\n"
    with pytest.raises(InputError, match=r"History.RPS: is history.rps, which is there already"):
        check_dynamic(parse.yaml(text), TEMPLATE, "1.31.2", 512)


def test_an_own_template_with_an_archive_that_nobody_makes_is_refused() -> None:
    with pytest.raises(InputError, match="archive_mode: keeps the whole log until the disk is full"):
        check_postgresql({"Archive_Mode": "on"}, TEMPLATE, 17)
    check_postgresql({"archive_mode": "off"}, TEMPLATE, 17)
    check_postgresql({"archive_mode": "on", "archive_command": "cp %p /x/%f"}, TEMPLATE, 17)
