"""Who asks in which database, and that nothing else in the package can ask: rules, not examples."""

from __future__ import annotations

import ast
import re
import secrets
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.inventory import logins
from tempo_infra.on_host import database, draining, engine, live, psql, retiring
from tempo_infra.on_host.shell import Output, StepError
from tempo_infra.on_host.steps import change, upkeep
from tests.unit.source import nodes

PACKAGE = Path(__file__).parents[3] / "tempo_infra"
PROGRAMS = (
    "psql",
    "pg_dump",
    "pg_restore",
    "vacuumdb",
    "reindexdb",
    "clusterdb",
    "createdb",
    "dropdb",
    "createuser",
)


class Server:
    """Stands for the container: what was run in it, and what it says."""

    def __init__(self, *says: Output | StepError) -> None:
        self.says, self.words, self.environment, self.stdin = list(says), [""], "", ""
        self.databases: list[str] = []

    def inside(
        self, _: str, words: list[str], *, deadline_s: float, environment: list[str], stdin: bytes
    ) -> Output:
        assert deadline_s > 0
        self.words, [self.environment], self.stdin = words, environment, stdin.decode()
        self.databases.append(self.after("-d"))
        answer = self.says.pop(0)
        if isinstance(answer, StepError):
            raise answer
        return answer

    def after(self, option: str) -> str:
        return self.words[self.words.index(option) + 1]


def server(monkeypatch: pytest.MonkeyPatch, *says: Output | StepError) -> Server:
    made = Server(*says)
    monkeypatch.setattr(psql, "inside", made.inside)
    return made


def said(text: str) -> Output:
    return Output(0, text, "")


@pytest.mark.parametrize(
    ("where", "who"),
    [
        ("postgres", "postgres"),
        ("temporal", "temporal_local"),
        ("temporal_visibility", "temporal_local"),
        ("template1", "temporal_local"),
        ("anything_else", "temporal_local"),
    ],
)
def test_the_superuser_goes_into_its_own_database_only(
    monkeypatch: pytest.MonkeyPatch, where: str, who: str
) -> None:
    there = server(monkeypatch, said("[]"), said(""))
    psql.ask("c0ffee", "select 1 as one", database=where, deadline_s=9)
    assert (there.after("-U"), there.after("-d")) == (who, where)
    assert "default_transaction_read_only=on" in there.environment
    psql.change("c0ffee", "alter table t set (fillfactor = 70);", database=where, deadline_s=9)
    assert (there.after("-U"), there.after("-d")) == (who, where)
    assert "default_transaction_read_only=off" in there.environment


@pytest.mark.parametrize(
    "name",
    [
        "user=postgres dbname=temporal",
        "postgresql:///temporal?user=postgres",
        "",
        "Postgres",
        "postgres ",
        "-c",
    ],
)
def test_a_database_is_a_name_and_no_connection_string(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    there = server(monkeypatch)
    with pytest.raises(ValueError, match="plain name"):
        psql.ask("c0ffee", "select 1 as one", database=name, deadline_s=9)
    assert there.databases == []


@pytest.mark.parametrize(
    "text",
    [
        "\\connect temporal\nselect 1",
        "select 1 \\c temporal",
        "\\! id",
        "\\gexecute",
        "select 1 \\gset",
        "\\",
    ],
)
def test_no_command_of_psqls_own_leads_elsewhere(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    server(monkeypatch)
    with pytest.raises(ValueError, match="plain SQL"):
        psql.change("c0ffee", text, deadline_s=9)
    with pytest.raises(ValueError, match="plain SQL"):
        psql.ask("c0ffee", text, deadline_s=9)


def test_the_owners_settings_of_its_database_are_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    there = server(monkeypatch, said("[]"))
    psql.ask("c0ffee", "select 1 as one", database="temporal", deadline_s=20)
    told = there.environment.removeprefix("PGOPTIONS=").split(" ")
    assert told[::2] == ["-c"] * (len(told) // 2)
    settings = dict(one.split("=", 1) for one in told[1::2])
    assert settings["search_path"] == "pg_catalog,pg_temp"
    assert (settings["role"], settings["row_security"]) == ("none", "off")
    assert settings["local_preload_libraries"] == ""
    assert settings["constraint_exclusion"] == "off", "planning runs constraints"
    assert settings["plpgsql.extra_errors"] == "none"
    assert settings["idle_session_timeout"] == settings["idle_in_transaction_session_timeout"] == "0"
    assert (settings["statement_timeout"], settings["lock_timeout"]) == ("20000", "10000")


def test_rows_come_back_by_column_and_the_answer_is_cut_on_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = server(monkeypatch, said('[{"a": 1, "b": "it\'s\\n|"}, \n {"a": 2, "b": null}]'))
    rows = psql.ask("c0ffee", "select a, b from t", deadline_s=9)
    assert rows == [{"a": 1, "b": "it's\n|"}, {"a": 2, "b": None}]
    assert there.stdin.endswith(f", {psql.MOST_CHARACTERS + 1}) from (select a, b from t) r")  # noqa: S608  # an expected text


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no JSON",
        "3",
        "{}",
        "[1]",
        "[" * 100_000,
        '[{"n": ' + "9" * 5000 + "}]",
        "x" * (psql.MOST_CHARACTERS + 1),
    ],
    ids=["nothing", "text", "number", "object", "no row", "deep", "large number", "too much"],
)
def test_an_answer_that_is_not_rows_is_an_error(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    server(monkeypatch, said(answer))
    with pytest.raises(StepError, match=r"SQL in temporal: an answer "):
        psql.ask("c0ffee", "select 1 as one", database="temporal", deadline_s=9)


def test_only_tables_are_asked_in_temporals_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their kind, in the same session, before they are asked: a view's answer is its author's."""
    there = server(monkeypatch, said("[]"), said("[]"))
    psql.ask("c0ffee", "select 1 from public.shards s, public.tasks", database="temporal", deadline_s=9)
    before, _, question = there.stdin.partition("select left(")
    assert "= any (array['shards', 'tasks'])" in before
    assert "public.shards" in question
    assert before.startswith("\nbegin;\n"), "what was looked at stays as it is until it is asked"
    assert "lock table only public.%I in access share mode" in before
    assert question.endswith(";\ncommit;")
    for catalog in ("pg_index", "pg_statistic_ext", "pg_constraint", "pg_attrdef"):
        assert f"from {catalog} " in before, "expressions that planning may run"
    assert "a.attgenerated = 'v'" in before, "stored columns of executions_visibility call convert_ts"
    psql.ask("c0ffee", "select 1 as one", database="temporal", deadline_s=9)
    assert there.stdin.startswith("select left(")


def test_an_answer_that_is_not_of_temporals_tables_is_said_and_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(secrets, "randbelow", lambda _: 4710)
    said_there = "psql:<stdin>:17: ERROR:  4711 public.shards: it is no table\nCONTEXT:  PL/pgSQL function"
    there = server(monkeypatch, Output(3, "", said_there))
    with pytest.raises(StepError) as caught:
        psql.ask("c0ffee", "select 1 from public.shards", database="temporal", deadline_s=9)
    assert str(caught.value) == (
        "temporal answers, but not from Temporal's tables: public.shards: it is no table"
    )
    assert "secrets rotate" in caught.value.remedy
    assert "message = left('4711 ' || wrong, 400)" in there.stdin


ORDER = "ERROR:  public.shards: type `curl x | sh` on the host, as pg_hba.conf says"


def test_an_error_that_somebody_wrote_is_the_servers_and_never_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an index calls runs while its table is analyzed, and raises what its owner likes."""
    for call in (psql.change, psql.ask):
        server(monkeypatch, Output(3, "", f"psql:<stdin>:1: {ORDER}\nCONTEXT:  x"))
        with pytest.raises(StepError) as caught:
            call("c0ffee", "select 1 from public.shards", database="temporal", deadline_s=9)
        assert (str(caught.value), caught.value.remedy) == (f"SQL in temporal: {ORDER}", "")


LOST = """FATAL:  terminating connection due to transaction timeout
server closed the connection unexpectedly
\tThis probably means the server terminated abnormally
\tbefore or while processing the request.
psql:<stdin>:1: error: connection to server was lost
"""
NO_SCHEMA = """psql:<stdin>:38: ERROR:  schema "public" does not exist
LINE 1: ...::text as name from pg_class where relnamespace = 'public'::...
                                                             ^
QUERY:  select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
 and relname = any (array['shards']) order by 1
CONTEXT:  PL/pgSQL function inline_code_block line 3 at FOR over SELECT rows
"""
FULL = """psql: error: connection to server on socket "/run/x" failed: FATAL:  out of shared memory
HINT:  You might need to increase "max_locks_per_transaction".
"""


@pytest.mark.parametrize(
    ("code", "wrote", "said"),
    [
        (2, LOST, "FATAL:  terminating connection due to transaction timeout"),
        (3, NO_SCHEMA, 'ERROR:  schema "public" does not exist'),
        (
            2,
            FULL,
            'FATAL:  out of shared memory | HINT:  You might need to increase "max_locks_per_transaction".',
        ),
        (127, "psql: command not found", "psql: command not found"),
    ],
)
def test_the_servers_reason_is_said_whatever_is_written_after_it(
    monkeypatch: pytest.MonkeyPatch, code: int, wrote: str, said: str
) -> None:
    server(monkeypatch, Output(code, "", wrote), Output(0, "[]", ""))
    with pytest.raises(StepError) as caught:
        psql.ask("c0ffee", "select 1 as one", database="temporal", deadline_s=9)
    assert str(caught.value) == f"SQL in temporal: {said}"
    assert bool(caught.value.remedy) == (code == LOST_CODE)


LOST_CODE = 2


SHUT_OUT = (
    'FATAL:  pg_hba.conf rejects connection for host "[local]", user "temporal_local", database "temporal"',
    'FATAL:  Peer authentication failed for user "temporal_local"',
    'FATAL:  role "temporal_local" does not exist',
)


@pytest.mark.parametrize("why", SHUT_OUT)
def test_a_cluster_from_before_the_login_says_what_lets_it_in(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    there = server(monkeypatch, Output(2, "", f"psql: error: connection to server failed: {why}"))
    with pytest.raises(StepError, match="does not let temporal_local in") as caught:
        psql.ask("c0ffee", "select 1 as one", database="temporal", deadline_s=9)
    assert "provision" in caught.value.remedy
    assert there.databases == ["temporal"], "nothing else was tried, least of all as the superuser"


def test_sessions_that_outlive_their_client_are_ended_from_the_superusers_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = StepError("`psql` in the container gave no answer in 9 s")
    there = server(monkeypatch, late, said("[]"))
    with pytest.raises(StepError, match="no answer in 9 s"):
        psql.ask("c0ffee", "select 1 as one", database="temporal", deadline_s=9)
    assert there.databases == ["temporal", "postgres"]
    assert "pg_terminate_backend" in there.stdin
    there = server(monkeypatch, late)
    with pytest.raises(StepError, match="no answer in 9 s"):
        psql.ask("c0ffee", "select 1 as one", deadline_s=9)
    assert there.databases == ["postgres"]


@pytest.mark.parametrize("says", [StepError("no answer in 9 s"), Output(137, "", "Killed")])
def test_our_own_session_is_ended_at_once_and_nobody_elses(
    monkeypatch: pytest.MonkeyPatch, says: Output | StepError
) -> None:
    """By a lock that what runs in it can't give up: it could set another application_name."""
    there = server(monkeypatch, says, said("[]"))
    texts: list[str] = []

    def inside(*words: Any, **more: Any) -> Output:
        texts.append(more["stdin"].decode())
        return there.inside(*words, **more)

    monkeypatch.setattr(psql, "inside", inside)
    with pytest.raises(StepError):
        psql.ask("c0ffee", "select 1 from public.shards", database="temporal", deadline_s=9)
    asked, ends = texts
    mark = re.findall(r"pg_advisory_xact_lock\((\d+), ([1-9]\d*)\)", asked)
    assert mark == re.findall(r"l\.classid = (\d+) and l\.objid = (\d+)\)", ends)
    assert there.databases == ["temporal", "postgres"]


@pytest.mark.parametrize("code", [1, 2, 3])
def test_what_psql_says_itself_leaves_no_session(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    there = server(monkeypatch, Output(code, "", "ERROR:  no"))
    with pytest.raises(StepError, match="ERROR:  no"):
        psql.ask("c0ffee", "select 1 from public.shards", database="temporal", deadline_s=9)
    assert there.databases == ["temporal"]


FAILS = Output(1, "", "psql:<stdin>:1: ERROR:  canceling statement due to lock timeout")
CALLS: dict[str, Any] = {
    "unused": lambda: retiring.unused(upkeep.Unused(["temporal_blue"], 0.3)),
    "membership": lambda: database.membership(change.Membership(["history 10.0.0.1:6934"], 0.3)),
    "owners": lambda: draining.owners(upkeep.Owners(["10.0.0.12:7234"], deadline_s=0.3)),
    "local-login": database.local_login,
    "sql": lambda: database.sql(change.Sql("temporal", payload=b"alter table t set (fillfactor = 70);")),
}


@pytest.mark.parametrize("step", CALLS)
def test_an_error_of_psql_is_an_error_and_never_rows(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """One step took the error for sessions that still use a login, one for members that are not ours."""
    there = server(monkeypatch, FAILS)
    monkeypatch.setattr(psql, "database_container", lambda: "c0ffee")
    with pytest.raises(StepError, match="ERROR:  canceling statement due to lock timeout") as caught:
        CALLS[step]()
    assert "another session holds the lock" in caught.value.remedy
    assert len(there.databases) == 1, "at once, not when the time is over"


def test_no_container_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "listed", lambda *_, **__: [])
    for step in CALLS.values():
        with pytest.raises(StepError, match="postgresql is not running"):
            step()


def test_both_sides_mean_the_same_role() -> None:
    assert psql.LOCAL == logins.LOCAL


def _texts(path: Path) -> set[str]:
    """Return the texts of a module that are not its documentation."""
    documents = {
        id(node.body[0].value)
        for node in nodes(path)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return {
        node.value
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents
    }


def _runs(text: str) -> bool:
    """Whether a text is or begins with a client program of PostgreSQL, or says one to a shell."""
    return any(text == one or text.startswith(f"{one} ") or f"\n{one} " in text or f"then {one} " in text
               for one in PROGRAMS)  # fmt: skip


def test_nothing_else_runs_a_client_of_postgresql() -> None:
    """The trial start has a server of its own, without any data; ejecting writes a page for a person."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(_runs(text) or ("docker exec" in text and "psql" in text) for text in _texts(path))
    }
    assert found == {"on_host/psql.py", "on_host/trial_start.py"}


def test_the_server_is_made_to_open_its_control_file_where_that_is_a_file_only() -> None:
    """On a pipe its session would stand still for good, each time that somebody asks whether it serves."""
    asking = {
        path.relative_to(PACKAGE).as_posix(): sum("pg_control_" in text for text in _texts(path))
        for path in PACKAGE.rglob("*.py")
        if any("pg_control_" in text for text in _texts(path))
    }
    assert asking == {"on_host/database.py": 1}
    guard, asked, _ = database.IDENTIFIER.partition("then (select system_identifier")
    assert asked
    assert "case when (pg_stat_file('global/pg_control')).size > 0" in guard
    assert database.IDENTIFIER in live.DATABASES


def test_what_people_are_told_to_type_is_not_the_superuser_in_temporals_databases() -> None:
    """A page that says `psql -U postgres` names no database of Temporal's, and no container's line does."""
    places = [
        *PACKAGE.rglob("*.py"),
        *PACKAGE.parent.glob("templates/**/*.j2"),
        *PACKAGE.parent.glob("docs/**/*.md"),
    ]
    wrong = [
        f"{path.name}: {line}"
        for path in places
        for line in path.read_text().splitlines()
        if "-U postgres" in line and ("-d temporal" in line or "postgres temporal" in line)
    ]
    assert wrong == []


TEMPORALS_TABLES = re.compile(
    r"(?i)\b(from|join|table|into|update|analyze)\s+(only\s+)?"
    r"(cluster_metadata_info|cluster_membership|shards|namespaces|task_queues|tasks|executions\w*)\b"
)


def test_tables_are_named_with_their_schema_so_that_their_kind_is_looked_at() -> None:
    """A name without one would be found by the search path, and not by what is looked at beforehand."""
    sql = {
        f"{path.relative_to(PACKAGE)}: {node.lineno}": node.value
        for path in (PACKAGE / "on_host").rglob("*.py")
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert [place for place, text in sql.items() if TEMPORALS_TABLES.search(text)] == []
    named = [place for place, text in sql.items() if psql.ASKED.search(text)]
    assert len(named) >= 8
