"""The page of the inventory's keys, made from its JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_infra.inventory.schema import schema as json_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAMES = {"string": "text", "object": "mapping", "boolean": "yes or no"}
ANY = 1e12  # a maximum that only keeps numbers sane
INTRODUCTION = """\
# The inventory

One YAML file, read by the YAML 1.2 core schema (`NO` is text). An unknown key is an error. Begin with
`tempo-infra init`, or with an example: [one host](../../inventory/single.yaml),
[three hosts](../../inventory/oslo-trio.yaml). `tempo-infra inventory schema` prints the JSON Schema.
"""


def page() -> str:
    schema = json_schema()
    sections = [("The file", schema), *((n, d) for n, d in schema["$defs"].items() if "properties" in d)]
    return "\n".join((INTRODUCTION, *(_section(name, part, schema) for name, part in sections)))


def _section(name: str, part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    required = set(part.get("required", ()))
    rows = []
    for key, value in part.get("properties", {}).items():
        default = "required" if key in required else _shown(value.get("default"))
        rows.append(f"| `{key}` | {_type(value)} | {default} | {_meaning(value, schema)} |")
    title = name.removesuffix("Section")
    about = (part.get("description") or "").strip()
    return (
        f"## {title}\n\n{about}\n\n| key | is | default | meaning |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def _meaning(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Return a key's description; a section that has none here is described at its own heading."""
    section = schema["$defs"].get(value.get("$ref", "").rpartition("/")[2], {})
    said = str(value.get("description") or section.get("description", ""))
    names = value.get("properties", {})
    return f"{said} Known: {', '.join(f'`{name}`' for name in names)}." if names else said


def _shown(default: Any) -> str:
    return f"`{default}`" if default not in (None, [], {}, "") and not isinstance(default, dict) else ""


def _type(value: Mapping[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2].removesuffix("Section")
        return f"[{name}](#{name.lower()})"
    if "anyOf" in value:
        return " or ".join(_type(one) for one in value["anyOf"] if one.get("type") != "null")
    if "enum" in value:
        known = dict.fromkeys(str(one) for one in value["enum"])  # 17 and "17" are the same
        return _listed(known)
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}))}"
    by_name = [*value.get("patternProperties", {}).values(), value.get("additionalProperties")]
    return f"mapping to {_type(by_name[0])}" if isinstance(by_name[0], dict) else _plain(value)


def _listed(words: Iterable[str]) -> str:
    *first, last = (f"`{word}`" for word in words)
    return f"{', '.join(first)} or {last}" if first else last


def _plain(value: Mapping[str, Any]) -> str:
    kinds = value.get("type", "string")
    named = [NAMES.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return " or ".join(named) + _range(value)


def _range(value: Mapping[str, Any]) -> str:
    least, most = value.get("minimum"), value.get("maximum")
    return f", {least} to {most}" if least is not None and most is not None and most < ANY else ""
