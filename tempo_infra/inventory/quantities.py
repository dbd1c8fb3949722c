"""Sizes and durations as people write them: `8GiB`, `72h`, `3d`. ValueError in plain words."""

from __future__ import annotations

import re
from decimal import Decimal

UNITS_BYTES = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
HOURS = {"h": 1, "d": 24, "w": 168}
SIZE_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,3})?(KiB|MiB|GiB|TiB)$"
DURATION_PATTERN = r"^[0-9]{1,5}(h|d|w)$"
SECONDS = {"s": 1, "m": 60}
SECONDS_PATTERN = r"^[0-9]{1,4}(s|m)$"


def parse_size(text: str) -> int:
    """`8GiB` to bytes; fractions such as `7.75GiB` are rounded down."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([A-Za-z]{0,5})", text)
    if found is None:
        raise ValueError("not a size; write it like 8GiB, 512MiB or 80GiB")
    number, unit = found.groups()
    if unit not in UNITS_BYTES:
        binary = {name[0]: name for name in UNITS_BYTES}.get(unit[:1].upper())
        hint = f'; did you mean "{number}{binary}"?' if binary else f", such as {number}GiB"
        raise ValueError(f"a size needs a unit: KiB, MiB, GiB or TiB{hint}")
    return int(Decimal(number) * UNITS_BYTES[unit])


def format_size(size_bytes: int) -> str:
    """Bytes to the largest unit that divides them, rounded down to whole MiB: `8GiB`, `7963MiB`."""
    mib = size_bytes // UNITS_BYTES["MiB"]
    return f"{mib // 1024}GiB" if mib and mib % 1024 == 0 else f"{mib}MiB"


def parse_duration(text: str) -> int:
    """`72h`, `3d` or `2w` to hours."""
    found = re.fullmatch(r"([0-9]{1,5})([A-Za-z]{0,8})", text)
    if found is None or found[2] not in HOURS:
        raise ValueError("not a duration; write hours, days or weeks like 72h, 3d or 2w")
    return int(found[1]) * HOURS[found[2]]


def parse_seconds(text: str) -> int:
    """`90s` or `2m` to seconds."""
    found = re.fullmatch(r"([0-9]{1,4})([A-Za-z]{0,8})", text)
    if found is None or found[2] not in SECONDS:
        raise ValueError("not a short duration; write seconds or minutes like 90s or 2m")
    return int(found[1]) * SECONDS[found[2]]
