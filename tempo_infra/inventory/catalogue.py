"""The instance classes: those that come with the package, and an inventory's changes to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempo_infra.inventory.cluster import InstanceClass

if TYPE_CHECKING:
    from collections.abc import Mapping

CLASSES = Path(__file__).with_name("classes.yaml")


@dataclass(frozen=True, slots=True)
class Catalogue:
    thresholds: Mapping[str, float]  # what a class has when it says nothing else
    classes: Mapping[str, InstanceClass]

    def changed(self, own: Mapping[str, Mapping[str, Any]]) -> Mapping[str, InstanceClass]:
        """Return all classes with an inventory's own: new ones need a purpose and a direction."""
        result = dict(self.classes)
        for name, change in own.items():
            base = result.get(name) or InstanceClass(name, "", "", self.thresholds)
            result[name] = InstanceClass(
                name,
                purpose=change.get("purpose") or base.purpose,
                leans=change.get("leans") or base.leans,
                thresholds={**base.thresholds, **change.get("thresholds", {})},
            )
        return result


@cache
def built_in() -> Catalogue:
    """Return the package's classes, from classes.yaml."""
    import yaml

    from tempo_infra.inventory.document import LOADER

    data = yaml.load(CLASSES.read_text("utf-8"), Loader=LOADER)  # noqa: S506 - a safe loader, by its type
    thresholds = {name: float(value) for name, value in data["thresholds"].items()}
    classes = {
        name: InstanceClass(
            name,
            purpose=entry["purpose"],
            leans=entry["leans"],
            thresholds={**thresholds, **{k: float(v) for k, v in entry["thresholds"].items()}},
        )
        for name, entry in data["classes"].items()
    }
    return Catalogue(thresholds, classes)
