"""The frames that controller and host exchange over one command's standard input and output.

A request is a list of steps, each with its own payload; the host answers with events while it works and
one reply at the end. A frame begins on a line of its own with a marker that carries the run's nonce, so
banners and shell noise before or between frames are skipped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional

from tempo_infra.on_host.steps import kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tempo_infra.on_host.steps.step import Step

MARKER = "\x01tempo-infra"
MAX_BODY_BYTES = 64 * 1024 * 1024  # a frame beyond this is not ours
MAX_NOISE_BYTES = 1024 * 1024  # before a frame: banners and what a shell's start-up prints
BYTES_A_VALUE = 16  # at least, on average: a value takes 64 bytes of memory and more, whatever it is
MOST_VALUES = 500_000  # of a file: a plan of 600 hosts has half of that
LARGEST = 2**64  # no counter of a kernel is more, nor any time or size


class WireError(Exception):
    """What arrived is not a frame, or is cut short."""


@dataclass(frozen=True)
class Event:
    """What a host says while it works."""

    step: str
    state: str  # "started", "progress", "ended", "failed" or "alive"
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Reply:
    """The results of the steps that ran, in order; `failed` names the step that stopped the list."""

    results: "list[Any]"
    failed: str = ""
    error: str = ""
    remedy: str = ""
    now: str = ""  # what the host is after a failed change: "back on 41c0…"
    needs_person: bool = False  # the rollback failed
    left: bool = (
        False  # the step hangs: the program has ended, and a change under way is the host's to decide
    )


def encode(nonce: str, kind: str, body: Any, payload: bytes = b"") -> bytes:
    text = json.dumps(body, separators=(",", ":")).encode()
    head = f"{MARKER} {nonce} {kind} {len(text)} {len(payload)}\n".encode()
    return head + text + payload


def encode_request(nonce: str, steps: "Sequence[Step]") -> bytes:
    body = [{"name": s.name, "args": s.arguments, "payload": len(s.payload)} for s in steps]
    return encode(nonce, "request", body, b"".join(s.payload for s in steps))


def decode_request(body: Any, payload: bytes) -> "list[Step]":
    steps, offset, known = [], 0, kinds()
    for item in body:
        end = offset + int(item["payload"])
        steps.append(known[item["name"]].of(item["args"], payload[offset:end]))
        offset = end
    return steps


def read_frame(
    nonce: str,
    read_line: "Callable[[], bytes]",
    read_exact: "Callable[[int], bytes]",
    most_bytes: "Callable[[str], int]" = lambda _: MAX_BODY_BYTES,
) -> "Optional[tuple[str, Any, bytes]]":
    """Skip noise up to the next frame and return (kind, body, payload); None at the end of the stream.

    WireError for what is no frame of ours, is cut short, larger than its kind may be or of more values than
    that holds, and for noise that doesn't end.
    """
    line, start = _first_line(f"{MARKER} {nonce} ".encode(), read_line)
    if not line:
        return None
    try:
        _, _, kind, text_length, payload_length = line[start:].decode().split()
        sizes = int(text_length), int(payload_length)
    except ValueError as error:
        raise WireError(f"unreadable frame header: {line[:120]!r}") from error
    most = most_bytes(kind)
    if min(sizes) < 0 or sum(sizes) > most:
        raise WireError(f"a frame of {sum(sizes)} bytes is refused")
    text, payload = read_exact(sizes[0]), read_exact(sizes[1])
    if (len(text), len(payload)) != sizes:
        raise WireError(f"a frame of {sum(sizes)} bytes that ends after {len(text) + len(payload)}")
    if _values(text) > most // BYTES_A_VALUE:
        raise WireError("a frame of far too many values is refused")
    try:
        body = read_json(text, most // BYTES_A_VALUE)
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or nested without end
        raise WireError(f"a frame that can't be read: {type(error).__name__}") from error
    return kind, body, payload


def read_json(text: "bytes | str", most_values: int = MOST_VALUES) -> Any:
    """Read JSON whose numbers are such as something can have, whose names are there once, of few values.

    ValueError.
    """
    if _values(text) > most_values:
        raise ValueError(f"more than {most_values} values")
    return json.loads(
        text, parse_int=_whole, parse_float=_number, parse_constant=_number, object_pairs_hook=_object
    )


def _object(pairs: "list[tuple[str, Any]]") -> "dict[str, Any]":
    """Refuse a name that is there twice: of two readers, each might take another one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _values(text: "bytes | str") -> int:
    """Return how many values a text has, or more: it is not read for that."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return sum(map(raw.count, (b",", b"[", b"{")))


def _whole(text: str) -> int:
    _number(text)  # before `int`, which takes long for a long one
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not abs(number) <= LARGEST:  # NaN is neither
        raise ValueError(f"{text[:20]} is beyond all that is counted or measured")
    return number


def _first_line(marker: bytes, read_line: "Callable[[], bytes]") -> "tuple[bytes, int]":
    """Return the first line with the marker, and where it is there; empty at the end of the stream."""
    noise = 0
    while noise <= MAX_NOISE_BYTES:
        line = read_line()
        start = line.find(marker)
        if not line or start >= 0:
            return line, start
        noise += len(line)
    raise WireError(f"{MAX_NOISE_BYTES >> 20} MiB of other output and no answer")
