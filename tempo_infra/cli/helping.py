"""The help of every command: names stand whole, words wrap, and nothing is wider than the terminal."""

from __future__ import annotations

import inspect
import re
import shutil
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NARROWEST, WIDEST = 40, 80  # columns
WIDEST_NAMES = 28  # of the left column; a longer name has a line of its own
LONGEST_WORD = 60
LIKE_A_TYPO = 0.7  # no further away: `remove` must not be the answer to `restore`
MEANT = {  # what people type who know other tools -> our word for it
    "apply": "provision",
    "check": "check-host",
    "deploy": "provision",
    "destroy": "remove",
    "doctor": "check-host",
    "drain": "maintain",
    "drift": "diff",
    "log": "history",
    "reboot": "maintain",
    "restore": "rollback",
    "revert": "rollback",
    "rotate": "secrets rotate",
    "size": "capacity",
    "undo": "rollback",
    "uninstall": "remove",
    "up": "provision",
}
Rows = list[tuple[str, str]]
Done = TypeVar("Done", bound="Callable[..., Any]")


def _filled(words: str, width: int, indent: int = 0) -> Iterator[str]:
    import textwrap

    left = " " * indent
    yield from textwrap.wrap(
        words,
        width,
        initial_indent=left,
        subsequent_indent=left,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _write_list(formatter: Any, title: str, rows: Rows) -> None:
    """Write names and what they mean in two columns."""
    if not rows:
        return
    left = 4 + min(max(len(name) for name, _ in rows), WIDEST_NAMES)
    formatter.write(f"\n{title}:\n")
    for name, meaning in rows:
        first, *rest = list(_filled(meaning, formatter.width - left)) or [""]
        beside = len(name) <= left - 4
        head = f"  {name:<{left - 2}}{first}" if beside else f"  {name}\n{'':{left}}{first}"
        formatter.write("\n".join([head.rstrip(), *(f"{'':{left}}{line}" for line in rest)]) + "\n")


def _rows(command: Any, ctx: Any, kind: str) -> Rows:
    """Return names and meanings of a command's options or arguments; the library's types are left out."""
    rows = []
    for one in command.get_params(ctx):
        record = one.get_help_record(ctx) if one.param_type_name == kind else None
        if record is not None:
            name = one.metavar or one.name if kind == "argument" else record[0]
            rows.append((re.sub("[<>]", "", name), _readable(record[1])))
    return rows


def _readable(meaning: str) -> str:
    """Write `[default: 2.0; 0<=x<=1000.0]` as people do: `[default: 2; 0 to 1000]`."""
    meaning = re.sub(r"\b(\d+)\.0\b", r"\1", meaning)
    return re.sub(r"x>=([\d.]+)", r"\1 or more", meaning.replace("<=x<=", " to "))


class _Told:
    """How a command or a group of them tells its own help."""

    help: str | None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.width = max(NARROWEST, min(shutil.get_terminal_size().columns, WIDEST))
        self.format_usage(ctx, formatter)  # type: ignore[attr-defined]
        for paragraph in inspect.cleandoc(self.help or "").split("\n\n"):
            lines = _filled(" ".join(paragraph.split()), formatter.width, 2)
            formatter.write("\n" + "\n".join(lines) + "\n")
        _write_list(formatter, "Arguments", _rows(self, ctx, "argument"))
        _write_list(formatter, "Options", _rows(self, ctx, "option"))
        commands = getattr(self, "commands", {}).items()
        _write_list(formatter, "Commands", [(name, _summary(one)) for name, one in commands])


def quoted(word: str) -> str:
    from tempo_infra import sanitize

    return f'"{sanitize.cut(sanitize.one_line(word), LONGEST_WORD)}"'


def _summary(command: Any) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].split())


class Command(_Told, TyperCommand):
    """A command."""


class Group(_Told, TyperGroup):
    """A command that has others below it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; one that is not there is refused, with the one that was probably meant."""
        self.suggest_commands = False  # the library's takes what is much further away
        if (
            args
            and not args[0].startswith("-")
            and args[0] not in self.commands
            and not ctx.resilient_parsing
        ):
            ctx.fail(f"No such command {quoted(args[0])}.{self._meant(args[0])}")
        return super().resolve_command(ctx, args)

    def _meant(self, word: str) -> str:
        from difflib import get_close_matches

        known = MEANT.get(word.casefold(), "")
        if known and known.split()[0] in self.commands:
            return f" Did you mean {quoted(known)}?"
        close = get_close_matches(word.casefold()[:64], self.commands, cutoff=LIKE_A_TYPO)
        return f" Did you mean {' or '.join(map(quoted, close))}?" if close else ""


class App(typer.Typer):
    """A command line whose commands have this help."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            cls=Group,
            no_args_is_help=True,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
            **settings,
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Done], Done]:
        return super().command(name, **{"cls": Command, **settings})
