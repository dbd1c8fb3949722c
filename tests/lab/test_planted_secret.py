"""No secret is ever seen: in output, arguments, environments, files of a generation, logs, inspections.

The password is a planted one, with all the characters that quoting changes; it is looked for in every form in
which it could leak. About five minutes.
"""

from __future__ import annotations

import base64
import json
import os
import re
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
from tempo_infra.topology import store
from tests.lab.conftest import BRISK, COMMAND, DEADLINE_S, Inventory, containers

pytestmark = pytest.mark.faults
PLANTED = "mArk'er\"$HOME&<%20>+/=\\n`id`{{7}}#~:zQ9"
FORMATS = ("text", "json", "junit", "sarif", "markdown", "html", "prometheus")
END, MARKS = "/run/seen.end", "/mnt/marks"
# Runs on the host until told to end: the words and the environment of every process, each once.
WATCH = f"""
import glob, os, sys, time
seen = set()
while not os.path.exists({END!r}):
    for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                seen.update(file.read().split(b"\\0"))
        except OSError:
            pass
    time.sleep(0.01)
sys.stdout.buffer.write(b"\\n".join(seen))
"""


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
def planted(inventory: Inventory, fresh: object) -> Iterator[Inventory]:
    """The cluster with the planted password: each provision gives the database the one that is stored."""
    path = inventory.path.with_name("inventory-planted.yaml")
    secrets = path.with_name("secrets-planted.age")
    was = load(inventory.path).secrets
    secrets.write_bytes(was.path.read_bytes())
    text = re.sub(r"(?m)^secrets:.*\n(?:  .*\n)*", "", inventory.path.read_text())
    own = f"\nsecrets:\n  file: {secrets.name}\n  login: {was.login}\n"
    path.write_text(re.sub(*BRISK, text) + own)
    store = SecretStore.open(load(path).secrets)
    old = store._load()
    store._write(old, {**old.values, was.login.secret: PLANTED})
    made = Inventory(path)
    made.provision("--take-over")
    yield made
    inventory.provision("--take-over")
    for file in (path, secrets):
        file.unlink()


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
def less(planted: Inventory, host: Host) -> Iterator[Inventory]:
    """An inventory by which the services of a host are recreated."""
    wanted = rf"(internal: {re.escape(host.internal_address)}\n(?:.*\n)*?.*memory: )4GiB"
    text, times = re.subn(wanted, r"\g<1>3GiB", planted.path.read_text())
    assert times == 1
    path = planted.path.with_name("inventory-planted-less.yaml")
    path.write_text(text)
    yield Inventory(path)
    path.unlink()


@contextmanager
def watched(host: Host) -> Iterator[list[str]]:
    """Every process of the host, its words and its environment, again and again; one text, at the end."""
    host.must(["rm", "-f", END])
    found: list[str] = []
    watch = ["python3", "-c", WATCH]
    thread = threading.Thread(target=lambda: found.append(host.must(watch, timeout=DEADLINE_S)))
    thread.start()
    try:
        yield found
    finally:
        host.must(["touch", END])
        thread.join()
        host.must(["rm", END])


def of_process(pid: int) -> Iterator[str]:
    for name in ("cmdline", "environ"):
        yield Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")


def test_no_process_shows_one_while_services_are_made_anew(
    planted: Inventory, lab: Lab, marks: set[str]
) -> None:
    host, own = lab.host(store(load(planted.path)).writer.name), list[str]()
    with less(planted, host) as changed, watched(host) as found:
        run = subprocess.Popen(
            [COMMAND, "provision", "-i", changed.path],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        while run.poll() is None:  # a process that ended is read, too, until it is waited for
            own += of_process(run.pid)
            time.sleep(0.2)
        out = run.communicate()[0]
    assert run.returncode == 0, out
    assert "temporal-sql-tool" in found[0], "the schema job was seen at work"
    assert seen_in(marks, *found, out, *filter(None, own)) == []
    planted.provision()


def test_none_is_on_a_host_outside_of_its_folder(planted: Inventory, lab: Lab, marks: set[str]) -> None:
    places = "/var/lib/tempo-infra /etc /tmp /var/tmp /dev/shm /run /root /home /var/log"
    script = f"find {places} -xdev -type f -exec grep -slF -f {MARKS} {{}} +"
    for host in lab.hosts:
        host.exec(["tee", MARKS], input="\n".join(sorted(marks)))
        found = set(host.exec(["sh", "-c", script], timeout=120).stdout.split())
        host.must(["rm", MARKS])
        assert found, "the secrets' own folders hold them"
        assert all(place.startswith("/var/lib/tempo-infra/secrets/") for place in found), found


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
def crash(work, supply):
    opened = {name: secret.value for name, secret in supply.secrets.items()}
    raise RuntimeError(f"forced, with {len(opened)} secrets at hand")
steps.prepare = crash
from tempo_infra.cli.main import run
run()
"""


@pytest.mark.parametrize("shown", ["", "1"])
def test_a_crash_in_the_middle_shows_none(planted: Inventory, lab: Lab, marks: set[str], shown: str) -> None:
    with less(planted, lab.host(store(load(planted.path)).writer.name)) as changed:
        done = subprocess.run(
            [sys.executable, "-c", CRASH, "provision", "-i", changed.path],
            capture_output=True, text=True, check=False, timeout=DEADLINE_S,
            env={**os.environ, "TEMPO_INFRA_TRACEBACK": shown},
        )  # fmt: skip
    assert done.returncode == 1
    assert ("Traceback" in done.stderr) == bool(shown)
    assert "RuntimeError" in done.stderr
    assert seen_in(marks, done.stdout + done.stderr) == []
