"""Asking for the sudo password of the hosts."""

from __future__ import annotations

import sys

import typer


def ask_password() -> str:
    """Ask on the terminal, unseen; without one, take the first line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("sudo password on the hosts", hide_input=True))
    return sys.stdin.readline().rstrip("\n")
