"""Modules that are imported when they are first used: each connection compiles what it uses, and no more."""

from __future__ import annotations

from importlib import import_module


class Later:
    """Stands for a module of this package until one of its names is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> object:
        return getattr(import_module(f"tempo_infra.on_host.{self._name}"), attribute)
