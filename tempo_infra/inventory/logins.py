"""The two database logins of a cluster: one in use, the other for the next change of passwords."""

from __future__ import annotations

from enum import StrEnum

OWNER = "temporal"  # the database role that owns everything; both logins are members of it and act as it
LOCAL = "temporal_local"  # a member too: tempo-infra's own questions, on the container's socket, no password
LOCAL_MAP = "tempo-infra"  # its entry in pg_ident.conf


class Login(StrEnum):
    """A login role; PostgreSQL has one password a role, so a change without a gap takes two."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def role(self) -> str:
        """The role that logs in."""
        return f"{OWNER}_{self.value}"

    @property
    def secret(self) -> str:
        """The name of its password in the secrets file. Blue's is as old as the file."""
        return "temporal_db" if self is Login.BLUE else f"temporal_db_{self.value}"

    @property
    def reader(self) -> str:
        """The folder of its password on hosts."""
        return "temporal" if self is Login.BLUE else f"temporal-{self.value}"

    @property
    def other(self) -> Login:
        return Login.GREEN if self is Login.BLUE else Login.BLUE
