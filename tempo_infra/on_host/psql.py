"""SQL through the socket of our database's container: the one place that calls psql.

Who asks follows from the database alone, so that no caller can get it wrong. A view, an operator, a rule or a
policy runs what its owner wrote as whoever reads it. So the superuser goes into its own database only, where
nobody else may connect, and everywhere else LOCAL does: a login that may do what the owner of Temporal's
databases may, and nothing more. It is the session's own role; SET ROLE would be undone by one RESET.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

from tempo_infra.on_host import engine, said
from tempo_infra.on_host.inside import inside
from tempo_infra.on_host.shell import StepError

SERVICE = "postgresql"
SUPERUSER, ITS_DATABASE = "postgres", "postgres"
LOCAL = "temporal_local"  # on the container's socket only, without a password
ENGINE_S = 20.0
MOST_CHARACTERS = 4 * 1024 * 1024  # of one answer
LONGEST_S = 120.0  # no session of ours lasts longer
# They win over what the database's owner has set for it (ALTER DATABASE). What stands in there is named with
# its schema; operators, casts and functions are the server's own.
FIXED = (
    "local_preload_libraries=",  # one that is not there would keep everybody out, us too
    "search_path=pg_catalog,pg_temp",
    "role=none",
    "row_security=off",  # an error rather than rows that are left out
    "client_min_messages=error",
    "client_encoding=UTF8",
    "standard_conforming_strings=on",
    "default_transaction_deferrable=off",
    "client_connection_check_interval=2s",  # a statement ends with its client
)
# What is asked there has to be a table with columns of the server's own types: then nothing that somebody
# wrote runs, and the answer is the table's. A child's rows would be among its parent's.
ASKED = re.compile(r"\bpublic\.(\w+)")
TABLES = """
do $check$ declare found text; begin
select string_agg(format('public.%s: %s', c.relname, w.why), '; ' order by c.relname, w.why) into found
from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
cross join lateral (
 select 'it is no table' as why where c.relkind not in ('r', 'p')
 union all select 'it has rules' where c.relkind in ('r', 'p') and exists (select from pg_rewrite w
  where w.ev_class = c.oid)
 union all select 'it has row policies' where c.relrowsecurity
 union all select 'rows of another one are among its own' where exists (select from pg_inherits i
  where i.inhparent = c.oid and c.relkind <> 'p')
 union all select format('its column %s has a type that the server does not bring', a.attname)
  from pg_attribute a join pg_type t on t.oid = a.atttypid where a.attrelid = c.oid and a.attnum > 0
  and not a.attisdropped and t.typnamespace <> 'pg_catalog'::regnamespace
) w where c.relname = any (array[{names}]);
if found is not null then raise exception using errcode = 'TI001', message = left(found, 400); end if;
end $check$;
"""
NOT_THE_TABLE = re.compile(r"ERROR:\s+(public\.\w+: .*)")
DATABASE = re.compile(r"[a-z][a-z0-9_]*")  # psql takes other words for a connection's parameters
COMMAND = re.compile(r"\\(?!gexec\b)")  # one of psql's own, as \connect: then the database is another
SHUT_OUT = re.compile(r"pg_hba\.conf|eer authentication failed|role \"\w+\" does not exist")
LEFT_OVER = f"""
select pg_terminate_backend(pid) as ended from pg_stat_activity
where usename = '{LOCAL}' and backend_start < now() - interval '{LONGEST_S:g} s'
"""  # noqa: S608 - constants


def database_container() -> str:
    """Return the id of the database's container; StepError when none runs."""
    running = engine.listed(engine.KEPT_RUNNING, stopped=False, deadline_s=ENGINE_S)
    ours = [str(one["Id"]) for one in running if engine.named(one["Labels"]) == SERVICE]
    if not ours:
        raise StepError(f"{SERVICE} is not running")
    return ours[0]


def user_in(database: str) -> str:
    """Return the role that goes into a database."""
    return SUPERUSER if database == ITS_DATABASE else LOCAL


def ask(
    container: str, query: str, *, database: str = ITS_DATABASE, deadline_s: float
) -> "list[dict[str, Any]]":
    """Return the rows of one query by column; StepError when it fails or answers with too much.

    The values are what the database's owner wants them to be: cast each column to a type of the server's own,
    cut texts, limit the rows. The transaction is read-only from its begin, which nothing in it can change.
    """
    text = f"select left(coalesce(json_agg(r)::text, '[]'), {MOST_CHARACTERS + 1}) from ({query}) r"  # noqa: S608
    names = ", ".join(f"'{name}'" for name in sorted(set(ASKED.findall(query))))
    checked = TABLES.format(names=names) if names else ""
    answer = _run(container, checked + text, database, deadline_s, "on")
    if len(answer) > MOST_CHARACTERS:
        raise StepError(f"SQL in {database}: an answer of more than {MOST_CHARACTERS} characters")
    try:
        rows = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise StepError(f"SQL in {database}: an answer that makes no sense") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise StepError(f"SQL in {database}: an answer that is not rows")
    return rows


def change(container: str, statements: str, *, database: str = ITS_DATABASE, deadline_s: float) -> None:
    """Run statements, up to the first that fails: then StepError."""
    _run(container, statements, database, deadline_s, "off")


def _run(container: str, text: str, database: str, deadline_s: float, read_only: str) -> str:
    if DATABASE.fullmatch(database) is None or COMMAND.search(text):
        raise ValueError(f"{database}: a database's plain name and plain SQL only")
    milliseconds = round(min(deadline_s, LONGEST_S) * 1000)
    settings = (
        *FIXED,
        f"default_transaction_read_only={read_only}",
        f"statement_timeout={milliseconds}",
        f"lock_timeout={milliseconds // 2}",
    )
    user = user_in(database)
    words = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database, "-f", "-"]
    options = "PGOPTIONS=" + " ".join(f"-c {one}" for one in settings)
    try:
        output = inside(container, words, deadline_s=deadline_s, environment=[options], stdin=text.encode())
    except StepError:
        if user == LOCAL:
            _end_left_over(container)
        raise
    if output.returncode == 0:
        return output.out
    if user == LOCAL and SHUT_OUT.search(output.err):
        raise StepError(
            f"PostgreSQL does not let {LOCAL} in, through which tempo-infra asks in {database}",
            remedy="provision of the database's host makes that login and lets it in",
        )
    if planted := NOT_THE_TABLE.search(output.err):
        raise StepError(
            f"{database} answers, but not from Temporal's tables: {planted[1]}",
            remedy="whoever has the database's password can put that there: look at it, take it away, then "
            "tempo-infra secrets rotate",
        )
    raise StepError(f"SQL in {database}: {output.last_words}", remedy=said.remedy(said.SQL, output.err))


def _end_left_over(container: str) -> None:
    """End sessions that outlived their client: a function can refuse to be cancelled, not to be ended."""
    with contextlib.suppress(StepError):
        ask(container, LEFT_OVER, deadline_s=5.0)
