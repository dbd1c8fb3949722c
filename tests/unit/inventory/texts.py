"""A valid inventory to change, and how to load it from a string."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory.load import loads

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster

FILE = Path("folder/test.yaml")
EXAMPLES = sorted((Path(__file__).parents[3] / "inventory").glob("*.yaml"))
VALID = """\
cluster: oslo
country: NO
provider: example-hosting
ssh: {user: deploy}
temporal:
  version: 1.31.2
  ui: 2.50.1
  shards: 512
postgres: {version: 17}
hosts:
  one:
    address: 203.0.113.11
    internal: 10.0.0.11
    class: C-Series
    roles: [ui, frontend, postgresql, matching, worker, history]
    resources: {vcpu: 4, memory: 8GiB, disk: {kind: ssd, size: 80GiB}}
"""


def changed(*pairs: tuple[str, str]) -> str:
    """Return the valid text with each first part replaced by the second; each must be there."""
    text = VALID
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def cluster(*pairs: tuple[str, str]) -> Cluster:
    return loads(changed(*pairs), FILE)


def refusal(*pairs: tuple[str, str]) -> list[str]:
    """Return the error's lines without the file's name and the last line."""
    with pytest.raises(InputError) as caught:
        cluster(*pairs)
    return [line.removeprefix(f"{FILE}:") for line in str(caught.value).splitlines()[:-1]]
