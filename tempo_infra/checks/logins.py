"""Who may log in to the database, beyond whom `provision` makes; who could become more than that."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tempo_infra.checks.check import Phase, check
from tempo_infra.checks.database import ask_database
from tempo_infra.checks.finding import Finding, Outcome, Severity, judged, noting, together
from tempo_infra.inventory.logins import LOCAL, OWNER, Login

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.logins import Role

SUPERUSER = "postgres"
OURS = frozenset({OWNER, LOCAL, *(login.role for login in Login)})
WITHOUT_PASSWORD = (SUPERUSER, LOCAL)  # they come in on the container's socket
# What the server's own roles lend that leads past Temporal's tables or to the server's files and programs.
# https://www.postgresql.org/docs/current/predefined-roles.html
POWERS = {
    "pg_execute_server_program": "runs programs on the server",
    "pg_read_server_files": "reads the server's files",
    "pg_write_server_files": "writes the server's files",
    "pg_read_all_data": "reads all data",
    "pg_write_all_data": "writes all data",
    "pg_maintain": "locks and rewrites all tables",
    "pg_create_subscription": "copies from elsewhere",
    "pg_signal_backend": "ends sessions",
}


@dataclass(frozen=True, slots=True)
class Stranger:
    """A role that is not ours, or one of ours with more than it was given."""

    name: str
    gains: tuple[str, ...]  # "superuser", "member of temporal"; empty: it logs in, and may do nothing here

    @property
    def words(self) -> str:
        return f"{self.name}: {', '.join(self.gains) or 'logs in'}"


def strangers(roles: Sequence[Role], login: str = "") -> tuple[Stranger, ...]:
    """Return the roles to look at, those that can do most first; `login` is the one in use, if known."""
    superusers = {role.name for role in roles if role.superuser}
    may = {SUPERUSER, LOCAL, login} if login else {SUPERUSER, *OURS}
    found = [one for role in roles if (one := _stranger(role, superusers, may)) is not None]
    return tuple(sorted(found, key=lambda one: (not one.gains, one.name)))


def _stranger(role: Role, superusers: set[str], may_log_in: set[str]) -> Stranger | None:
    gains = [] if role.name == SUPERUSER else list(_gains(role, superusers))
    if role.name in WITHOUT_PASSWORD and role.password:
        gains.append("has a password")
    if role.sessions and not role.logs_in:  # nologin ends no session
        gains.append(f"logs in no more, and has {role.sessions} session{'s' * (role.sessions > 1)} open")
    if role.name not in (SUPERUSER, *OURS):
        gains += [f"member of {OWNER}"] if OWNER in role.member_of else []
        if not role.logs_in and not role.superuser and not role.sessions:
            return None  # nobody is it by itself; who is a member of it and logs in is told
    if gains or (role.logs_in and role.name not in may_log_in):
        return Stranger(role.name, tuple(gains))
    return None


def _gains(role: Role, superusers: set[str]) -> Iterable[str]:
    """Say what a role may do that no role of ours may."""
    if role.superuser or superusers & set(role.member_of):
        yield "superuser"
    if role.makes_roles:
        yield "makes roles"
    if role.replicates:
        yield "copies the whole server"
    if role.sees_all_rows:
        yield "sees all rows"
    yield from (says for name, says in POWERS.items() if name in role.member_of)


@check(
    "postgres.logins",
    "nobody else logs in to the database, and nobody is more than was given",
    severity=Severity.CRITICAL,
    phase=Phase.AFTER,
    wants=f"no superuser but {SUPERUSER}, no member of {OWNER} but our logins, none of ours with more than "
    "that; one login in use, and nobody else's, is a warning",
    remedy="if nobody here made it: drop role NAME, or alter role NAME nologin, said by the superuser in the "
    "database postgres; then tempo-infra secrets rotate -i {inventory}",
    source="https://www.postgresql.org/docs/current/role-attributes.html",
)
def logins(facts: Facts, expected: Expected) -> Finding:
    def judge(roles: Sequence[Role]) -> Finding:
        found = strangers(roles, expected.login)
        parts = [
            Finding(outcome=Outcome.FAIL if one.gains else Outcome.WARN, found=one.words) for one in found
        ]
        ours = ", ".join(role.name for role in roles if role.logs_in)
        told = together(*parts) if parts else Finding(outcome=Outcome.PASS, found=ours)
        return noting(told, "", roles=[asdict(role) for role in roles if role.logs_in or role.superuser])

    return judged(ask_database(facts, expected, lambda part: part.roles), judge)
