"""The import table of the design, as a test."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.unit.source import nodes

PACKAGE = Path(__file__).parents[2] / "tempo_infra"

EVERYTHING = {
    "trees", "archives", "components", "inventory", "topology", "sizing", "secrets", "render", "on_host",
    "ssh", "deploy", "checks", "workload", "report", "cli",
}  # fmt: skip
MAY_IMPORT = {
    "trees": set(),
    "archives": {"trees", "on_host"},
    "components": set(),
    "inventory": {"trees", "components"},
    "topology": {"inventory", "components"},
    "sizing": {"trees", "inventory", "components", "topology"},
    "secrets": {"trees"},
    "render": {"trees", "sizing", "inventory", "on_host", "components", "topology"},
    "on_host": set(),
    "ssh": {"trees", "inventory", "on_host"},
    "deploy": {
        "trees",
        "archives",
        "components",
        "inventory",
        "topology",
        "sizing",
        "render",
        "secrets",
        "ssh",
        "on_host",
        "checks",
    },
    "checks": {"inventory", "sizing", "on_host", "components", "topology"},
    "workload": {"inventory", "secrets", "on_host", "components"},
    # result types of checks, deploy and sizing; inventory names hosts and roles in them
    "report": {"trees", "checks", "deploy", "inventory", "on_host", "sizing", "components", "topology"},
    "cli": EVERYTHING,
}
FOR_ALL = {"errors", "hints", "sanitize", "__version__"}  # not rooms


def imports(room: str) -> set[str]:
    found: set[str] = set()
    for path in (PACKAGE / room).rglob("*.py"):
        for node in nodes(path):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
    return found


def test_the_table_names_every_room() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(MAY_IMPORT)


def test_the_page_on_how_it_is_built_names_every_room() -> None:
    page = (PACKAGE.parent / "docs/explanation/architecture.md").read_text()
    table = page.partition("| package | holds |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)/` \|", table, re.MULTILINE)) == set(MAY_IMPORT)


@pytest.mark.parametrize(("room", "allowed"), MAY_IMPORT.items())
def test_a_room_imports_only_what_the_table_allows(room: str, allowed: set[str]) -> None:
    rooms = {name.split(".")[1] for name in imports(room) if name.startswith("tempo_infra.")} - FOR_ALL
    assert rooms <= {room} | allowed


def test_what_runs_on_a_host_needs_only_the_standard_library() -> None:
    assert {name.split(".")[0] for name in imports("on_host")} <= sys.stdlib_module_names | {"tempo_infra"}


def test_only_the_workload_knows_the_temporal_sdk() -> None:
    users = {room for room in MAY_IMPORT if any(name.startswith("temporalio") for name in imports(room))}
    assert users == {"workload"}


FILE_CALLS = frozenset(
    {
        *("open", "read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "glob", "rglob", "walk"),
        *("chmod", "mkdir", "makedirs", "rename", "replace_file", "unlink", "rmdir", "rmtree", "symlink_to"),
        *("touch", "listdir", "scandir", "mkstemp", "NamedTemporaryFile", "copy", "copyfile", "from_path"),
    }
)
OPENED_OTHERWISE = {"SecretStore", "Tree", "tarfile"}  # goes through trees, or is in memory
READ_WHAT_NOBODY_ELSE_FILLED = {
    "cli/main.py": "the standard streams",
    "deploy/payload.py": "the package's own source",
    "inventory/catalogue.py": "package data",
    "inventory/parameters.py": "package data",
    "inventory/scaffold.py": "package data",
    "render/bounded.py": "/proc/self/statm, and a pipe of its own",
    "render/engine.py": "package data: the built-in templates",
    "ssh/openssh.py": "a private temporary folder of its own",
    "ssh/openssh_program.py": "a private temporary folder of its own",
    "ssh/target.py": "the caller's ~/.ssh and the keys that ssh is to use, by ssh's own rules",
    "workload/processes.py": "a private temporary folder of its own",
    "workload/smoke.py": "a private temporary folder of its own",
}


def file_calls(path: Path) -> set[str]:
    """The calls that read, write or change files, by name; `x.replace(y)` may be text, and is not seen."""
    found = set()
    for node in nodes(path):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            found |= {node.func.id} & FILE_CALLS
        elif isinstance(node.func, ast.Attribute):
            receiver = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            found |= set() if receiver in OPENED_OTHERWISE else {node.func.attr} & FILE_CALLS
    return found


def operators_modules() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in {"on_host", "trees"}
    ]


def test_files_that_others_may_have_filled_go_through_one_door() -> None:
    found = {str(path.relative_to(PACKAGE)): file_calls(path) for path in operators_modules()}
    assert {name: said for name, said in found.items() if said}.keys() == READ_WHAT_NOBODY_ELSE_FILLED.keys()


@pytest.mark.parametrize(
    "call",
    [
        "open('x')",
        "path.open()",
        "a.b.read_text()",
        "os.open(p, 0)",
        "tempfile.mkstemp()",
        "Path(x).chmod(1)",
    ],
)
def test_the_door_is_watched(tmp_path: Path, call: str) -> None:
    (tmp_path / "module.py").write_text(f"def f():\n    with suppress(OSError):\n        return {call}\n")
    assert file_calls(tmp_path / "module.py")


def test_modules_stay_small() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path: count for path, count in lines.items() if count > 400} == {}


def test_every_rule_that_is_left_out_says_why() -> None:
    root = PACKAGE.parent
    places = [
        path
        for room in ("tempo_infra", "tests", "lab", "bench", "docs")
        for path in (root / room).rglob("*.py")
    ]
    bare = re.compile(r"# noqa: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*$", re.MULTILINE)
    assert {path.name: found[0] for path in places if (found := bare.search(path.read_text()))} == {}
