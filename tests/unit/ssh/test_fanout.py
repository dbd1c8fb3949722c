"""The same for several hosts at once."""

from __future__ import annotations

import sys

import pytest

from tempo_infra.errors import InputError, UnreachableError
from tempo_infra.ssh import fan_out


def test_one_host_that_fails_stops_no_other() -> None:
    lost = UnreachableError("no route")

    def work(name: str) -> str:
        if name == "b":
            raise lost
        return name.upper()

    assert fan_out(work, "abc", at_once=2) == {"a": "A", "b": lost, "c": "C"}


def test_what_is_wrong_with_the_input_is_no_hosts_error() -> None:
    def work(name: str) -> str:
        raise InputError(name)

    with pytest.raises(InputError):
        fan_out(work, "a")


def test_a_thread_that_renders_lets_one_that_talks_to_a_host_go_on() -> None:
    """With Python's own 5 ms a login of ten exchanges would take 50 ms longer beside it."""
    fan_out(str.upper, "a")
    assert sys.getswitchinterval() == pytest.approx(0.001)
