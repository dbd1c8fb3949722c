"""Stands in for python3 on a lab host: knows the run's nonce, and answers as no honest host would.

`python3 hostile_program.py KIND -I -c PROGRAM NONCE`; KIND says what it does. Standard library only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import BinaryIO

MIB = 1024 * 1024
GIB = 1024 * MIB
CODES = b"\x1b[2J\x1b[1;31m\x1b]0;owned\x07\x9b5n\x00\xff\xfe\xe2\x80\xae"
out, source = sys.stdout.buffer, sys.stdin.buffer


def frame(kind: str, text: bytes, length: int | None = None) -> bytes:
    size = len(text) if length is None else length
    return f"\x01tempo-infra {NONCE} {kind} {size} 0\n".encode() + text


def reply(results: object) -> bytes:
    return frame("reply", json.dumps({"results": results}).encode())


def raw(facts: bytes) -> bytes:
    return frame("reply", b'{"results":[' + facts + b"]}")


def flood(piece: bytes, stream: BinaryIO = out) -> None:
    """Write a gibibyte, or as much of it as anybody takes."""
    stream.writelines(piece for _ in range(GIB // len(piece) + 1))


def requests() -> list[str]:
    """Read the next request and return the names of its steps; the program that is sent first is skipped."""
    mark = f"\x01tempo-infra {NONCE} request ".encode()
    line = source.readline()
    while mark not in line:
        if not line:
            sys.exit(0)
        line = source.readline()
    length = int(line[line.index(mark) + len(mark) :].split()[0])
    return [one["name"] for one in json.loads(source.read(length))]


def lie() -> None:
    """Answer every question, with facts whose words and numbers are made to do harm."""
    facts = json.loads(Path(__file__).with_name("hostile-facts.json").read_text())
    while True:
        answer = {"clock": {"ns": 10**18}, "facts": facts}[requests()[0]]
        out.write(reply([answer]))
        out.flush()


def answer_facts_with(data: bytes) -> None:
    while requests()[0] == "clock":
        out.write(reply([{"ns": 10**18}]))
        out.flush()
    out.write(data)


def endless(piece: bytes) -> None:
    while True:
        out.write(piece)


KINDS = {
    "zeros": lambda: flood(bytes(MIB)),
    "codes": lambda: flood((CODES + b"\n") * 20_000),
    "errors": lambda: flood((CODES + b"\n") * 20_000, sys.stderr.buffer),
    "long-frame": lambda: out.write(frame("reply", b"", GIB)),
    "fake-frames": lambda: flood(b"\x01tempo-infra 0000 reply 5 0\n{}\n\n\n" * 20_000),
    "not-utf8": lambda: out.write(frame("reply", CODES * 100)),
    "deep": lambda: out.write(frame("reply", b"[" * 500_000 + b"]" * 500_000)),
    "alive-for-ever": lambda: endless(frame("event", b'{"step":"facts","state":"alive"}')),
    "half": lambda: out.write(frame("reply", b'{"results"', 4000)),
    "no-time": lambda: (requests(), out.write(reply([{"ns": "\x1b[2J"}]))),
    "many-objects": lambda: answer_facts_with(reply([[{"": 0}] * 140_000])),
    "too-many-objects": lambda: answer_facts_with(reply([[{"": 0}] * 4_000_000])),
    "facts-too-long": lambda: answer_facts_with(reply([{"schema": "x" * 2 * MIB}])),
    "facts-beyond-any-number": lambda: answer_facts_with(raw(b'{"schema":' + b"9" * 10_000 + b"}")),
    "facts-without-end": lambda: answer_facts_with(raw(b'{"schema":1e999}')),
    "facts-of-two-minds": lambda: answer_facts_with(raw(b'{"schema":1,"schema":2}')),
    "facts-that-look-the-same": lambda: answer_facts_with(raw(b'{"schema":1,"schema\\u200b\\u001b[0m":2}')),
    "failed": lambda: out.write(
        frame(
            "reply",
            json.dumps({"results": [], "failed": "x", "error": "\x1b[2J\n\n\u202e" * 50_000}).encode(),
        )
    ),
    "lies": lie,
}

if __name__ == "__main__":
    NONCE = sys.argv[5]
    KINDS[sys.argv[1]]()
    out.flush()
