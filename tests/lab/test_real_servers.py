"""Every rendered postgresql.conf on real servers of 15 to 18, and our table against their own word."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab import servers
from lab.paths import Home
from tempo_infra.inventory import load, parameters
from tempo_infra.inventory.cluster import Cluster, Postgres
from tempo_infra.render import parse, render
from tempo_infra.sizing import hugepages, size
from tempo_infra.topology import store
from tests.lab.throwaway import USER, ask, data_folder, run, started
from tests.unit.sizing.clusters import trio

pytestmark = pytest.mark.lab
EXAMPLES = {path.stem: load(path) for path in (Path(__file__).parents[2] / "inventory").glob("*.yaml")}
CLUSTERS = {**EXAMPLES, "64-gib": trio(64)}
FOUND = servers.programs(Home.locate())
COMPRESSION = {"wal_compression", "default_toast_compression"}  # lz4 and zstd: as the build was made
DISTRIBUTIONS = {"extension_destdir"}
"""Parameters of a distribution's own, which other builds refuse."""
# reset_val: tcp_keepalives_* show 0 in `setting` over a Unix socket
SHOWN = "select lower(name), coalesce(reset_val, ''), coalesce(unit, ''), vartype from pg_settings"
TABLE = (
    "select name, vartype, unit, min_val, max_val, array_to_string(enumvals, ','), context, boot_val"
    " from pg_settings where context <> 'internal'"
)


@pytest.fixture(scope="module", params=sorted(FOUND))
def server(request: pytest.FixtureRequest) -> Iterator[tuple[int, Path]]:
    """A major version, and a folder with its programs and an empty data directory."""
    with data_folder(FOUND[request.param]) as folder:
        yield int(request.param.partition(".")[0].partition(" ")[0]), folder


def test_there_are_servers_of_every_major() -> None:
    majors = {int(name.partition(".")[0].partition(" ")[0]) for name in FOUND}
    assert majors >= set(parameters.VERSIONS), "run `make servers`"


def conf_of(cluster: Cluster, version: int) -> str:
    one = replace(cluster, postgres=Postgres(str(version)))
    bundle = next(each for each in render(one, size(one)) if each.host == store(one).writer.name)
    return next(file for file in bundle.files if file.logical.endswith("postgresql.conf")).content.decode()


def compressed_as_built(conf: str, folder: Path) -> str:
    """The file with a method that the build has: those of npm lack lz4, the official images don't."""
    words = ("-C", "wal_compression", "-c", "wal_compression=lz4")
    lz4 = subprocess.run(
        [folder / "bin" / "postgres", "-D", folder / "data", *words],
        user=USER,
        capture_output=True,
        check=False,
    )
    if lz4.returncode == 0:
        return conf
    assert b"Available values: pglz" in lz4.stderr
    assert conf.count("wal_compression = lz4") == 1
    return conf.replace("wal_compression = lz4", "wal_compression = pglz")


def differences(conf: str, shown: list[tuple[str, ...]], version: int) -> dict[str, str]:
    """The lines that the server reads otherwise than they are written."""
    found = {name: (setting, kind) for name, setting, _, kind in shown}
    wrong = {}
    for name, written in parse.pgconf(conf).items():
        setting, kind = found[name.casefold()]
        if kind in {"integer", "real"}:
            same = parameters.in_base(version, name, written) == parameters.in_base(version, name, setting)
        else:
            same = parameters.checked(version, name, written) == setting
        if not same:
            wrong[name] = setting
    return wrong


@pytest.mark.parametrize("name", sorted(CLUSTERS))
def test_every_rendered_file_starts_and_is_read_as_meant(server: tuple[int, Path], name: str) -> None:
    version, folder = server
    conf = compressed_as_built(conf_of(CLUSTERS[name], version), folder)
    assert len(parse.pgconf(conf)) > 40
    with started(folder, conf) as socket:
        wrong = differences(conf, ask(socket, SHOWN), version)
    assert wrong.keys() == {"listen_addresses", "unix_socket_directories"}  # the trial's own


@pytest.mark.parametrize("buffers", ["512MB", "2GB", "16GB"])
@pytest.mark.parametrize("connections", [40, 140, 1000])
def test_huge_pages_are_never_too_few(server: tuple[int, Path], buffers: str, connections: int) -> None:
    version, folder = server
    values = {"shared_buffers": buffers, "max_connections": str(connections), "autovacuum_max_workers": "4"}
    options = [word for name, value in values.items() for word in ("-c", f"{name}={value}")]
    question = ("-C", "shared_memory_size_in_huge_pages")
    said = int(run(folder / "bin" / "postgres", "-D", folder / "data", *options, *question))
    assert said <= hugepages.pages(version, values) <= said * 1.01 + 36


def test_the_table_of_parameters_is_the_servers_own(server: tuple[int, Path]) -> None:
    version, folder = server
    with started(folder, "") as socket:
        rows = ask(socket, TABLE)
    theirs = {name.casefold(): values for name, *values in rows}
    known = parameters.postgresql(version)
    for name, one in known.items():
        kind, unit, low, high, words, context, _ = theirs[name]
        assert (one.kind, one.unit, one.context) == (kind, unit, context), name
        if kind in {"integer", "real"}:
            assert (one.low, one.high) == (float(low), float(high)), name
        if name not in COMPRESSION:
            assert set(one.words) <= set(words.split(",")), name
    for name in ("shared_buffers", "max_connections", "work_mem", "checkpoint_timeout", "autovacuum_naptime"):
        assert known[name].default == theirs[name][-1], name
    missing = theirs.keys() - known.keys()
    assert missing <= DISTRIBUTIONS
