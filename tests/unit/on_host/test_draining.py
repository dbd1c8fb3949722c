"""A person's command on a drained host: all that it wrote, how it ended, whatever it wrote."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from tempo_infra.deploy import responses
from tempo_infra.on_host.draining import MOST_CHARS, Done, as_shown, command
from tempo_infra.on_host.steps import upkeep
from tempo_infra.on_host.wire import Reply, encode


@pytest.mark.parametrize(
    ("typed", "done"),
    [
        ("echo patched; uname -s", Done("patched\nLinux", 0)),
        ("echo one; echo wrong >&2; echo two", Done("one\nwrong\ntwo", 0)),
        ("echo tried; exit 7", Done("tried", 7)),
        ("exit 124", Done("", 124)),
        ("printf '  kept\\n\\n\\tso\\n\\n'", Done("  kept\n\n\tso", 0)),
        ("printf '10%%\\r50%%\\r100%%\\r\\nready\\n'", Done("100%\nready", 0)),
        ("if", None),
    ],
)
def test_all_that_it_wrote_and_its_exit_code(typed: str, done: Done | None) -> None:
    found = command(upkeep.Command(typed, 20.0))
    if done is None:
        assert found.returncode == 2
        assert "syntax error" in found.out.lower()
    else:
        assert found == done


def test_at_its_deadline_it_is_ended_and_what_it_wrote_is_kept() -> None:
    found = command(upkeep.Command("echo begun; sleep 60", 0.5))
    assert (found.out, found.late, found.say) == ("begun", True, "was ended at its deadline")


def test_of_very_much_both_ends_are_kept() -> None:
    lines = [f"line {number:07d}" for number in range(30_000)]
    shown = as_shown("\n".join(lines))
    assert shown.startswith("line 0000000\n")
    assert shown.endswith("line 0029999")
    assert "characters are not shown" in shown
    assert len(shown) < MOST_CHARS + 100


@pytest.mark.parametrize("char", ["x", ",", "[", "\x00", "\u00e9", "\U0001f600"])
def test_whatever_it_wrote_fits_an_answer(char: str) -> None:
    """And what steers a terminal is taken out before anybody sees it."""
    step = upkeep.Command("", 0.0)
    done = Done(as_shown(char * 10_000_000), 0)
    frame = encode("n", "reply", asdict(Reply([asdict(done)])))
    most = responses.most_bytes("reply", [step])
    assert len(frame) < most
    assert frame.count(b",") + frame.count(b"[") + frame.count(b"{") < most // 16
    [told] = responses.reply(json.loads(json.dumps(asdict(Reply([asdict(done)])))), [step], str).results
    assert "\x00" not in told["out"]


def test_no_output_steers_the_operators_terminal() -> None:
    done = asdict(command(upkeep.Command("printf '\\033[31mred\\033[0m\\n\\033]0;title\\007end\\n'", 20.0)))
    [told] = responses.reply(asdict(Reply([done])), [upkeep.Command("", 0.0)], str).results
    assert told["out"] == "red\nend"
