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
import secrets
from typing import Any

from tempo_infra.on_host import engine, remedies
from tempo_infra.on_host.inside import inside
from tempo_infra.on_host.shell import Output, StepError
from tempo_infra.on_host.steps.change import ITS_DATABASE

SERVICE = "postgresql"
SUPERUSER = "postgres"
LOCAL = "temporal_local"  # on the container's socket only, without a password
ENGINE_S = 20.0
MOST_CHARACTERS = 4 * 1024 * 1024  # of one answer
LONGEST_S = 120.0  # no session of ours lasts longer
# Set for LOCAL itself, which wins over what a database has: before PostgreSQL 17 no connection can bring it.
OWN_TIME = "transaction_timeout=0"
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
    "constraint_exclusion=off",  # a constraint is an expression that planning would evaluate
    "plpgsql.extra_errors=none",
    "idle_session_timeout=0",
    "idle_in_transaction_session_timeout=0",
    "client_connection_check_interval=2s",  # a statement ends with its client
)
# What is asked there has to be a table with columns of the server's own types: then nothing that somebody
# wrote runs, and the answer is the table's. A child's rows would be among its parent's. Planning alone runs
# what constant expressions call, in indexes, statistics and constraints: those of Temporal's own tables call
# and name nothing that initdb has not made (access/transam.h, FirstNormalObjectId). Its stored columns do
# (convert_ts), and writing alone runs those.
# The lock keeps the table what it was found to be; the other tells our session from all others', and nothing
# that runs in there can give it up before the transaction ends.
MARK, OWN = 0x7E4D, 16384
ASKED = re.compile(r"\bpublic\.(\w+)")
TABLES = """
begin;
do $check$ declare wrong text; one name; begin
perform pg_advisory_xact_lock({mark}, {ours});
for one in select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
 and relname = any (array[{names}]) order by 1 loop
 execute format('lock table only public.%I in access share mode', one);
end loop;
select string_agg(format('public.%s: %s', c.relname, w.why), '; ' order by c.relname, w.why) into wrong
from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
cross join lateral (
 select 'it is no table' as why where c.relkind not in ('r', 'p')
 union all select 'it has rules' where c.relkind in ('r', 'p') and exists (select from pg_rewrite w
  where w.ev_class = c.oid)
 union all select 'it is partitioned, or a partition' where c.relkind = 'p' or c.relispartition
 union all select 'it has row policies' where c.relrowsecurity
 union all select 'rows of another one are among its own' where exists (select from pg_inherits i
  where i.inhparent = c.oid and c.relkind <> 'p')
 union all select format('%s of it calls what the server does not bring', part.what) from (
  select 'an index' as what, 'pg_class'::regclass as class, x.indexrelid as id from pg_index x
   where x.indrelid = c.oid
  union all select 'a statistics object', 'pg_statistic_ext'::regclass, s.oid from pg_statistic_ext s
   where s.stxrelid = c.oid
  union all select 'a constraint', 'pg_constraint'::regclass, k.oid from pg_constraint k
   where k.conrelid = c.oid
  union all select 'a virtual column', 'pg_attrdef'::regclass, d.oid from pg_attrdef d
   join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
   where d.adrelid = c.oid and a.attgenerated = 'v'
 ) part where exists (select from pg_depend p where p.classid = part.class and p.objid = part.id
  and p.refobjid >= {own}
  and p.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass))
 union all select format('its column%s has a type that the server does not bring',
  case when a.attname ~ '^[a-z_][a-z0-9_]*$' then ' ' || a.attname else '' end)
  from pg_attribute a join pg_type t on t.oid = a.atttypid where a.attrelid = c.oid and a.attnum > 0
  and not a.attisdropped and t.typnamespace <> 'pg_catalog'::regnamespace
) w where c.relname = any (array[{names}]);
if wrong is not null then
 raise exception using errcode = 'TI001', message = left('{ours} ' || wrong, 400);
end if;
end $check$;
"""
# Of an error the words of the check above, by a number that nobody else knows.
NOT_THE_TABLE = r"ERROR:\s+%d (public\.\w+: .*)"
DATABASE = re.compile(r"[a-z][a-z0-9_]*")  # psql takes other words for a connection's parameters
COMMAND = re.compile(r"\\(?!gexec\b)")  # one of psql's own, as \connect: then the database is another
LOST = 2  # what it ends with when its connection is not made, or lost
PSQLS_OWN = 3  # what psql ends with by itself is no more: else it was killed, and its session may live on
SHUT_OUT = re.compile(r"pg_hba\.conf|eer authentication failed|role \"\w+\" does not exist")
FAILED = re.compile(r"((?:ERROR|FATAL|PANIC):  .*)")
HINTS = re.compile(r"(?m)^(?:DETAIL|HINT):  .*")
LEFT_OVER = f"""
select pg_terminate_backend(a.pid) as ended from pg_stat_activity a where a.usename = '{LOCAL}'
and (a.backend_start < now() - interval '{LONGEST_S:g} s' or exists (select from pg_locks l
 where l.pid = a.pid and l.locktype = 'advisory' and l.granted and l.objsubid = 2
 and l.classid = {MARK} and l.objid = %d))
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
    text = f"select left(coalesce(json_agg(r)::text, '[]'), {MOST_CHARACTERS + 1}) from ({query}) r"  # noqa: S608  # queries of ours, no word of others
    names = ", ".join(f"'{name}'" for name in sorted(set(ASKED.findall(query))))
    ours = secrets.randbelow(2**31 - 1) + 1
    if names:
        text = TABLES.format(names=names, mark=MARK, ours=ours, own=OWN) + text + ";\ncommit;"
    answer = _run(container, text, database, deadline_s, "on", ours)
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


def _run(container: str, text: str, database: str, deadline_s: float, read_only: str, ours: int = 0) -> str:
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
            _end_left_over(container, ours)
        raise
    if output.returncode == 0:
        return output.out
    if user == LOCAL and output.returncode > PSQLS_OWN:
        _end_left_over(container, ours)
    if user == LOCAL and output.returncode == LOST and SHUT_OUT.search(output.err):
        raise StepError(
            f"PostgreSQL does not let {LOCAL} in, through which tempo-infra asks in {database}",
            remedy="provision of the database's host makes that login and lets it in",
        )
    if ours and (planted := re.search(NOT_THE_TABLE % ours, output.err)):
        raise StepError(
            f"{database} answers, but not from Temporal's tables: {planted[1]}",
            remedy="whoever has the database's password can put that there: look at it, take it away, then "
            "tempo-infra secrets rotate",
        )
    raise StepError(f"SQL in {database}: {_said(output)}", remedy=remedies.remedy(remedies.SQL, output.err))


def _said(output: Output) -> str:
    """Return the server's first error, with its hint; what else it or psql writes after that is no reason."""
    found = FAILED.search(output.err)
    if found is None:
        return output.last_words
    return " | ".join((found[1], *HINTS.findall(output.err[found.end() :])[:2]))[:400]


def _end_left_over(container: str, ours: int) -> None:
    """End sessions that outlived their client: a function can refuse to be cancelled, not to be ended."""
    with contextlib.suppress(StepError):
        ask(container, LEFT_OVER % ours, deadline_s=5.0)
