"""What a service was started with names its folder; what it reads anew does not."""

from __future__ import annotations

import re

import pytest

from tempo_infra.components import COMPONENTS
from tempo_infra.inventory.parameters import VERSIONS, postgresql
from tempo_infra.render import parse
from tempo_infra.render.parse import READERS
from tempo_infra.render.reloadable import RELOADED, polls, started_with

SPECS = {spec.path: spec for one in COMPONENTS for spec in one.files}


def part(text: str, version: int = 17, path: str = "postgresql.conf") -> str:
    return started_with(SPECS[path], text, READERS[SPECS[path].reader](text), version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("setting", "stays"),
    [
        ("log_min_duration_statement = 250ms", True),  # superuser
        ("work_mem = 8MB", True),  # user
        ("max_wal_size = 4GB", True),  # sighup
        ("Autovacuum_Naptime = 30s", True),
        ("shared_buffers = 1GB", False),  # postmaster
        ("max_connections = 300", False),
        ("log_connections = on", False),  # superuser-backend: sessions that are there keep the old one
        ("post_auth_delay = 1s", False),  # backend
        ("pg_stat_statements.max = 9000", False),  # a library's: nobody knows
    ],
)
def test_only_what_a_reload_changes_in_every_session_is_left_out(
    version: int, setting: str, stays: bool
) -> None:
    other = re.sub(r"= .*", "= 'other'", setting)
    base = "max_locks_per_transaction = 64\n"
    assert (part(base + setting + "\n", version) == part(base + other + "\n", version)) is stays
    assert (part(base, version) == part(base + setting + "\n", version)) is stays


def test_comments_and_order_start_nothing_anew() -> None:
    assert part("# one\na.b = 1\nmax_connections = 3\n") == part("max_connections = 3\n# two\na.b = 1\n")


def test_each_version_has_parameters_of_both_kinds() -> None:
    for version in VERSIONS:
        contexts = {one.context for one in postgresql(version).values()}
        assert contexts >= {*RELOADED, "postmaster", "backend"}


@pytest.mark.parametrize(
    ("path", "stays"),
    [("pg_hba.conf", True), ("pg_ident.conf", True), ("server.yaml", False), ("migrate.sh", False)],
)
def test_who_may_log_in_is_read_anew_and_temporals_configuration_is_not(path: str, stays: bool) -> None:
    assert (part("one", path=path) == part("two", path=path)) is stays


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("frontend.rps: [{value: 2}]\n", True),
        ("FRONTEND.RPS: [{value: 1}]\n", True),
        ("frontend.rps: [{value: 1}]\nlimit.blobSize.error: [{value: 7}]\n", True),
        ("frontend.rps: [{value: 1}]\nhistory.acquireShardInterval: [{value: 15s}]\n", False),
        ("frontend.rps: [{value: 1}]\nhistory.persistenceMaxQPS: [{value: 0}]\n", False),
    ],
)
def test_of_the_dynamic_configuration_only_what_is_asked_for_once_names_the_folder(
    text: str, *, stays: bool
) -> None:
    before = part("frontend.rps: [{value: 1}]\n", path="dynamic.yaml")
    assert (part(text, path="dynamic.yaml") == before) is stays


SERVER = "log: {{level: {level}}}\ndynamicConfigClient: {{pollInterval: {every}}}\n"


@pytest.mark.parametrize(
    ("text", "soon"),
    [
        (SERVER.format(level="info", every="10s"), True),
        (SERVER.format(level="debug", every="5s"), True),
        (SERVER.format(level="info", every="60s"), False),
        (SERVER.format(level="warn", every="10s"), False),  # nobody would see whether it was taken up
        ("log: {level: info}\n", False),
        ("log: info\ndynamicConfigClient: [5s]\n", False),
    ],
)
def test_a_server_that_looks_seldom_or_says_nothing_is_started_anew(text: str, *, soon: bool) -> None:
    assert polls(parse.yaml(text)) is soon
