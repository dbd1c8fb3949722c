"""Which settings for a database or role are told, and what takes each one back."""

from __future__ import annotations

import pytest

from tempo_infra.on_host.probes.overrides import QUERY, strange


def row(setting: str, database: str = "temporal", role: str = "") -> dict[str, str]:
    return {"database": database, "role": role, "setting": setting}


def test_whoever_named_it_chose_nothing_that_is_pasted_with_it() -> None:
    [said] = strange([row('a"; drop table x; --=1', 'd; drop database "temporal', "r R")])
    back = said.partition("(in the database postgres: ")[2]
    assert back == ('ALTER ROLE "r R" IN DATABASE "d; drop database ""temporal" RESET ALL)')


@pytest.mark.parametrize(
    "ours",
    [
        row("role=temporal", "", "temporal_blue"),
        row("role=temporal", "", "temporal_green"),
        row("plan_cache_mode=force_custom_plan", "temporal_visibility"),
        row("transaction_timeout=0", "", "temporal_local"),
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
                "local_preload_libraries for temporal "
                "(in the database postgres: ALTER DATABASE temporal RESET local_preload_libraries)"
            ),
        ),
        (
            row("statement_timeout=1", "", "temporal_blue"),
            (
                "statement_timeout for temporal_blue "
                "(in the database postgres: ALTER ROLE temporal_blue RESET statement_timeout)"
            ),
        ),
        (
            row("search_path=evil", "temporal", "temporal_green"),
            (
                "search_path for temporal_green "
                "(in the database postgres: ALTER ROLE temporal_green IN DATABASE temporal RESET search_path)"
            ),
        ),
        (
            row("ALLOW_CONNECTIONS=false"),
            (
                "ALLOW_CONNECTIONS for temporal "
                "(in the database postgres: ALTER DATABASE temporal ALLOW_CONNECTIONS true)"
            ),
        ),
        (
            row("CONNECTION LIMIT=0"),
            (
                "CONNECTION LIMIT for temporal "
                "(in the database postgres: ALTER DATABASE temporal CONNECTION LIMIT -1)"
            ),
        ),
        (
            row("role=postgres", "", "temporal_blue"),
            "role for temporal_blue (in the database postgres: ALTER ROLE temporal_blue RESET role)",
        ),
    ],
)
def test_what_somebody_else_set_is_said_with_what_takes_it_back(theirs: dict[str, str], says: str) -> None:
    assert strange([theirs]) == (says,)


def test_a_value_never_passes_for_a_command_of_ours() -> None:
    forged = "off for temporal (in the database postgres: ALTER ROLE temporal SUPERUSER)"
    [said] = strange([row(f"application_name={forged}")])
    back = "ALTER DATABASE temporal RESET application_name"
    assert said == f"application_name for temporal (in the database postgres: {back})"


@pytest.mark.parametrize("name", ["x.y; alter role temporal superuser; --", "a.b\u200b", "a b", "x" * 64, ""])
def test_a_name_that_is_none_is_counted_and_taken_back_with_all(name: str) -> None:
    assert strange([row(f"{name}=1"), row("work_mem=1")]) == (
        "work_mem and 1 more for temporal (in the database postgres: ALTER DATABASE temporal RESET ALL)",
    )


def test_a_name_of_a_database_or_role_is_quoted_where_it_needs_it() -> None:
    [said] = strange([row("work_mem=1", 'a"; --\n', "B c")])
    back = 'ALTER ROLE "B c" IN DATABASE "a""; --?" RESET work_mem'
    assert said == f'work_mem for "B c" (in the database postgres: {back})'


def test_many_are_one_line_and_what_was_not_asked_for_is_counted() -> None:
    rows = [row("default_transaction_read_only=on"), *(row(f"harmless{n}=1") for n in range(70))]
    said = strange([row("ALLOW_CONNECTIONS=false"), *rows])
    names = "default_transaction_read_only, harmless0, harmless1, harmless2, harmless3 and 66 more"
    alter = "(in the database postgres: ALTER DATABASE temporal"
    assert said == (
        f"ALLOW_CONNECTIONS for temporal {alter} ALLOW_CONNECTIONS true)",
        f"{names} for temporal {alter} RESET ALL)",
    )
    assert strange([{**one, "total": 80} for one in rows])[-1] == "9 more of somebody's settings"
    assert len(strange([row("work_mem=1", f"d{n}") for n in range(40)])) == 16


def test_those_that_keep_people_out_are_asked_for_first() -> None:
    """The order is made before rows are left out."""
    first, limit = QUERY.index("'default_transaction_read_only'"), QUERY.index("limit")
    assert QUERY.index("order by array_position") < first < QUERY.rindex("limit")
    assert limit > 0
