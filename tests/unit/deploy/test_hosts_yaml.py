"""YAML that a host holds is read up to a bound, and nothing in it costs more than that host."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from tempo_infra.deploy import namespaces, restarts, values
from tempo_infra.deploy.responses import yaml
from tests.unit.deploy.test_plan import FRESH

DEEP = "services: " + "[" * 30_000
BOMB = "x0: &a0 [l,l,l,l,l,l,l,l,l]\n" + "".join(
    f"x{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 7)
)
REFUSED = {
    "deep": (DEEP, "nested deeper than 40"),
    "deep, in blocks": ("services:\n" + "- " * 500 + "a\n", "nested deeper than 40"),
    "an alias bomb": (f"{BOMB}services: {{a: {{mem_limit: *a6}}}}\n", "an anchor"),
    "many values": ("services: [" + "1," * 30_000 + "]", "more than 20000 values"),
    "many keys": (
        "services: {" + ",".join(f"k{n}: 1" for n in range(30_000)) + "}",
        "more than 20000 values",
    ),
    "long": ("services: {a: {mem_limit: " + "x" * (1 << 20) + "}}", "longer than 1048576"),
    "a number in base 60": ("services: {a: {mem_limit: !!int 1" + ":1" * 1000 + "}}", "the tag"),
    "a key twice": ("services: {a: {mem_limit: 1, mem_limit: 2}}", "twice"),
}


@pytest.mark.thorough
def test_what_is_too_much_is_unread_wherever_a_host_holds_it() -> None:
    """In a process of its own: once it ended the one that read it, without an exception."""
    code = (
        "import sys, json; from tests.unit.deploy.test_hosts_yaml import everywhere\n"
        "print(json.dumps([everywhere(text) for text in json.load(sys.stdin)]))"
    )
    texts = json.dumps([text for text, _ in REFUSED.values()])
    read = subprocess.run(
        [sys.executable, "-c", code], input=texts, capture_output=True, text=True, check=False
    )
    assert (read.returncode, json.loads(read.stdout or "0")) == (0, [[{}] * 5] * len(REFUSED))


def everywhere(text: str) -> list[object]:
    listed = json.dumps({"files": {namespaces.FILE: {"sha256": "a"}}, "services": {}})
    state = replace(FRESH, manifest=listed, texts={namespaces.FILE: text})
    return [
        restarts._services_of(text),
        namespaces.provisioned(state, {}),
        *(values._values(path, text) for path in ("docker-compose.yml", "services/history/server.yaml")),
        values._values("services/history/dynamic.yaml", text),
    ]


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_it_is_said_what_was_too_much(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        yaml(text)


def test_what_yaml_or_postgresql_writes_with_escapes_steers_no_terminal() -> None:
    compose = 'services: {a: {mem_limit: "1\\e[2J\\nfront-1: confirmed", "im\\u202Eage": x}}'
    assert values._values("docker-compose.yml", compose) == {"a.mem_limit": "1 front-1: confirmed"}
    assert restarts._services_of(compose)["a"].keys() == {"mem_limit", "im?age"}
    assert values._values("services/postgresql/postgresql.conf", r"a = '1\033[2J'") == {"a": "1"}
    assert (
        len(values._values("docker-compose.yml", f"services: {{a: {{cpus: {'x' * 9999}}}}}")["a.cpus"]) == 200
    )


@pytest.mark.parametrize(
    "text", ["persistence: [1]\n", "persistence: {datastores: {1: 2}}\n", "1: [{value: 2}]\n", "- a\n", "a\n"]
)
def test_what_is_of_another_shape_has_no_values(text: str) -> None:
    assert values._values("services/history/server.yaml", text) == {}
    assert values._values("services/history/dynamic.yaml", text) == {}
