"""Why a file or a folder is not taken, in words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError, cause
from tempo_infra.sanitize import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class UnfitError(InputError):
    """A file or folder that is not taken; `path` is it or one on the way to it, `why` says the rest."""

    def __init__(self, path: Path, why: str, *, remedy: str = "") -> None:
        super().__init__(f"{one_line(str(path))}: {why}", remedy=one_line(remedy))
        self.path, self.why = path, why


@contextmanager
def refusing(path: Path, done: str) -> Iterator[None]:
    """Say what the machine refuses. What it means that there is no such file, the caller knows."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        why = cause(error) if isinstance(error, OSError) else "not a path"
        raise UnfitError(path, f"can't be {done}: {why}") from error
