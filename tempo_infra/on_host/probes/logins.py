"""The roles of the database: who may log in, who is a superuser, who is a member of whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Callable

    Ask = Callable[[str], list[dict[str, Any]]]

# A member of a member is one, too. The server's own roles (pg_...) are nobody, but what they lend counts.
ROLES = """
with recursive belongs(member, to_role) as (
 select member, roleid from pg_auth_members
 union select b.member, m.roleid from belongs b join pg_auth_members m on m.member = b.to_role)
select r.rolname::text as name, r.rolcanlogin as logs_in, r.rolpassword is not null as password,
 r.rolsuper as superuser, r.rolcreaterole as makes_roles, r.rolreplication as replicates,
 r.rolbypassrls as sees_all_rows, (select coalesce(json_agg(g.rolname order by g.rolname), '[]')
  from belongs b join pg_roles g on g.oid = b.to_role where b.member = r.oid) as member_of,
 (select count(*) from pg_stat_activity a where a.usesysid = r.oid)::integer as sessions
from pg_authid r where r.rolname !~ '^pg_' order by r.rolname limit 1000
"""


@dataclass(frozen=True, slots=True)
class Role:
    name: str
    logs_in: bool
    password: bool
    superuser: bool
    makes_roles: bool
    replicates: bool
    sees_all_rows: bool
    member_of: tuple[str, ...]  # also by way of others
    sessions: int = 0  # open now; by a version before this one not asked


def roles(ask: "Ask") -> "tuple[Role, ...]":
    """Ask for them; in the superuser's own database, where nobody else has put anything."""
    return tuple(Role(**{**row, "member_of": tuple(row["member_of"])}) for row in ask(ROLES))
