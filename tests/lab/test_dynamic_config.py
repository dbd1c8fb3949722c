"""Our table of dynamic keys, and what we take for a value, against the server and its source."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab import dynamic_keys
from lab.paths import Home
from tempo_infra.inventory import constraints, document, dynamic_config, load
from tempo_infra.inventory.parameters import rows
from tempo_infra.render import parse, render
from tempo_infra.sizing import size

pytestmark = pytest.mark.lab
EXAMPLES = sorted((Path(__file__).parents[2] / "inventory").glob("*.yaml"))
VERSION = "1.31.2"  # of the lab's server
# Values of each kind, in every way that we take them; and some that we refuse (beside numbers below 0, which
# the server takes though they mean nothing anywhere).
TAKEN = {
    "bool": ("true", '"False"', '"1"', '"t"'),
    "int": ("0", "7", str(2**63 - 1)),
    "float": ("7", "0.5", "12.25"),
    "duration": ("20", "1.5", '"20"', '".5"', "60d", "1d12h", "500ms", "1h.5m", "+5s", '"0"', "250us"),
    "string": ('"seven"', '""'),
}
REFUSED = {
    "bool": ("1", '"yes"', '"on"', "[true]"),
    "int": ('"7"', "1.5", "true"),
    "float": ('"0.5"', "true"),
    "duration": ("soon", "5 s", "5S", '""', "1h-5m", "300y", "110000d", "true", "[5s]"),
    "string": ("7", "true"),
}
KEY = {
    "bool": "matching.enableFairness",
    "int": "matching.rps",
    "float": "frontend.historyHostErrorPercentage",
    "duration": "history.shutdownDrainDuration",
    "string": "system.secondaryVisibilityWritingMode",
}


def said_of(dynamic: str, folder: Path) -> list[str]:
    """What the server's own validator says of a dynamic configuration: its warnings."""
    file = folder / "dynamic.yaml"
    file.write_text(dynamic)
    found = subprocess.run(
        ["docker", "image", "ls", "-q", "tempo-infra-lab/temporal-server"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert found.stdout.split(), "no image of the server: run `make lab-up`"
    mount = f"type=bind,src={file},dst=/d.yaml,readonly"
    words = [
        "docker",
        "run",
        "--rm",
        "--network",
        "none",
        "--mount",
        mount,
        "--entrypoint",
        "temporal-server",
    ]
    words += [found.stdout.split()[0], "validate-dynamic-config", "/d.yaml"]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    assert said[0] == "/d.yaml"
    return said[1:]


def entries(name: str, values: Sequence[str]) -> str:
    return f"{name}:\n" + "".join(f"  - value: {value}\n" for value in values)


def read(text: str) -> Any:
    return parse.yaml(text)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_server_takes_every_dynamic_value(path: Path, tmp_path: Path) -> None:
    cluster = load(path)
    files = [file for bundle in render(cluster, size(cluster)) for file in bundle.files]
    dynamic = [file.content.decode() for file in files if file.logical.endswith("dynamic.yaml")]
    assert len(dynamic) >= 4
    for text in dynamic:
        assert said_of(text, tmp_path) == []


def test_the_server_knows_every_key_of_our_table_and_takes_what_we_take(tmp_path: Path) -> None:
    """A key of lists or structures with an empty one: it is known, whatever it wants."""
    keys = dynamic_config.keys(VERSION).values()
    text = "".join(entries(key.name, TAKEN[key.kind]) for key in keys if key.kind in TAKEN)
    assert said_of(text, tmp_path) == []
    others = "".join(entries(key.name.upper(), ["{}"]) for key in keys if key.kind not in TAKEN)
    assert not [line for line in said_of(others, tmp_path) if "unregistered" in line]
    assert any("unregistered" in line for line in said_of(entries("history.rpz", "1"), tmp_path))


@pytest.mark.parametrize("kind", TAKEN)
def test_what_the_server_takes_we_take_and_what_it_passes_over_we_refuse(kind: str, tmp_path: Path) -> None:
    assert dynamic_config.key(VERSION, KEY[kind]).kind == kind
    for value in TAKEN[kind]:
        dynamic_config.checked(VERSION, KEY[kind], read(value))
    said = said_of(entries(KEY[kind], REFUSED[kind]), tmp_path)
    assert sum("validation failed" in line for line in said) == len(REFUSED[kind]), said
    for value in REFUSED[kind]:
        with pytest.raises(ValueError, match="must be"):
            dynamic_config.checked(VERSION, KEY[kind], read(value))


def test_an_exponent_is_taken_as_an_inventory_reads_it(tmp_path: Path) -> None:
    """The reader of own templates takes `1e3` for a text, so it is no row above."""
    value = document.parse("1e3")[0].value
    assert isinstance(value, float)
    assert dynamic_config.checked(VERSION, KEY["float"], value) == 1000
    assert not any("failed" in line for line in said_of(entries(KEY["float"], ["1e3"]), tmp_path))


def test_the_table_is_what_the_source_says() -> None:
    """The lab has the source of its own server; `python3 -m lab.dynamic_keys` reads those of all versions."""
    found = dynamic_keys.keys_of(Home.locate(), VERSION)
    table = {key: tuple(more) for key, first, _, *more in rows(dynamic_config.TABLE) if not first}
    assert dynamic_config.versions() == dynamic_keys.VERSIONS
    assert table == found


def test_a_constraint_that_the_server_does_not_take_is_refused(tmp_path: Path) -> None:
    """Each of the server's words about it; what it never finds it takes without one."""
    some = {key.scope: key for key in dynamic_config.keys(VERSION).values() if key.kind in TAKEN}
    for word in ("namespace", "namespaceid", "taskqueuename", "destination", "chasmtasktype"):
        fitting = {scope for scope, words in constraints.FITTING.items() if frozenset([word]) in words}
        text = "".join(
            f"{key.name}: [{{value: {TAKEN[key.kind][0]}, constraints: {{{word}: a}}}}]\n"
            for key in some.values()
        )
        warned = "\n".join(said_of(text, tmp_path))
        assert {scope for scope, key in some.items() if f'"{key.name.lower()}"' not in warned} == fitting
