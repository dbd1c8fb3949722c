"""The reference pages, made from the code: python -m docs.generate [--check]."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main

from docs import faults_page, footprint
from tempo_infra.cli.main import app
from tempo_infra.inventory.load import loads
from tempo_infra.inventory.schema import schema as json_schema
from tempo_infra.report import checks_page, sizing_pages
from tempo_infra.sizing import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing import Settings

REFERENCE = Path(__file__).parent / "reference"
EXAMPLE = Path(__file__).parents[1] / "inventory" / "oslo-trio.yaml"
NAMES = {"string": "text", "object": "mapping", "boolean": "yes or no"}
HEAD = "<!-- made by `make docs` from the code; edit the code -->\n\n"


def pages() -> dict[str, str]:
    """Return every generated page by its file name."""
    return {
        "commands.md": commands(),
        "inventory.md": inventory(),
        "checks.md": checks_page.page(),
        "faults.md": HEAD + faults_page.page(),
        "footprint.md": HEAD + footprint.page([*_examples(), *_database_hosts()]),
        "budgets.md": HEAD + sizing_pages.budgets(),
        "pgtune.md": HEAD + sizing_pages.beside_pgtune(_database_hosts()),
    }


def _database_hosts() -> list[tuple[Cluster, Settings]]:
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


def commands() -> str:
    root = typer.main.get_command(app)
    parts = [
        HEAD + "# Commands\n\nEvery command takes `--help`. Exit codes: 0 fine · 1 something failed · "
        "2 usage or bad input, nothing was contacted · 3 a host could not be reached, or something wanted "
        "could not be measured · "
        "4 changes pending (`plan --detailed-exitcode`) · 5 a rollback failed.\n"
    ]
    parts += [_command(name, command) for name, command in _walk("tempo-infra", root)]
    return "\n".join(parts)


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    children: Mapping[str, Any] = getattr(command, "commands", {})
    if not children:
        yield name, command
    for child, inner in children.items():
        yield from _walk(f"{name} {child}", inner)


def _command(name: str, command: Any) -> str:
    rows = [_parameter(one) for one in command.params if one.name != "help"]
    words = " ".join(
        f"[{(one.metavar or one.name).upper()}]"
        for one in command.params
        if one.param_type_name == "argument"
    )
    table = "| option | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    return f"## `{f'{name} {words}'.strip()}`\n\n{(command.help or '').strip()}\n\n{table}"


def _parameter(one: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
    shown = "" if one.default in (None, False, (), [], "") or callable(one.default) else f"`{one.default}`"
    meaning = (getattr(one, "help", "") or "").replace("|", "\\|")
    return f"| {names} | {meaning} | {shown} |"


def inventory() -> str:
    schema = json_schema()
    parts = [
        HEAD + "# The inventory\n\nOne YAML file, read by the YAML 1.2 core schema (`NO` is text). "
        "`tempo-infra inventory schema` prints the JSON Schema for editors.\n"
    ]
    parts.append(_section("the file", schema, schema))
    parts += [
        _section(name, part, schema) for name, part in schema.get("$defs", {}).items() if "properties" in part
    ]
    return "\n".join(parts)


def _section(name: str, part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    required = set(part.get("required", ()))
    rows = []
    for key, value in part.get("properties", {}).items():
        needed = "yes" if key in required else ""
        rows.append(f"| `{key}` | {_type(value, schema)} | {needed} | {value.get('description', '')} |")
    title = name.removesuffix("Section")
    about = (part.get("description") or "").strip()
    return (
        f"## {title}\n\n{about}\n\n| key | is | required | meaning |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def _type(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in value:
        return f"[{value['$ref'].rpartition('/')[2].removesuffix('Section')}]" if schema else ""
    if "anyOf" in value:
        return " or ".join(_type(one, schema) for one in value["anyOf"] if one.get("type") != "null")
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}), schema)}"
    if value.get("type") == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"mapping to {_type(value['additionalProperties'], schema)}"
    kinds = value.get("type", "string")
    named = [NAMES.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return " or ".join(named)


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
