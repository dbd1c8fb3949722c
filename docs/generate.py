"""The reference pages, made from the code: python -m docs.generate [--check]."""

from __future__ import annotations

import functools
import re
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main

from docs import cluster_figure, faults_page, footprint, inventory_page
from tempo_infra.cli.exit_codes import MEANINGS
from tempo_infra.cli.main import app
from tempo_infra.inventory.load import loads
from tempo_infra.report import checks_page, sizing_pages
from tempo_infra.sizing import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing import Settings

REFERENCE = Path(__file__).parent / "reference"
EXAMPLE = Path(__file__).parents[1] / "inventory" / "oslo-trio.yaml"
COMPLETION = """\
`tempo-infra --install-completion` teaches your shell commands and options, and the names of hosts,
checks and classes: hosts of the inventory that `-i` names before them, or of `inventory.yaml`. Only
files are read."""
HEAD = "<!-- made by `make docs` from the code; edit the code -->\n\n"


@functools.cache
def pages() -> dict[str, str]:
    """Return every generated page by its file name."""
    return {
        "commands.md": commands(),
        "inventory.md": HEAD + inventory_page.page(),
        "checks.md": checks_page.page(),
        "faults.md": HEAD + faults_page.page(),
        "footprint.md": HEAD + footprint.page([*_examples(), *_database_classes()]),
        "budgets.md": HEAD + sizing_pages.budgets(),
        "pgtune.md": HEAD + sizing_pages.beside_pgtune(_database_classes()),
        "../images/cluster.svg": _figure(),
    }


def _database_classes() -> list[tuple[Cluster, Settings]]:
    """The example of three hosts, with database hosts of several sizes."""
    text = EXAMPLE.read_text()
    host = re.compile(r"(class: High-RAM\n.*\n.*resources: )\{.*\}\}")
    sizes = [(2, "4GiB", "40GiB"), (4, "16GiB", "160GiB"), (8, "32GiB", "320GiB"), (16, "64GiB", "640GiB")]
    found = []
    for vcpu, memory, disk in sizes:
        have = f"{{vcpu: {vcpu}, memory: {memory}, disk: {{kind: nvme, size: {disk}}}}}"
        cluster = loads(host.sub(rf"\g<1>{have}", text), EXAMPLE)
        found.append((cluster, size(cluster)))
    return found


def _examples() -> list[tuple[Cluster, Settings]]:
    clusters = [loads(path.read_text(), path) for path in sorted(EXAMPLE.parent.glob("*.yaml"))]
    return [(cluster, size(cluster)) for cluster in clusters]


def _figure() -> str:
    cluster = loads(EXAMPLE.read_text(), EXAMPLE)
    return cluster_figure.figure(cluster, size(cluster))


def _exit_codes() -> str:
    rows = "".join(f"| {code.value} | {MEANINGS[code]} |\n" for code in sorted(MEANINGS))
    order = ", ".join(str(code.value) for code in MEANINGS)
    return (
        f"| exit code | meaning |\n|---:|---|\n{rows}\n"
        f"Of several things at once, as on several hosts, the first in this order is it: {order}.\n"
        "That holds for every command.\n"
    )


def commands() -> str:
    found = list(_walk("tempo-infra", typer.main.get_command(app)))
    listed = "\n".join(f"| [`{name}`](#{_anchor(name, one)}) | {_summary(one)} |" for name, one in found)
    parts = [
        f"{HEAD}# Commands\n\nEvery command takes `--help`.\n\n{COMPLETION}\n",
        f"| command | does |\n|---|---|\n{listed}\n",
        f"## Exit codes\n\n{_exit_codes()}",
    ]
    parts += [_command(name, command) for name, command in found]
    return "\n".join(parts)


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    children: Mapping[str, Any] = getattr(command, "commands", {})
    if not children:
        yield name, command
    for child, inner in children.items():
        yield from _walk(f"{name} {child}", inner)


def _summary(command: Any) -> str:
    return str(command.help or "").strip().partition("\n\n")[0].replace("\n", " ")


def _title(name: str, command: Any) -> str:
    words = [_word(one) for one in command.params if one.param_type_name == "argument"]
    return " ".join((name, *words))


def _word(one: Any) -> str:
    word = f"{(one.metavar or one.name).upper()}{'...' if one.nargs < 0 else ''}"
    return word if one.required else f"[{word}]"


def _anchor(name: str, command: Any) -> str:
    return re.sub(r"[^\w\- ]", "", _title(name, command).lower()).replace(" ", "-")


def _command(name: str, command: Any) -> str:
    rows = [_parameter(one) for one in command.params if one.name != "help"]
    table = "| option | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    return f"## `{_title(name, command)}`\n\n{(command.help or '').strip()}\n\n{table}"


def _parameter(one: Any) -> str:
    is_argument = one.param_type_name == "argument"
    words = [_word(one)] if is_argument else [*one.opts, *one.secondary_opts]
    names = ", ".join(f"`{word}`" for word in words)
    meaning = (getattr(one, "help", "") or "").replace("|", "\\|")
    values = f" One of {', '.join(_choices(one))}." if _choices(one) else ""
    return f"| {names} | {meaning}{values} | {_default(one)} |"


def _choices(one: Any) -> list[str]:
    """Return the values to choose from; an option with a word of its own names them in its help."""
    kind = one.type_descriptor.annotation
    is_choice = isinstance(kind, type) and issubclass(kind, Enum) and not one.metavar
    return [f"`{choice.value}`" for choice in kind] if is_choice else []


def _default(one: Any) -> str:
    if one.required:
        return "required"
    if one.default in (None, False, (), [], "") or callable(one.default):
        return ""
    if one.secondary_opts:
        return f"`{one.opts[0]}`"
    return f"`{getattr(one.default, 'value', one.default)}`"


def main() -> int:
    """Write the pages; with --check, say which differ and exit 1."""
    stale = [name for name, text in pages().items() if not _same(REFERENCE / name, text)]
    if "--check" in sys.argv:
        print("\n".join(f"docs/reference/{name} is not what the code says: make docs" for name in stale))
        return 1 if stale else 0
    for name in stale:
        (REFERENCE / name).write_text(pages()[name])
    print(f"docs/reference: {len(stale)} written")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
