"""The schema's job: what a cut-off first migration has left is started again, and only that."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import containers, psql, schema
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.steps import change

ARGS = change.Schema(deadline_s=300.0)
TOOLS = {"schema_version", "schema_update_history"}


class Database:
    """Answers as one with these tables, this version of the schema, and rows in some of them."""

    def __init__(self, tables: set[str], version: str, rows: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        self.tables, self.version, self.rows = tables, version, rows
        self.dropped = False

    def ask(self, query: str) -> list[dict[str, Any]]:
        if "pg_stat_activity" in query:
            return [{"query": "CREATE INDEX by_type\n ON t"}]
        if query == schema.TABLES:
            return [{"name": one} for one in sorted(self.tables)]
        if query == schema.VERSION:
            return [{"version": self.version}]
        return [{"one": any(query == schema.ROWS.format(table=one) for one in self.rows)}]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in order."""
    made: list[str] = []
    monkeypatch.setattr(psql, "database_container", lambda: "c0ffee")
    monkeypatch.setattr(containers, "wait_for_earlier", lambda _: made.append("wait"))

    def job(*_: object) -> dict[str, str]:
        made.append("job")
        return {"out": ""}

    monkeypatch.setattr(containers, "job", job)
    return made


def served(monkeypatch: pytest.MonkeyPatch, done: list[str], found: dict[str, Database]) -> None:
    def ask(_: str, query: str, *, database: str = "postgres", deadline_s: float) -> list[dict[str, Any]]:
        del deadline_s
        return found.get(database, next(iter(found.values()))).ask(query)

    def change(_: str, statements: str, *, database: str, deadline_s: float) -> None:
        del deadline_s
        assert statements == schema.DROP
        done.append(f"drop {database}")

    monkeypatch.setattr(psql, "ask", ask)
    monkeypatch.setattr(psql, "change", change)


EMPTY = Database(set(), "")
CUT = Database({*TOOLS, "namespaces", "namespace_metadata"}, "0.0")


@pytest.mark.parametrize(
    ("main", "cut"),
    [
        (CUT, True),
        (Database({*TOOLS, "executions_visibility"}, "0.0"), True),
        (EMPTY, False),
        (Database(TOOLS, "0.0"), False),  # set up, and nothing begun
        (Database({*TOOLS, "namespaces"}, "1.19"), False),
        (Database({*TOOLS, "namespaces"}, "1.0"), False),  # the tool goes on from there by itself
        (Database({"namespaces", "orders"}, ""), False),  # not the tool's
        (Database({*TOOLS, "namespaces"}, "0.0", {"namespaces"}), False),
        (Database({*TOOLS, "executions", "cluster_metadata_info"}, "0.0", {"cluster_metadata_info"}), False),
        (Database({*TOOLS, "executions_visibility"}, "0.0", {"executions_visibility"}), False),
    ],
)
def test_only_the_beginning_of_a_first_migration_is_begun_anew(
    monkeypatch: pytest.MonkeyPatch, done: list[str], main: Database, *, cut: bool
) -> None:
    said: list[str] = []
    served(monkeypatch, done, {"temporal": main, "temporal_visibility": EMPTY})
    assert schema.migrate(Layout(Path("/")), ARGS, said.append) == {"out": ""}
    assert done == ["wait", *(["drop temporal"] if cut else []), "job"]
    assert said == (["temporal: an earlier first migration was cut off, it starts again"] if cut else [])


def test_how_long_it_takes_and_at_what_it_is_are_said_meanwhile(
    monkeypatch: pytest.MonkeyPatch, done: list[str]
) -> None:
    heard, said = threading.Event(), []

    def say(text: str) -> None:
        said.append(text)
        heard.set()

    served(monkeypatch, done, {"temporal": EMPTY})
    monkeypatch.setattr(schema, "SAY_EVERY_S", 0.01)
    monkeypatch.setattr(containers, "job", lambda *_: heard.wait(20) and {"out": ""})
    schema.migrate(Layout(Path("/")), ARGS, say)
    assert said[0] == "0 s of at most 300 s: CREATE INDEX by_type ON t"
