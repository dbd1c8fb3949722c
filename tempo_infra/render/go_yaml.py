"""Plain scalars of YAML as the servers read them: Temporal and Compose are written in Go and use go-yaml v3.

Its rules are neither YAML 1.1's nor the core schema of 1.2: `0600` is octal, `1_000` a number, `1e3` a float,
`22:22` and `no` are text, and what does not fit 64 bits is a float. Source: resolve.go of gopkg.in/yaml.v3.
"""

from __future__ import annotations

import math
import re

WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
# Text, or true and false where the server wants one of these: it depends on who asks.
IT_DEPENDS = frozenset(
    form for word in ("y", "n", "yes", "no", "on", "off") for form in (word, word.capitalize(), word.upper())
)
TIME = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
OLD_OCTAL = re.compile(r"[-+]?0[0-9_]+")  # of YAML 1.1; decimal in 1.2
INT = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|0([0-7]+)|(0|[1-9][0-9]*))")
BASES = (16, 2, 8, 8, 10)
INNER_SIGN = re.compile(r"0(?:b([-+][01]+)|o([-+][0-7]+))")  # `0b-11`, which its two more tries take
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
DOT = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?")
LEAST, MOST, MOST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
MOST_DIGITS = 64  # without leading zeros; more do not fit in any base

Plain = str | int | float | bool | None


def resolve(text: str) -> Plain:
    """Return what a plain scalar is; a time, which we use nowhere, stays text."""
    if text in WORDS:
        return WORDS[text]
    if text[0] == ".":
        return _float(text) if DOT.fullmatch(text) else text
    if text[0] not in "+-0123456789" or TIME.fullmatch(text):
        return text
    plain = text.replace("_", "")
    whole = _whole(plain)
    if whole is None and FLOAT.fullmatch(plain):
        number = _float(plain)
        return text if isinstance(number, str) else number
    return text if whole is None else whole


def is_unclear(text: str) -> bool:
    """Whether a plain scalar is read in one way here and in another there, whatever we make of it."""
    return text in IT_DEPENDS or text == "<<" or bool(TIME.fullmatch(text) or OLD_OCTAL.fullmatch(text))


def _whole(plain: str) -> int | None:
    if inner := INNER_SIGN.fullmatch(plain):
        value = int(inner[1], 2) if inner[1] else int(inner[2], 8)
        return value if LEAST <= value <= MOST else None
    found = INT.fullmatch(plain)
    if found is None:
        return None
    digits, base = next((one, base) for one, base in zip(found.groups()[1:], BASES, strict=True) if one)
    if len(digits.lstrip("0")) > MOST_DIGITS:
        return None
    value = int(digits, base) * (-1 if found[1] == "-" else 1)
    most = MOST if found[1] else MOST_UNSIGNED
    return value if LEAST <= value <= most else None


def _float(text: str) -> float | str:
    """Return the number; what is too large for one is text."""
    number = float(text.replace("_", ""))
    return text if math.isinf(number) else number
