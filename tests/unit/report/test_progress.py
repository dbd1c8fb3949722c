from __future__ import annotations

import io
import json
import threading
from contextlib import redirect_stdout

import pytest
from rich.console import Console

from tempo_infra.deploy.events import Progress, State
from tempo_infra.report.progress import JsonView, LiveView, PlainView


class Slow(io.StringIO):
    """An output on which every write lets other threads run first."""

    def write(self, text: str) -> int:
        done = 0
        for char in text:
            done += super().write(char)
            threading.Event().wait(0)
        return done


def test_lines_of_hosts_that_report_at_once_do_not_mix() -> None:
    out, view = Slow(), JsonView()

    def report(host: str) -> None:
        for number in range(20):
            view.show(Progress(host, f"step-{number}", State.DONE))

    with redirect_stdout(out):
        threads = [threading.Thread(target=report, args=(f"host-{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(lines) == 80
    assert {line["host"] for line in lines} == {f"host-{n}" for n in range(4)}


HARM = "[/nonsense] [link=https://evil.example]here[/link] [bold]x"


def on_a_terminal(*said: Progress) -> str:
    """What is drawn for hosts that have said this."""
    out = io.StringIO()
    view = LiveView(["db-1", "[/]"])
    for one in said:
        view.show(one)
    Console(file=out, force_terminal=True, width=200).print(view._table())
    return out.getvalue()


def test_a_word_meanwhile_is_shown_in_every_way_of_showing() -> None:
    word = Progress("db-1", "schema", State.PROGRESS, detail="30 s of at most 400 s")
    assert "schema: 30 s of at most 400 s" in on_a_terminal(word)
    for view, says in (
        (PlainView(), "db-1: schema: 30 s of at most 400 s\n"),
        (JsonView(), '"state": "progress"'),
    ):
        out = io.StringIO()
        with redirect_stdout(out):
            view.show(word)
        assert says in out.getvalue()


@pytest.mark.parametrize("state", [State.STARTED, State.DONE, State.FAILED, State.PROGRESS])
def test_a_hosts_words_are_no_markup(state: State) -> None:
    drawn = on_a_terminal(Progress("db-1", HARM, state), Progress("[/]", "pull", State.DONE, 1.0, HARM))
    assert "images [/nonsense] [link=https://evil.example]here[/link] [bold]x" in drawn
    assert "\x1b]8" not in drawn
    assert "  [/]" in drawn


def test_what_was_done_is_drawn_in_its_colours() -> None:
    drawn = on_a_terminal(
        Progress("db-1", "stage", State.DONE, 1.0, "41c0, twice"), Progress("db-1", "pull", State.FAILED)
    )
    assert "\x1b[32m✓ \x1b[0mstaged 41c0 \x1b[31m✗ pull\x1b[0m" in drawn
