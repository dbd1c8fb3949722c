"""Reading single fields of a protobuf message, without its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.on_host.probes.reading import Unread

if TYPE_CHECKING:
    from typing import Iterator, Union

VARINT, BYTES = 0, 2  # wire types
LONGEST = 63  # bits that lie before the last byte of a number


def fields(data: bytes) -> "Iterator[tuple[int, Union[int, bytes]]]":
    """Yield the number and value of each field that is a number or bytes; Unread when the message is cut."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        if key & 7 == VARINT:
            value, position = _varint(data, position)
            yield key >> 3, value
        elif key & 7 == BYTES:
            length, position = _varint(data, position)
            if position + length > len(data):
                raise Unread("a message of Temporal's is cut off")
            yield key >> 3, data[position : position + length]
            position += length
        else:
            raise Unread(f"a message of Temporal's has a field of wire type {key & 7}")


def number(data: bytes, field: int) -> int:
    """Return the last value of a number; 0 is not written, so it is what an absent one means."""
    found = 0
    for name, value in fields(data):
        if name == field and isinstance(value, int):
            found = value
    return found


def texts(data: bytes, field: int) -> "tuple[bytes, ...]":
    """Return the values of a field that holds bytes, text or messages."""
    return tuple(value for name, value in fields(data) if name == field and isinstance(value, bytes))


def _varint(data: bytes, position: int) -> "tuple[int, int]":
    value = shift = 0
    while position < len(data) and shift <= LONGEST:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, position
    raise Unread("a message of Temporal's is cut off")
