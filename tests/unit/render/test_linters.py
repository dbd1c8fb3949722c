"""What others say about our files: a security linter, the Compose specification, PostgreSQL's own parser."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tempo_infra.inventory import load
from tempo_infra.render import render
from tempo_infra.sizing import size

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[3]
ARTICLE = ROOT / "tests" / "data" / "article-compose.yml"
PROGRAMS = Path(sys.executable).parent
DIGEST_RULE = "CL-0019"  # `images pin` answers it; an example has no digests of images nobody pulled yet
SEVERE = {"medium", "high", "critical"}
POSTGRES = shutil.which("postgres") or next(
    map(str, Path("/usr/lib/postgresql").glob("*/bin/postgres")), None
)


def findings(files: Iterable[Path]) -> list[tuple[str, str]]:
    command = [str(PROGRAMS / "compose-lint"), "check", "--format", "json", "--no-env", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT / "tests" / "data")
    assert done.returncode in {0, 1}, done.stderr
    answer = json.loads(done.stdout)
    assert answer["errors"] == []
    return [(found["rule_id"], found["severity"]) for found in answer["findings"]]


def fits_the_specification(files: Iterable[Path]) -> subprocess.CompletedProcess[str]:
    command = [
        str(PROGRAMS / "check-jsonschema"),
        "--builtin-schema",
        "vendor.compose-spec",
        *map(str, files),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    for path in sorted((ROOT / "inventory").glob("*.yaml")):
        cluster = load(path)
        for bundle in render(cluster, size(cluster)):
            for file in bundle.files:
                target = folder / path.stem / bundle.host / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.content)
    return folder


def compose_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("docker-compose.yml"))


def test_the_security_linter_finds_nothing_in_ours(trees: Path) -> None:
    assert len(compose_files(trees)) == 7
    found = findings(compose_files(trees))
    assert (DIGEST_RULE, "medium") in found  # it looked
    assert [finding for finding in found if finding[1] in SEVERE and finding[0] != DIGEST_RULE] == []


def test_the_security_linter_refuses_the_articles_file() -> None:
    found = [rule for rule, severity in findings([ARTICLE]) if severity in SEVERE and rule != DIGEST_RULE]
    assert {"CL-0003", "CL-0006", "CL-0020", "CL-0026"} <= set(
        found
    )  # privileges, capabilities, passwords, limits


def test_ours_fits_the_specification(trees: Path) -> None:
    done = fits_the_specification(compose_files(trees))
    assert done.returncode == 0, done.stdout


def test_the_specification_is_really_looked_at(trees: Path, tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(compose_files(trees)[0].read_text().replace("mem_limit:", "memory_limit:"))
    assert fits_the_specification([broken]).returncode == 1


@pytest.mark.skipif(
    POSTGRES is None, reason="no PostgreSQL server on this machine; the lab starts a real one"
)
def test_postgresql_takes_every_line(trees: Path, tmp_path: Path) -> None:
    def read(conf: Path) -> subprocess.CompletedProcess[str]:
        command = [str(POSTGRES), "-C", "max_connections", f"--config-file={conf}", "-D", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    files = sorted(trees.rglob("postgresql.conf"))
    assert len(files) == 3
    for conf in files:
        done = read(conf)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) >= 70
    broken = tmp_path / "broken.conf"
    broken.write_text(files[0].read_text().replace("jit = off", "jit = perhaps"))
    assert read(broken).returncode == 1
