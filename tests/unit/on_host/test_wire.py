from __future__ import annotations

import io
import re
from dataclasses import MISSING, fields
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.on_host.cluster_record import ClusterRecord
from tempo_infra.on_host.facts import FactsOptions
from tempo_infra.on_host.steps import change, kinds, reading
from tempo_infra.on_host.steps.step import Step
from tempo_infra.on_host.wire import (
    LARGEST,
    MAX_BODY_BYTES,
    WireError,
    decode_request,
    encode,
    encode_request,
    read_frame,
    read_json,
)

names = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


whole = st.integers(-LARGEST, LARGEST)
AS_JSON = {int: whole, float: st.floats(-1e15, 1e15), dict[str, int]: st.dictionaries(st.text(), whole)}


def any_of(kind: type[Step]) -> st.SearchStrategy[Step]:
    """A step of a kind with any payload; whatever its type lets its fields be that JSON can say."""
    hints = get_type_hints(kind)
    required = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    own = {name: AS_JSON[hints[name]] for name in required if hints[name] in AS_JSON}
    return st.builds(kind, **own, payload=st.binary())


facts = st.builds(reading.Facts, st.builds(FactsOptions))
RECORD = ClusterRecord(
    "r1", "kari@vm", "2026-11-30T03:22:16Z", "oslo", "", ()
)  # which refuses what none can be
record = st.builds(change.ClusterRecord, st.just(RECORD))
others = (any_of(kind) for kind in kinds().values() if kind not in (reading.Facts, change.ClusterRecord))
steps = st.lists(st.one_of(facts, record, *others), max_size=4)
noise = st.binary(max_size=200).filter(lambda data: b"\x01tempo-infra" not in data)


def read(stream: io.BytesIO, nonce: str = "n1") -> tuple[str, object, bytes] | None:
    return read_frame(nonce, stream.readline, stream.read)


@given(steps, noise)
def test_a_request_arrives_as_it_was_sent_whatever_a_banner_said(sent: list[Step], banner: bytes) -> None:
    frame = read(io.BytesIO(banner + b"\n" + encode_request("n1", sent)))
    assert frame is not None
    kind, body, payload = frame
    assert kind == "request"
    assert decode_request(body, payload) == sent


def test_a_frame_of_another_run_is_noise() -> None:
    """A hostile or old answer can't be taken for ours without the nonce."""
    assert read(io.BytesIO(encode("other", "reply", {"results": ["forged"]}))) is None


def test_frames_follow_each_other_without_a_gap() -> None:
    stream = io.BytesIO(encode("n1", "event", {"a": 1}) + encode("n1", "reply", {"b": 2}, b"x\ny"))
    assert read(stream) == ("event", {"a": 1}, b"")
    assert read(stream) == ("reply", {"b": 2}, b"x\ny")
    assert read(stream) is None


@pytest.mark.parametrize("header", ["reply x 0", "reply 1", f"reply {MAX_BODY_BYTES} 1", "reply -1 0"])
def test_an_unreadable_header_is_an_error_not_a_wait(header: str) -> None:
    with pytest.raises(WireError):
        read(io.BytesIO(f"\x01tempo-infra n1 {header}\n".encode()))


@pytest.mark.parametrize("missing", [1, 3, 9])
def test_a_request_that_was_cut_anywhere_is_no_request(missing: int) -> None:
    """Also within the payload: a part of a statement or of a file is not what was sent."""
    sent = encode_request("n1", [change.Sql(payload=b"drop all")])
    with pytest.raises(WireError, match="ends after"):
        read(io.BytesIO(sent[:-missing]))


@pytest.mark.parametrize(
    "text", ["NaN", "-Infinity", "1e999", "-1e20", "1" + "0" * 400, "9" * 5000, "18446744073709553665"]
)
def test_a_number_beyond_anything_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text[:20])} is beyond all"):
        read_json(f'{{"a": [{text}]}}')


@pytest.mark.parametrize("number", [0, -1, 2**64, -(2**64), 0.1, -1e19, 1e-300])
def test_what_a_kernel_counts_is_read_exactly(number: float) -> None:
    assert read_json(f"[{number!r}]") == [number]


@pytest.mark.parametrize("value", ["{}", "[]", "1", '"a"', '{"a":1}'])
def test_far_too_many_values_are_refused_unread(value: str) -> None:
    text = f"[{','.join([value] * 600)}]"
    with pytest.raises(ValueError, match="more than 500 values"):
        read_json(text, 500)
    with pytest.raises(ValueError, match="more than 500 values"):
        read_json(text.encode(), 500)
    assert len(read_json(text, 5000)) == 600
