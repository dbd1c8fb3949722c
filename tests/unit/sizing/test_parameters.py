"""What each version of PostgreSQL and Temporal knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.inventory import dynamic_config, parameters
from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing import size
from tempo_infra.sizing.postgres_lines import Given, postgresql
from tempo_infra.sizing.settings import GIB, Setting
from tests.unit.sizing.clusters import ALL, cluster, host, solo


@pytest.mark.parametrize("version", parameters.VERSIONS)
def test_there_is_a_table_for_each_major(version: int) -> None:
    known = parameters.postgresql(version)
    assert len(known) > 330
    assert known["shared_buffers"].default_text == "128MB"
    assert known["checkpoint_timeout"].default_text == "5min"


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("io_method", {18}),
        ("transaction_timeout", {17, 18}),
        ("old_snapshot_threshold", {15, 16}),
        ("promote_trigger_file", {15}),
        ("track_wal_io_timing", {15, 16, 17, 18}),
    ],
)
def test_versions_differ_where_they_do(name: str, versions: set[int]) -> None:
    assert {version for version in parameters.VERSIONS if name in parameters.postgresql(version)} == versions


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("work_mem", "16mb", "unit 'mb' does not fit; write it like 64MB"),
        ("work_mem", "16", "must be between 64 and 2147483647 kB"),
        ("work_mem", "much", "must be a number with a unit such as 64MB"),
        ("checkpoint_timeout", "15m", "unit 'm' does not fit; write it like 30s"),
        ("checkpoint_timeout", "15GB", "unit 'GB' does not fit; write it like 30s"),
        ("checkpoint_timeout", "2d", "must be between 30 and 86400 s"),
        ("log_file_mode", "08", "a number with 0 in front is octal, which 8 is not"),
        ("log_file_mode", "640", "must be between 0 and 511"),
        ("log_file_mode", "0o17", "must be a number"),
        ("work_mem", "-0100", "must be between 64 and 2147483647 kB"),
        ("fsync", "maybe", "must be on or off"),
        ("wal_compression", "gzip", "must be one of pglz, lz4, zstd, on, off"),
        (
            "io_method",
            "worker",
            "PostgreSQL 17 knows no such parameter",
        ),
        ("block_size", "8192", "PostgreSQL 17 knows no such parameter"),
        ("log_line_prefix", "a\nb", "use one line of text, at most 400 characters"),
    ],
)
def test_what_the_server_would_refuse_is_refused(name: str, text: str, what: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
        parameters.checked(17, name, text)
    assert str(caught.value) == what


@pytest.mark.parametrize(
    ("name", "text", "base"),
    [
        ("shared_buffers", "16384", 128 * 1024**2),
        ("shared_buffers", "2GB", 2 * GIB),
        ("max_wal_size", "1", 1024**2),
        ("checkpoint_timeout", "15min", 900),
        ("max_connections", "140", 140),
        ("random_page_cost", "1.1", 1.1),
        # As postgres 15 says with -C: a whole number is of base 8 or 16 by what stands in front of it.
        ("work_mem", "010MB", 8 * 1024**2),
        ("work_mem", "0x40MB", 64 * 1024**2),
        ("work_mem", "0x10 MB", 16 * 1024**2),
        ("log_file_mode", "0640", 416),
        ("log_file_mode", "0x100", 256),
        ("log_file_mode", "1e2", 100),
        ("log_file_mode", "010.5", 10.5),
        ("seq_page_cost", "010", 10),
    ],
)
def test_values_count_in_bytes_seconds_or_plain(name: str, text: str, base: float) -> None:
    assert parameters.in_base(17, name, text) == base


@pytest.mark.parametrize("version", parameters.VERSIONS)
@given(gib=st.floats(1, 512), vcpu=st.integers(1, 128), kind=st.sampled_from(["nvme", "hdd", "unknown"]))
def test_every_line_is_one_that_the_version_knows_and_takes(
    version: int, gib: float, vcpu: int, kind: str
) -> None:
    resources = host("h", memory_gib=gib, vcpu=vcpu, kind=kind).resources
    connections = Setting("max_connections", 140, "", "", "")
    for line in postgresql(Given(int(gib * GIB * 0.8), resources), connections, str(version)):
        assert parameters.checked(version, line.name, line.text)
        assert not isinstance(line.value, float) or line.name in {
            "random_page_cost",
            "checkpoint_completion_target",
        }


def test_every_dynamic_value_is_one_that_temporal_takes() -> None:
    two = cluster(*solo().hosts, host("h-2", Role.HISTORY, Role.MATCHING, internal="10.0.0.2", vcpu=1))
    seen = set()
    for one in (solo(2), solo(64), two, cluster(host("h", *ALL, vcpu=1, memory_gib=8))):
        for sized in size(one).hosts:
            for service in sized.temporal.values():
                for setting in service.dynamic:
                    assert dynamic_config.checked("1.31.2", setting.name, setting.scalar) is not None
                    seen.add(setting.name)
    assert {"history.persistenceMaxQPS", "history.alignMembershipChange"} <= seen
