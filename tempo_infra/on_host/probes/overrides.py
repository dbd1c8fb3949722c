"""What the owner of a database, or a role for itself, has set beside the files, for whoever logs in there.

Such a setting can keep everybody out (a library that is not there, no connections) or stop all writing. Its
value is whatever its owner wrote and may read like a command of ours, so it is never shown.
"""

from __future__ import annotations

import re
from typing import Any

from tempo_infra.on_host import fit, psql

# Those that keep people out, stop writing or run as somebody else come first, so that no others hide them.
FIRST = (
    *("allow_connections", "connection limit", "local_preload_libraries", "session_preload_libraries"),
    *("default_transaction_read_only", "role", "session_authorization", "search_path", "row_security"),
    *("statement_timeout", "lock_timeout", "transaction_timeout", "idle_session_timeout"),
    *(
        "idle_in_transaction_session_timeout",
        "default_transaction_isolation",
        "default_transaction_deferrable",
    ),
)
MOST_ROWS = 100
# An expression, for a question in the superuser's own database.
QUERY = f"""(select coalesce(json_agg(o), '[]') from (
 select a.*, count(*) over () as total from (
  select coalesce(d.datname, '')::text as database, coalesce(r.rolname, '')::text as role,
   left(c.setting, 120) as setting
  from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase
  left join pg_roles r on r.oid = s.setrole cross join lateral unnest(s.setconfig) c(setting)
  union all select datname::text, '', 'ALLOW_CONNECTIONS=false' from pg_database
   where not datallowconn and datname <> 'template0'
  union all select datname::text, '', 'CONNECTION LIMIT=' || datconnlimit from pg_database
   where datconnlimit >= 0) a
 order by array_position(array[{", ".join(f"'{one}'" for one in FIRST)}], lower(split_part(setting, '=', 1))),
  database, role, setting limit {MOST_ROWS}) o)"""  # noqa: S608 - constants
BACK = {"ALLOW_CONNECTIONS": "ALLOW_CONNECTIONS true", "CONNECTION LIMIT": "CONNECTION LIMIT -1"}
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?", re.IGNORECASE)
PLAIN = re.compile(r"[a-z_][a-z0-9_]*")  # what needs no quotes
MANY = 6  # settings of one database or role: from there on all are taken back at once
SHOWN = 5  # names of so many
MOST_LINES = 15


def strange(rows: "list[dict[str, Any]]") -> "tuple[str, ...]":
    """Return those that provision does not make, each with what takes it back; many of one place together."""
    places: "dict[tuple[str, str], list[str]]" = {}
    for row in rows:
        database, role, setting = (str(row[one]) for one in ("database", "role", "setting"))
        if not _ours(database, role, setting):
            places.setdefault((database, role), []).append(setting.partition("=")[0])
    lines = [line for place, names in places.items() for line in _lines(*place, names)]
    left_out = max(0, len(lines) - MOST_LINES) + sum(int(row.get("total", 0)) for row in rows[:1])
    left_out -= len(rows) if rows and "total" in rows[0] else 0
    return (*lines[:MOST_LINES], *([f"{left_out} more of somebody's settings"] if left_out else []))


def _ours(database: str, role: str, setting: str) -> bool:
    acts = role in {"temporal_blue", "temporal_green"} and not database and setting == "role=temporal"
    plans = setting.startswith("plan_cache_mode=") and (role or database).startswith("temporal")
    lasts = (database, role, setting) == ("", psql.LOCAL, psql.OWN_TIME)
    return acts or plans or lasts


def _lines(database: str, role: str, names: "list[str]") -> "list[str]":
    of = f"ALTER ROLE {quoted(role)}" + (f" IN DATABASE {quoted(database)}" if database else "")
    of = of if role else f"ALTER DATABASE {quoted(database)}"
    fixed, settings = [one for one in names if one in BACK], [one for one in names if one not in BACK]
    known = [one for one in settings if NAME.fullmatch(one)]
    backs = [(one, BACK[one]) for one in fixed]
    if len(settings) < MANY and len(known) == len(settings):
        backs += [(one, f"RESET {one}") for one in known]
    elif settings:
        more = len(settings) - len(known[:SHOWN])
        backs.append((", ".join(known[:SHOWN]) + (" and " if known else "") + f"{more} more", "RESET ALL"))
    return [f"{what} for {quoted(role or database)} (in the database postgres: {of} {back})"
            for what, back in backs]  # fmt: skip


def quoted(name: str) -> str:
    return name if PLAIN.fullmatch(name) else '"{}"'.format(fit.text(name).replace('"', '""'))
