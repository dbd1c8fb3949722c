"""Settings by which callers may do or see more than the server lets them by itself: a risk to accept.

Read in the servers' sources, key by key: a switch or a list may be of this kind, a number or a time is not.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tempo_infra.inventory import dynamic_config, parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

RISK: Final = "own-access"
WHAT: Final = "lets callers do or see more than the server does by itself"

_SAFE: Final[Mapping[str, bool | None]] = MappingProxyType(
    {
        # Tokens and pages of another namespace or workflow; commands and streams nobody asked a right for.
        "frontend.enabletokennamespaceenforcement": True,
        "history.enablepaginationtokenbranchvalidation": True,
        "history.enablepaginationtokenbranchvalidationshadowmode": False,
        "history.validatereplicationtasksourcecluster": True,
        "system.enablecrossnamespacecommands": False,
        "system.disablestreamingauthorizer": False,
        # A caller's header sends a request on, as if it came from inside.
        "callback.inspectsourceheader": False,
        # What the server says of itself to whoever asks.
        "frontend.exposeauthorizererrors": False,
        "frontend.maskinternalerrordetails": True,
        # Lists of what is held back: another one holds back less, or nobody can tell.
        "frontend.nexusrequestheadersblacklist": None,
        "component.nexusoperations.disallowedheaders": None,
        "nexusoperation.disallowedheaders": None,
    }
)
"""Dynamic keys of 1.31.2 to 1.32.2, in small letters, and what lets nobody do more; None: a list."""
_PARAMETERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("bonjour", "db_user_namespace", "krb_caseins_users", "lo_compat_privileges"), frozenset({"off"})
        ),
        "ssl_min_protocol_version": frozenset({"tlsv1.2", "tlsv1.3"}),
    }
)
"""Parameters of PostgreSQL and the values that let nobody do or see more."""


def by_key(version: str, name: str, value: object) -> bool:
    """Whether a value of dynamic configuration lets callers do more than this version's own one."""
    if name.casefold() not in _SAFE:
        return False
    safe = _SAFE[name.casefold()]
    known = dynamic_config.keys(version).get(name.casefold())
    own = dynamic_config.BOOLEANS.get(known.default) if known else None
    return safe is None or dynamic_config.BOOLEANS.get(str(value), value) not in (safe, own)


def by_parameter(version: int, name: str, text: str) -> bool:
    """Whether a value of postgresql.conf does; not of one that the server refuses."""
    safe = _PARAMETERS.get(name.casefold())
    try:
        return safe is not None and parameters.checked(version, name, text, ()).casefold() not in safe
    except ValueError:
        return False
