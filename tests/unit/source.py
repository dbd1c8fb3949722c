"""The package's source, parsed once for all tests that hold it against a rule."""

from __future__ import annotations

import ast
import functools
from pathlib import Path


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a module, the module itself first."""
    return tuple(ast.walk(ast.parse(path.read_text())))
