"""The roles and databases of Temporal in PostgreSQL, as SQL; passwords travel as SCRAM verifiers only."""

from __future__ import annotations

import secrets as randomness
from typing import TYPE_CHECKING

from tempo_infra.inventory.logins import LOCAL, OWNER, Login
from tempo_infra.on_host.psql import OWN_TIME
from tempo_infra.secrets import scram_sha_256
from tempo_infra.sizing.tables import MAIN, VISIBILITY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tempo_infra.secrets import Secret, Secrets

DATABASES = (MAIN, VISIBILITY)
ENDED_MS = 5000  # so long a session that was told to end is waited for
LOCAL_SESSIONS = 8  # of two operators and their checks at once
PLAIN = "nosuperuser nocreatedb nocreaterole noreplication nobypassrls"


def roles_and_databases(secrets: Secrets) -> str:
    """Return SQL that makes the owner, the databases and the logins whose passwords are given, where missing.

    The owner owns its databases and nothing else. Logins are members of it and act as it from their first
    statement, so that what the schema job makes belongs to the owner whoever logs in. Passwords are set each
    time, so that the database always knows those that the hosts were given. postgres and LOCAL, through which
    tempo-infra asks in those databases, have no password and log in on the local socket only. What code of
    the owner may have set for LOCAL while it ran as LOCAL is taken back.
    """
    logins = [login for login in Login if login.secret in secrets]
    parts = [_OWNER, _LOCAL, *(_login(login, secrets[login.secret]) for login in logins)]
    if Login.BLUE in logins:
        parts.append(_once_the_owner(secrets[Login.BLUE.secret]))
    return "".join([*parts, *(_database(name) for name in DATABASES)])


_OWNER = f"""-- made by tempo-infra
select 'create role {OWNER} nologin'
where not exists (select from pg_roles where rolname = '{OWNER}') \\gexec
alter role {OWNER} {PLAIN};
alter role postgres password null;
revoke connect on database postgres from public;
"""  # noqa: S608 - constants
_LOCAL = f"""select 'create role {LOCAL} nologin'
where not exists (select from pg_roles where rolname = '{LOCAL}') \\gexec
alter role {LOCAL} reset all;
select 'alter role {LOCAL} set {OWN_TIME}'
where exists (select from pg_settings where name = 'transaction_timeout') \\gexec
alter role {LOCAL} login password null inherit connection limit {LOCAL_SESSIONS} valid until 'infinity'
{PLAIN};
grant {OWNER} to {LOCAL};
"""  # noqa: S608  # names of ours, through a quoting filter of SQL


def _login(login: Login, password: Secret) -> str:
    """Make a login with its password; settings of a role hold for who logs in, not for members."""
    role = login.role
    return f"""select 'create role {role} nologin'
where not exists (select from pg_roles where rolname = '{role}') \\gexec
grant {OWNER} to {role};
alter role {role} set role = {OWNER};
alter role {role} login password '{_verifier(password)}' {PLAIN};
"""  # noqa: S608 - constants, and a verifier: base64 and digits


def _once_the_owner(password: Secret) -> str:
    """Before there were two logins the owner logged in itself, with blue's password.

    Generations of that time still do, until a rotation takes the login from it.
    """
    return f"""select $$alter role {OWNER} password '{_verifier(password)}'$$
where (select rolcanlogin from pg_roles where rolname = '{OWNER}') \\gexec
"""  # noqa: S608  # names of ours, through a quoting filter of SQL


def _database(name: str) -> str:
    return f"""select 'create database {name} owner {OWNER}'
where not exists (select from pg_database where datname = '{name}') \\gexec
revoke all on database {name} from public;
"""  # noqa: S608  # names of ours, through a quoting filter of SQL


def _verifier(password: Secret) -> str:
    return scram_sha_256(password, salt=randomness.token_bytes(16))


def retired_roles(kept: Login) -> tuple[str, ...]:
    """Return the roles that must not log in any more once this login is the only one."""
    return (OWNER, kept.other.role)


def retirement(roles: Iterable[str]) -> str:
    """Return SQL that takes login and password from roles, where they exist, and ends what they have open.

    In this order: whoever has just logged in would stay for ever, for a role is asked at its login only.
    """
    names = list(roles)
    taken = "".join(
        f"select 'alter role {role} nologin password null' "  # noqa: S608 - constants
        f"where exists (select from pg_roles where rolname = '{role}') \\gexec\n"
        for role in names
    )
    open_ = ", ".join(f"'{role}'" for role in names)
    ended = (
        f"select pg_terminate_backend(pid, {ENDED_MS}) from pg_stat_activity where usename in ({open_});\n"  # noqa: S608 - names of ours
    )
    return taken + ended
