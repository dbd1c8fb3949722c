"""No secret is ever seen: in output, arguments, environments, files of a generation, logs, inspections.

The password is a planted one, with all the characters that quoting changes; it is looked for in every form in
which it could leak.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.secrets import SecretStore
from tempo_infra.secrets.content import Content
from tests.lab.conftest import DEADLINE_S, Inventory, Variants, containers

pytestmark = pytest.mark.faults
PLANTED = "mArk'er\"$HOME&<%20>+/=\\n`id`{{7}}#~é"[:-1] + "zQ9"
FORMATS = ("text", "json", "junit", "sarif", "markdown", "html", "prometheus")
SAMPLE = "/dev/shm/seen"


def forms(plain: str) -> set[str]:
    """The secret in the forms in which it could leak."""
    data = plain.encode()
    return {
        plain,
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode(),
        base64.b64encode(b"temporal:" + data).decode()[12:-4],
        urllib.parse.quote(plain),
        urllib.parse.quote(plain, safe=""),
        urllib.parse.quote_plus(plain),
        shlex.quote(plain),
        json.dumps(plain)[1:-1],
        repr(plain)[1:-1],
        data.hex(),
        data.hex().upper(),
    }


def seen_in(marks: set[str], *texts: str) -> list[str]:
    assert all(texts)
    return [mark for mark in marks for text in texts if mark in text]


@pytest.fixture(scope="module")
def planted(inventory: Inventory, fresh: object) -> Inventory:
    """The cluster with the planted password: each provision gives the database the one that is stored."""
    store = SecretStore.open(load(inventory.path).secrets)
    old = store._load()
    values = {
        name: PLANTED if name == load(inventory.path).secrets.login.secret else value
        for name, value in old.values.items()
    }
    store._write(Content(values, old.operators))
    inventory.provision()
    return inventory


@pytest.fixture(scope="module")
def marks(planted: Inventory) -> set[str]:
    store = SecretStore.open(load(planted.path).secrets)
    return set().union(*(forms(secret.value) for secret in store.read().values()))


def commands(folder: Path) -> Iterator[tuple[str, ...]]:
    yield from (("plan",), ("plan", "--format", "json"), ("plan", "--out", str(folder / "plan.json")))
    yield from (("provision",), ("provision", "--format", "json"), ("diff",), ("status",), ("history",))
    yield from (
        ("explain",),
        ("explain", "--format", "json"),
        ("capacity",),
        ("inventory show",),
        ("secrets show-recipients",),
    )
    yield ("render", "--output", str(folder / "rendered"))
    for name in FORMATS:
        yield ("check-host", "--quick", "--format", name)
    yield ("check-host", "--quick", "-v", "--save-facts", str(folder / "facts.json"))


def test_no_command_says_one_in_any_format_or_writes_one_into_a_file(
    planted: Inventory, marks: set[str], tmp_path: Path
) -> None:
    said = {words: planted.run(*words) for words in commands(tmp_path)}
    assert {words: ran.said[-200:] for words, ran in said.items() if ran.code == 2} == {}
    assert seen_in(marks, *(ran.said for ran in said.values())) == []
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert seen_in(marks, *filter(None, files)) == []


@contextmanager
def watched(host: Host) -> Iterator[None]:
    """Every process of the host, its words and its environment, again and again."""
    script = (
        f"rm -f {SAMPLE} {SAMPLE}.end; while [ ! -e {SAMPLE}.end ]; do "
        "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null "
        f"| tr '\\0' '\\n' | sort -u >> {SAMPLE}; done"
    )
    thread = threading.Thread(target=lambda: host.exec(["sh", "-c", script], timeout=DEADLINE_S))
    thread.start()
    try:
        yield
    finally:
        host.must(["touch", f"{SAMPLE}.end"])
        thread.join()


def test_no_process_shows_one_while_services_are_made_anew(
    planted: Inventory, lab: Lab, marks: set[str], variant: Variants
) -> None:
    host = lab.hosts[-1]
    less = (rf"(internal: {host.internal_address}\n(?:.*\n)*?.*memory: )4GiB", r"\g<1>3GiB")
    with watched(host):
        run = subprocess.Popen(
            [Path(sys.executable).with_name("tempo-infra"), "provision", "-i", variant(less).path],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        own = []
        while run.poll() is None:
            own += [
                Path(f"/proc/{run.pid}/{name}").read_bytes().decode(errors="replace")
                for name in ("cmdline", "environ")
            ]
            time.sleep(0.2)
    out = run.communicate()[0]
    assert run.returncode == 0, out
    found = host.must(["cat", SAMPLE], timeout=120)
    host.must(["rm", "-f", SAMPLE, f"{SAMPLE}.end"])
    assert "docker" in found
    assert seen_in(marks, found, out, *filter(None, own)) == []
    planted.provision()


def test_none_is_on_a_host_outside_of_its_folder(planted: Inventory, lab: Lab, marks: set[str]) -> None:
    script = (
        "find /var/lib/tempo-infra /etc /tmp /var/tmp /dev/shm /run /root /home /var/log -xdev -type f "
        "-exec grep -lF -f /dev/fd/3 {} + 3<<'MARKS'\n" + "\n".join(sorted(marks)) + "\nMARKS"
    )
    for host in lab.hosts:
        places = set(host.exec(["sh", "-s"], input=script, timeout=120).stdout.split())
        assert places, "the secrets' own folders hold them"
        assert all(place.startswith("/var/lib/tempo-infra/secrets/") for place in places), places


def test_no_log_and_no_inspection_shows_one(planted: Inventory, lab: Lab, marks: set[str]) -> None:
    for host in lab.hosts:
        texts = [json.dumps(containers(lab, host.name)), host.must(["journalctl", "-o", "cat", "--no-pager"])]
        for item in containers(lab, host.name).values():
            done = host.exec(["docker", "logs", item["Id"]])
            texts.append(done.stdout + done.stderr + "-")
        assert seen_in(marks, *texts) == []


CRASH = """
import sys
from tempo_infra.deploy import steps
def crash(work, secrets):
    opened = {name: secret.value for name, secret in secrets.items()}
    raise RuntimeError(f"forced, with {len(opened)} secrets at hand")
steps.prepare = crash
from tempo_infra.cli.main import run
run()
"""


@pytest.mark.parametrize("shown", ["", "1"])
def test_a_crash_in_the_middle_shows_none(
    planted: Inventory, lab: Lab, marks: set[str], variant: Variants, shown: str
) -> None:
    host = lab.hosts[-1]
    less = (rf"(internal: {host.internal_address}\n(?:.*\n)*?.*memory: )4GiB", r"\g<1>3GiB")
    done = subprocess.run(
        [sys.executable, "-c", CRASH, "provision", "-i", variant(less).path],
        capture_output=True, text=True, check=False, timeout=DEADLINE_S,
        env={**os.environ, "TEMPO_INFRA_TRACEBACK": shown},
    )  # fmt: skip
    assert done.returncode == 1
    assert ("Traceback" in done.stderr) == bool(shown)
    assert "RuntimeError" in done.stderr
    assert seen_in(marks, done.stdout + done.stderr) == []
