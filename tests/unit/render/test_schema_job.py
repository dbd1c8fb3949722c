"""The schema job's script, run by a shell: the tool finds the password, and no environment shows it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tempo_infra.inventory import load
from tempo_infra.render import render
from tempo_infra.sizing import size

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"
PASSWORD_FILE, PASSFILE = "/run/secrets/tempo-infra/db_password", "/tmp/pgpass"
# In the place of the tool: what it was given, and what it would read.
TOOL = """#!/bin/sh
{ env; echo "$@"; } >> "$SEEN/shown"
cp -p "$PGPASSFILE" "$SEEN/read"
"""


def script() -> str:
    cluster = load(EXAMPLE)
    files = [file for bundle in render(cluster, size(cluster)) for file in bundle.files]
    [found] = [file for file in files if file.path.endswith("/migrate.sh")]
    return found.content.decode()


@pytest.mark.parametrize("password", ["plain-and-long-enough", "a:b\\c'd\"$HOME`id`%20&*\\n#{{7}}"])
def test_the_password_is_in_a_file_of_its_own_and_in_no_environment(tmp_path: Path, password: str) -> None:
    tool, secret = tmp_path / "temporal-sql-tool", tmp_path / "db_password"
    tool.write_text(TOOL)
    tool.chmod(0o755)
    secret.write_text(password)
    text = script()
    assert {PASSWORD_FILE, PASSFILE} <= set(text.replace(")", " ").replace("=", " ").split())
    text = text.replace(PASSWORD_FILE, str(secret)).replace(PASSFILE, str(tmp_path / "pgpass"))
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SEEN": str(tmp_path)}
    done = subprocess.run(["sh", "-c", text], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "temporal_visibility: up to date" in done.stdout
    shown = (tmp_path / "shown").read_text()
    assert "--db temporal_visibility update-schema" in shown
    assert password not in shown
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    assert (tmp_path / "read").read_text() == f"*:*:*:*:{escaped}\n"
    assert (tmp_path / "read").stat().st_mode & 0o777 == 0o600


def test_without_the_password_nothing_is_tried(tmp_path: Path) -> None:
    text = script().replace(PASSWORD_FILE, str(tmp_path / "absent"))
    text = text.replace(PASSFILE, str(tmp_path / "pgpass"))
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "up to date" not in done.stdout
