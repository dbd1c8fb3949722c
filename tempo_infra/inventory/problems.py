"""What is wrong in an inventory: one line a problem, all of them in one error."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

from tempo_infra import sanitize
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Loc: TypeAlias = tuple[str | int, ...]  # ("hosts", "db-1", "roles", 0)

MOST_SHOWN = 50  # a file of another kind has thousands of unknown keys; nobody reads on
LONGEST = 60  # characters of a value that a message repeats


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    mark: Mark | None  # None: the file as a whole
    loc: Loc
    what: str

    def line(self, file: str) -> str:
        place = f"{file}:{self.mark.line}:{self.mark.column}" if self.mark else file
        return f"{place}: {path_of(self.loc)}: {self.what}" if self.loc else f"{place}: {self.what}"


def path_of(loc: Sequence[str | int]) -> str:
    """Write `("hosts", "db-1", "roles", 0)` as `hosts.db-1.roles[0]`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{shown(part)}" if text else shown(part)
    return text


def shown(text: str) -> str:
    """Return a value of the file as it may stand in a message: printable and short."""
    clean = sanitize.one_line(text)
    return clean if len(clean) <= LONGEST else f"{clean[: LONGEST - 3]}..."


def quoted(text: str) -> str:
    return f'"{shown(text)}"'


def did_you_mean(word: str, known: Iterable[str], *, close_to: float = 0.6) -> str:
    """` (did you mean "history"?)`, or nothing when no known word is close; of hundreds, some always are."""
    by_folded = {name.casefold(): name for name in known}
    folded = word.casefold()[:64]
    close = get_close_matches(folded, by_folded, n=1, cutoff=close_to)
    close += [name for name in by_folded if name in folded.split("_")]  # instance_class: class
    return f' (did you mean "{by_folded[close[0]]}"?)' if close else ""


def refuse(path: Path, problems: Sequence[Problem]) -> InputError:
    """Return the error that shows all problems in the order of the file, and their number."""
    ordered = sorted(
        dict.fromkeys(problems), key=lambda p: (p.mark.line, p.mark.column) if p.mark else (0, 0)
    )
    lines = [problem.line(str(path)) for problem in ordered[:MOST_SHOWN]]
    if len(ordered) > MOST_SHOWN:
        lines.append(f"{path}: and {len(ordered) - MOST_SHOWN} more")
    count = "1 error" if len(ordered) == 1 else f"{len(ordered)} errors"
    return InputError("\n".join([*lines, f"{count}; nothing was contacted"]))
