"""What the owner of a database, or a role for itself, has set beside the files, for whoever logs in there.

Such a setting can keep everybody out (a library that is not there, no connections) or stop all writing.
"""

from __future__ import annotations

import re
from typing import Any

# An expression, for a question in the superuser's own database.
QUERY = """(select coalesce(json_agg(o), '[]') from (
 select coalesce(d.datname, '')::text as database, coalesce(r.rolname, '')::text as role,
  left(c.setting, 120) as setting
 from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase
 left join pg_roles r on r.oid = s.setrole cross join lateral unnest(s.setconfig) c(setting)
 union all select datname::text, '', 'ALLOW_CONNECTIONS=false' from pg_database
  where not datallowconn and datname <> 'template0'
 union all select datname::text, '', 'CONNECTION LIMIT=' || datconnlimit from pg_database
  where datconnlimit >= 0 limit 50) o)"""
PLAIN = re.compile(r"[a-z_][a-z0-9_.]*", re.ASCII)  # a name that needs no quotes in SQL
BACK = {"ALLOW_CONNECTIONS": "ALLOW_CONNECTIONS true", "CONNECTION LIMIT": "CONNECTION LIMIT -1"}


def strange(rows: "list[dict[str, Any]]") -> "tuple[str, ...]":
    """Return those that provision does not make, each with what takes it back."""
    return tuple(
        _words(str(row["database"]), str(row["role"]), str(row["setting"]))
        for row in rows
        if not _ours(str(row["database"]), str(row["role"]), str(row["setting"]))
    )


def _ours(database: str, role: str, setting: str) -> bool:
    acts = role in {"temporal_blue", "temporal_green"} and not database and setting == "role=temporal"
    plans = setting.startswith("plan_cache_mode=") and (role or database).startswith("temporal")
    return acts or plans


def _words(database: str, role: str, setting: str) -> str:
    name = setting.partition("=")[0]
    of = f"ALTER ROLE {quoted(role)}" + (f" IN DATABASE {quoted(database)}" if database else "")
    of = of if role else f"ALTER DATABASE {quoted(database)}"
    back = BACK.get(name, f"RESET {quoted(name)}")
    return f"{setting} for {role or database} (in the database postgres: {of} {back})"


def quoted(name: str) -> str:
    """Write a name so that the statement can be pasted: whoever gave it may have chosen it for that."""
    return name if PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'
