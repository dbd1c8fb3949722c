"""Commands of ours in what we say, to be pasted as they are: with the inventory and hosts that were given.

Who knows the inventory makes a hint by `hint`. A host, or code deep down, writes the command alone, and where
its words are shown to a person they go through `completed`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

PROGRAM = "tempo-infra"
ON_HOSTS = (
    *("check-host", "diff", "eject", "history", "plan", "provision", "remove", "render", "resume"),
    *("rollback", "status", "inventory measure", "images save"),
)  # those that take --host
ON_THE_REST = ("plan", "provision")  # those that take --without and --gone
ON_INVENTORY = (
    *(*ON_HOSTS, "capacity", "explain", "maintain", "smoke", "trust", "images pin", "inventory show"),
    *("host remove", "host replace", "backup now", "backup key", "backups"),
    *("secrets recover", "secrets rekey", "secrets rotate", "secrets show-recipients", "secrets identity"),
)  # those that take -i
_NAMES = "|".join(sorted(ON_INVENTORY, key=len, reverse=True))
_COMMAND = re.compile(rf"(?<![\w/-]){PROGRAM} ({_NAMES})(?![\w-])")
_END = re.compile(rf"[`\n;,)]|  |{PROGRAM} |$")  # of a command within a text
MOST = 10  # commands of a text that get options; a host can write any number


REPEATED = ("--host", "--without", "--gone")


@dataclass(frozen=True, slots=True)
class Given:
    """The options of a command line that belong into every hint."""

    inventory: str = ""
    hosts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @classmethod
    def of(cls, words: Sequence[str]) -> Given:
        """Read them off the words behind the program's name."""
        inventories = [*_values(words, "-i", "--inventory")]
        inventory = inventories[-1] if inventories else ""
        return cls(inventory, *(tuple(_values(words, option)) for option in REPEATED))


def hint(command: str, inventory: Path, hosts: Iterable[str] = ()) -> str:
    """Return a command to paste, with the inventory and hosts."""
    return completed(f"{PROGRAM} {command}", Given(str(inventory), tuple(hosts)))


def completed(text: str, given: Given) -> str:
    """Put what was given behind commands of ours, the first ones, that take it and do not have it yet."""
    return _COMMAND.sub(lambda found: found[0] + _options(found, text, given), text, count=MOST)


def _options(command: re.Match[str], text: str, given: Given) -> str:
    end = _END.search(text, command.end())
    rest = text[command.end() : end.start() if end else None].split()
    has_inventory = any(word.split("=")[0] in ("-i", "--inventory") for word in rest)
    named = {word.split("=")[0] for word in rest}
    words = ["-i", given.inventory] if given.inventory and not has_inventory else []
    for option, names, commands in zip(
        REPEATED, (given.hosts, given.without, given.gone), (ON_HOSTS, ON_THE_REST, ON_THE_REST), strict=True
    ):
        if command[1] in commands and option not in named:
            words += [word for name in names for word in (option, name)]
    return "".join(f" {shlex.quote(word)}" for word in words)


def _values(words: Sequence[str], *names: str) -> Iterable[str]:
    """Yield the values of an option as click reads them: `-i X`, `-iX`, `--inventory X`, `--inventory=X`."""
    for number, word in enumerate(words):
        if word == "--":
            return
        for name in names:
            if word == name:
                yield from words[number + 1 : number + 2]
            elif name.startswith("--") and word.startswith(f"{name}="):
                yield word.removeprefix(f"{name}=")
            elif not name.startswith("--") and word.startswith(name):
                yield word.removeprefix(name)
