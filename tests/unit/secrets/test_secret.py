from __future__ import annotations

import dataclasses
import pprint
import traceback

import pytest

from tempo_infra.secrets import Secret

VALUE = "canary-5jf0Xq"
SECRET = Secret("temporal_db", VALUE)


@pytest.mark.parametrize(
    "shown",
    [
        repr(SECRET),
        str(SECRET),
        f"{SECRET}",
        f"{SECRET!r}",
        str(Exception(SECRET)),
        pprint.pformat([SECRET]),
        repr({"a": SECRET}),
    ],
)
def test_no_way_of_printing_shows_the_value(shown: str) -> None:
    assert VALUE not in shown
    assert "temporal_db" in shown


def test_a_traceback_does_not_show_the_value() -> None:
    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError, match="temporal_db") as told:
        fail(SECRET)
    whole = traceback.TracebackException.from_exception(told.value, capture_locals=True)
    assert VALUE not in "".join(whole.format())


def test_a_secret_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SECRET.value = "other"  # type: ignore[misc] # that is the test
