"""Settings that run programs, load code, or send or write data elsewhere: a risk to accept.

By the kind, not by a list of the bad ones: a number or a word out of a list names no program, file or host. A
text may, so each that may not is named here, and a new version's is a risk until somebody has looked at it.
"""

from __future__ import annotations

import re
from typing import Final

from tempo_infra.inventory import dynamic_config, parameters

RISK: Final = "commands-and-exports"
WHAT: Final = "can run programs, load code, or send or write data elsewhere"

_INERT: Final = frozenset(
    {
        *("application_name", "backtrace_functions", "client_encoding", "cluster_name", "datestyle"),
        *("createrole_self_grant", "debug_io_direct", "default_table_access_method", "default_tablespace"),
        *(
            "default_text_search_config",
            "event_source",
            "lc_messages",
            "lc_monetary",
            "lc_numeric",
            "lc_time",
        ),
        *("log_connections", "log_line_prefix", "log_timezone", "primary_slot_name", "temp_tablespaces"),
        *("recovery_target", "recovery_target_lsn", "recovery_target_name", "recovery_target_time"),
        *("recovery_target_timeline", "recovery_target_xid", "restrict_nonsystem_relation_kind"),
        *("ssl_ca_file", "ssl_cert_file", "ssl_ciphers", "ssl_crl_dir", "ssl_crl_file", "ssl_dh_params_file"),
        *("ssl_ecdh_curve", "ssl_groups", "ssl_key_file", "ssl_tls13_ciphers", "synchronized_standby_slots"),
        *("synchronous_standby_names", "syslog_ident", "timezone", "timezone_abbreviations"),
        *("wal_consistency_checking",),
    }
)
_SHIPPED: Final = frozenset({"auto_explain", "pg_prewarm", "pg_stat_statements"})
"""Libraries of PostgreSQL's own that watch, and run nothing."""
_CALLED: Final = re.compile(r"(.+\.)?callbacks?\.(allowedAddresses|endpoint\.template)", re.IGNORECASE)
"""Of Temporal's dynamic keys: where it may call, and where it tells others to call."""


_CALLS_HOME: Final = "frontend.enableserverversioncheck"


def is_outward_key(name: str, value: object) -> bool:
    """Whether a key of dynamic configuration names a place that results of workflows go to, or calls home."""
    calls_home = (
        name.casefold() == _CALLS_HOME and dynamic_config.BOOLEANS.get(str(value), value) is not False
    )
    return calls_home or _CALLED.fullmatch(name) is not None


def is_outward(version: int, name: str, text: str) -> bool:
    """Whether a value of postgresql.conf does more than tune the server."""
    known = parameters.postgresql(version).get(name.casefold())
    if known is None or known.kind != "string" or known.name.casefold() in _INERT or _is_default(known, text):
        return False
    if known.name in parameters.LOADING:
        return not {word.strip(" \t") for word in text.split(",")} <= _SHIPPED
    return True


def _is_default(known: parameters.Parameter, text: str) -> bool:
    return text in {"", known.default}
