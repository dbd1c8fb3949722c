"""Which settings for a database or role are told, and what takes each one back."""

from __future__ import annotations

import pytest

from tempo_infra.on_host.probes.overrides import strange


def row(setting: str, database: str = "temporal", role: str = "") -> dict[str, str]:
    return {"database": database, "role": role, "setting": setting}


def test_whoever_named_it_chose_nothing_that_is_pasted_with_it() -> None:
    [said] = strange([row('a"; drop table x; --=1', 'd; drop database "temporal', "r R")])
    back = said.partition("(in the database postgres: ")[2]
    assert back == (
        'ALTER ROLE "r R" IN DATABASE "d; drop database ""temporal" RESET "a""; drop table x; --")'
    )


@pytest.mark.parametrize(
    "ours",
    [
        row("role=temporal", "", "temporal_blue"),
        row("role=temporal", "", "temporal_green"),
        row("plan_cache_mode=force_custom_plan", "temporal_visibility"),
        row("plan_cache_mode=auto", "", "temporal"),  # by an earlier version, which provision takes back
    ],
)
def test_what_provision_sets_is_nothing_to_say(ours: dict[str, str]) -> None:
    assert strange([ours]) == ()


@pytest.mark.parametrize(
    ("theirs", "says"),
    [
        (
            row("local_preload_libraries=missing"),
            (
                "local_preload_libraries=missing for temporal "
                "(in the database postgres: ALTER DATABASE temporal RESET local_preload_libraries)"
            ),
        ),
        (
            row("statement_timeout=1", "", "temporal_blue"),
            (
                "statement_timeout=1 for temporal_blue "
                "(in the database postgres: ALTER ROLE temporal_blue RESET statement_timeout)"
            ),
        ),
        (
            row("search_path=evil", "temporal", "temporal_green"),
            (
                "search_path=evil for temporal_green "
                "(in the database postgres: ALTER ROLE temporal_green IN DATABASE temporal RESET search_path)"
            ),
        ),
        (
            row("ALLOW_CONNECTIONS=false"),
            (
                "ALLOW_CONNECTIONS=false for temporal "
                "(in the database postgres: ALTER DATABASE temporal ALLOW_CONNECTIONS true)"
            ),
        ),
        (
            row("CONNECTION LIMIT=0"),
            (
                "CONNECTION LIMIT=0 for temporal "
                "(in the database postgres: ALTER DATABASE temporal CONNECTION LIMIT -1)"
            ),
        ),
        (
            row("role=postgres", "", "temporal_blue"),
            "role=postgres for temporal_blue (in the database postgres: ALTER ROLE temporal_blue RESET role)",
        ),
    ],
)
def test_what_somebody_else_set_is_said_with_what_takes_it_back(theirs: dict[str, str], says: str) -> None:
    assert strange([theirs]) == (says,)
