"""The JSON Schema of an inventory, for editors and for what we say about unknown keys."""

from __future__ import annotations

from functools import cache
from typing import Any

from tempo_infra.inventory.catalogue import built_in
from tempo_infra.inventory.models import InventoryFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def schema() -> dict[str, Any]:
    """Return the schema; threshold names are the built-in catalogue's."""
    body = InventoryFile.model_json_schema(by_alias=True)
    thresholds = body["$defs"]["ClassSection"]["properties"]["thresholds"]
    number = thresholds.pop("additionalProperties")
    thresholds["properties"] = dict.fromkeys(built_in().thresholds, number)
    thresholds["additionalProperties"] = False
    body["properties"]["hosts"]["additionalProperties"] = False
    return {"$schema": DIALECT, **body, "title": "tempo-infra inventory"}


def keys_at(loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return the keys that are known at that place: `keys_at(("hosts", "db-1"))` has `roles`."""
    node = _resolved(schema())
    for part in loc:
        if isinstance(part, int):
            node = _resolved(node.get("items", {}))
        else:
            named = node.get("properties", {}).get(part)
            node = _resolved(named or node.get("additionalProperties") or _any_of_pattern(node))
    return tuple(node.get("properties", {}))


def _any_of_pattern(node: dict[str, Any]) -> dict[str, Any]:
    return next(iter(node.get("patternProperties", {}).values()), {})


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    node = next(iter(node.get("anyOf", ())), node)  # a section that may be absent
    if "$ref" in node:
        found: dict[str, Any] = schema()["$defs"][node["$ref"].rpartition("/")[2]]
        return found
    return node
