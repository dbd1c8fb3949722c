"""Commands of ours stay whole, however long they are."""

from __future__ import annotations

import pytest

from tempo_infra.report.wrapping import lines

PATH = "/home/kari/work/platform/clusters/oslo/production/inventory.yaml"


@pytest.mark.parametrize(
    "command",
    [
        f"tempo-infra trust -i {PATH} db-1",
        f"tempo-infra provision -i {PATH} --host db-1 --host front-1",
        f"tempo-infra images pin -i {PATH}",
        f"tempo-infra trust -i {PATH} history-1 --replace",
        f"tempo-infra resume --inventory={PATH} 7f3a9c01",
    ],
)
@pytest.mark.parametrize("text", ["{}", "compare it with the console of the provider, then {}", "`{}`; on"])
def test_a_command_can_be_pasted_as_it_is(text: str, command: str) -> None:
    found = lines(text.format(command), "  ", "    ")
    assert any(command in line for line in found), found
    assert " ".join(line.strip() for line in found) == text.format(command)


def test_other_words_are_broken_and_a_long_one_is_not() -> None:
    assert lines("a " + "b" * 90 + " c", "> ", "  ", width=20) == ["> a", "  " + "b" * 90, "  c"]
    told = lines(
        "tempo-infra remove takes the cluster away, data and images stay where they are " * 2, "", ""
    )
    assert max(map(len, told)) <= 80
