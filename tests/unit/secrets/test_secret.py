from __future__ import annotations

import dataclasses
import pprint
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.secrets import Secret, keyed_digest

VALUE = "canary-5jf0Xq"
SECRET = Secret("temporal_db", VALUE)
KEY = Secret("digest_key", "k" * 43)


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


def test_a_digest_is_short_stable_and_says_nothing() -> None:
    digest = keyed_digest(SECRET, KEY)
    assert digest == keyed_digest(SECRET, KEY) == "07edcb77b1a5"
    assert digest != keyed_digest(SECRET, Secret("digest_key", "l" * 43))
    assert digest != keyed_digest(Secret("other_password", VALUE), KEY)


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_values_have_different_digests(one: str, other: str) -> None:
    same = keyed_digest(Secret("a", one), KEY) == keyed_digest(Secret("a", other), KEY)
    assert same == (one == other)
