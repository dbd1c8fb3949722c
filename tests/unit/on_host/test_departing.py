"""What is asked of the database about hosts that left: addresses come from what other hosts remember."""

from __future__ import annotations

import pytest

from tempo_infra.on_host import departing, fit, psql
from tempo_infra.on_host.steps import change, upkeep

NO_ADDRESSES = [
    "",
    "front-1",
    "10.0.0.11') or ('a' = 'a",
    "10.0.0.0/8",
    "fe80::1%eth0",
    "fe80::1%'::varchar(7)::inet) ) r; drop role x; select ('a",  # Python takes any text for a zone
]


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_is_in_no_statement(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    asked: list[str] = []

    def ask(_: str, query: str, **__: object) -> list[dict[str, int]]:
        asked.append(query)
        return [{"ended": 0}]

    monkeypatch.setattr(psql, "database_container", lambda: "c0")
    monkeypatch.setattr(psql, "ask", ask)
    with pytest.raises(ValueError, match="address"):
        departing.end_sessions(change.EndSessions(["10.0.0.44", address]))
    with pytest.raises(ValueError, match="address"):
        departing.silent(upkeep.Silent([address]))
    assert asked == []
    assert not fit.is_address(address)
    departing.end_sessions(change.EndSessions(["10.0.0.44", "fd00::44"]))
    assert "client_addr in ('10.0.0.44'::inet, 'fd00::44'::inet)" in asked[0]
