"""Importing less: paramiko loads `invoke` for `Match exec` lines alone, at a third of its own start."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


class _WhenUsed(ModuleType):
    """Stands for a module until one of its names is asked for."""

    def __getattr__(self, attribute: str) -> object:
        sys.modules.pop(self.__name__, None)
        return getattr(import_module(self.__name__), attribute)


def import_when_used(name: str) -> None:
    """Put a module in place that is read when one of its names is asked for; nothing when there is none."""
    if name not in sys.modules and find_spec(name) is not None:
        sys.modules[name] = _WhenUsed(name)
