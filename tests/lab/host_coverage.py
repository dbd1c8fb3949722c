"""Branch coverage of the program on lab hosts: pytest -p tests.lab.host_coverage (`make cover-lab`).

The hosts (those of $TEMPO_LAB_MEASURED) get coverage.py and a `.pth` beside their Python; it measures our
program and nothing else, also when systemd starts it. The data come back before a host is emptied, and at the
end. What is killed leaves none.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import coverage

from lab import hosts
from lab.errors import LabError
from lab.hosts import Host

if TYPE_CHECKING:
    import pytest

CHECKOUT = Path(__file__).parents[2]
DATA = "/var/tmp/tempo-infra-coverage"
MEASURED = os.environ.get("TEMPO_LAB_MEASURED", "front-1,history-1,db-1").split(",")
RESET = Host.reset  # as it is without this plugin

# `site` runs it at the start of every Python on the host: it must be cheap where it is not meant.
BEGIN = """
import sys
words = " ".join(sys.orig_argv)
if "tempo_infra.on_host" in words or "/var/lib/tempo-infra/program-" in words:
    import coverage
    coverage.Coverage(config_file="{folder}/coveragerc", auto_data=True).start()
"""
SETTINGS = f"""
[run]
branch = true
parallel = true
sigterm = true
concurrency = thread
include = */tempo_infra/on_host/*
data_file = {DATA}/data
disable_warnings = no-ctracer, module-not-measured, no-data-collected
"""
INSTALL = f"""
set -eu
folder=$(python3 -c 'import site; print(site.getsitepackages()[0])')
mkdir -p "$folder" {DATA}
tar -C "$folder" -xzf -
sed -i "s#{{folder}}#$folder#" "$folder/tempo_infra_measured.py"
"""
REMOVE = f"""
cd "$(python3 -c 'import site; print(site.getsitepackages()[0])')"
rm -rf coverage coveragerc tempo_infra_measured.* __pycache__/tempo_infra_measured.* {DATA}
"""
FETCH = f"cd {DATA} 2>/dev/null && tar -czf - --remove-files $(ls -A) 2>/dev/null || true"


def pytest_configure(config: pytest.Config) -> None:
    del config
    Host.reset = _reset  # type: ignore[method-assign,assignment]  # emptied: measured again
    for host in _up():
        install(host)


def pytest_unconfigure(config: pytest.Config) -> None:
    del config
    Host.reset = RESET  # type: ignore[method-assign]
    for host in _up():
        fetch(host)
        host.must(["sh", "-c", REMOVE])  # tests to come look for what is left on a host


def _up() -> tuple[Host, ...]:
    def answers(host: Host) -> bool:
        try:
            return host.exec(["true"], timeout=10).returncode == 0
        except LabError:
            return False

    return tuple(host for host in hosts.load().hosts if host.name in MEASURED and answers(host))


def _reset(host: Host, *, images: bool = False) -> None:
    fetch(host) if host.name in MEASURED else None
    RESET(host, images=images)
    install(host) if host.name in MEASURED else None


def install(host: Host) -> None:
    words = ["docker", "exec", "-i", host.container, "sh", "-c", INSTALL]
    subprocess.run(words, input=_package(), check=True, timeout=120)


def _package() -> bytes:
    """coverage.py without its compiled part, which fits another Python, and what starts it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path in sorted(Path(coverage.__file__).parent.rglob("*.py")):
            tar.add(path, f"coverage/{path.relative_to(Path(coverage.__file__).parent)}")
        for name, text in (
            ("coveragerc", SETTINGS),
            ("tempo_infra_measured.py", BEGIN),
            ("tempo_infra_measured.pth", "import tempo_infra_measured\n"),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def fetch(host: Host) -> None:
    """Bring data files to the checkout, named after the host; they are taken away there."""
    words = ["docker", "exec", host.container, "sh", "-c", FETCH]
    content = subprocess.run(words, capture_output=True, check=False, timeout=120).stdout
    if not content:
        return
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        for member in tar.getmembers():
            data = tar.extractfile(member)
            if data is not None and member.name.startswith("data."):
                (CHECKOUT / f".coverage.{host.name}.{member.name}").write_bytes(data.read())
