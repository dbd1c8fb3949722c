"""Every rendered postgresql.conf starts on real servers, and SHOW gives back every value.

Here in the image that the lab deploys; other majors: test_real_servers.py.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tempo_infra.inventory import load, parameters
from tempo_infra.inventory.cluster import Cluster
from tempo_infra.render import parse, render
from tempo_infra.sizing import hugepages, size

pytestmark = pytest.mark.lab
EXAMPLES = sorted((Path(__file__).parents[2] / "inventory").glob("*.yaml"))
IMAGE = "tempo-infra-lab/postgres"
DEADLINE_S = 60
# reset_val: tcp_keepalives_* show 0 in `setting` over a Unix socket
QUERY = "select name, coalesce(reset_val, ''), coalesce(unit, ''), vartype from pg_settings"


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture(scope="module")
def image() -> str:
    found = docker("image", "ls", "-q", IMAGE).split()
    assert found, f"no image {IMAGE}: run `make lab-up`"
    return found[0]


def conf_of(cluster: Cluster) -> str:
    bundles = render(cluster, size(cluster))
    found = [file for bundle in bundles for file in bundle.files if file.logical.endswith("postgresql.conf")]
    assert len(found) == 1
    return found[0].content.decode()


@contextmanager
def started(image: str, conf: Path) -> Iterator[str]:
    """A throw-away server of the lab's image with that file; yields the container's id."""
    mount = f"type=bind,src={conf},dst=/etc/trial.conf,readonly"
    words = ["run", "-d", "--rm", "--network", "none", "--mount", mount, "-e", "POSTGRES_PASSWORD=trial"]
    container = docker(*words, image, "postgres", "-c", "config_file=/etc/trial.conf").strip()
    try:
        end = time.monotonic() + DEADLINE_S
        while not ready(container):
            assert time.monotonic() < end, docker("logs", container)
            time.sleep(0.5)
        yield container
    finally:
        subprocess.run(["docker", "rm", "-f", container], capture_output=True, check=False, timeout=60)


def ready(container: str) -> bool:
    """Whether process 1 is the server, no longer the set-up before it, and answers."""
    words = "[ $(cat /proc/1/comm) = postgres ] && psql -XqtA -U postgres -c 'select 1'"
    done = subprocess.run(
        ["docker", "exec", "-u", "postgres", container, "sh", "-c", words],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    return done.stdout.strip() == "1"


def differences(conf: str, shown: str, version: int) -> list[str]:
    """The lines that the server reads otherwise than they are written."""
    found = {}
    for row in shown.splitlines():
        name, setting, unit, kind = row.split("\t")
        found[name.casefold()] = (setting, unit, kind)
    wrong = []
    for name, written in parse.pgconf(conf).items():
        setting, unit, kind = found[name]
        if kind in {"integer", "real"}:
            same = parameters.in_base(version, name, written) == parameters.in_base(version, name, setting)
        else:
            same = parameters.checked(version, name, written) == setting
        if not same:
            wrong.append(f"{name} = {written}, the server says {setting} {unit}")
    return wrong


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_starts_and_is_read_as_meant(path: Path, image: str, tmp_path: Path) -> None:
    conf = tmp_path / "postgresql.conf"
    conf.write_text(conf_of(load(path)))
    conf.chmod(0o644)
    with started(image, conf) as container:
        shown = docker("exec", "-u", "postgres", container, "psql", "-XqtA", "-F", "\t", "-c", QUERY)
    assert differences(conf.read_text(), shown, 17) == []


@pytest.mark.parametrize("buffers", ["2GB", "8GB", "16GB"])
def test_huge_pages_are_never_too_few(buffers: str, image: str) -> None:
    values = {"shared_buffers": buffers, "max_connections": "140", "autovacuum_max_workers": "4"}
    options = [word for name, value in values.items() for word in ("-c", f"{name}={value}")]
    script = (
        "B=$(ls -d /usr/lib/postgresql/*/bin); $B/initdb -D /tmp/d >/dev/null;"
        ' exec $B/postgres -D /tmp/d "$@"'
    )
    words = [*options, "-C", "shared_memory_size_in_huge_pages"]
    out = docker("run", "--rm", "-u", "postgres", "--entrypoint", "bash", image, "-c", script, "-", *words)
    said = int(out.split()[-1])
    assert said <= hugepages.pages(17, values) <= said * 1.01 + 36
