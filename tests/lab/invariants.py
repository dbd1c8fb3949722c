"""Whether a lab host is whole: one generation, its files, containers and journal. Looks at the host only.

python -m tests.lab.invariants CONTAINER [--rows N] [--unconfirmed]: prints what is wrong, one line each; exit
code 1 if anything is. It shares no code with the tool.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

STATE = "/var/lib/tempo-infra"
PROJECT = "label=com.docker.compose.project=tempo-infra"
ROWS = "select count(*) from marker"


class Seen:
    """A host, looked at as root from outside of ssh."""

    def __init__(self, container: str) -> None:
        self.container = container

    def out(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            ["docker", "exec", self.container, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode > code:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def sha256(self, path: str) -> str | None:
        found = self.out("sh", "-c", f"sha256sum '{path}' 2>/dev/null || true").split()
        return found[0] if found else None


def journal(seen: Seen) -> list[dict[str, str]]:
    text = seen.out("sh", "-c", f"cat {STATE}/journal.jsonl 2>/dev/null || true")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]


def current(seen: Seen) -> str | None:
    return seen.out("readlink", f"{STATE}/current", code=1).strip().removeprefix("generations/") or None


def the_guard_is_gone(seen: Seen) -> Iterator[str]:
    """Nothing that belongs to a change under way is left."""
    for path in (
        f"{STATE}/armed.json", f"{STATE}/reserve", "/etc/systemd/system/tempo-infra-boot.service",
        "/etc/systemd/system/tempo-infra-after-boot.service",
    ):  # fmt: skip
        if seen.out("sh", "-c", f"ls {path} 2>/dev/null || true").strip():
            yield f"{path} is left"
    timers = seen.out("systemctl", "list-timers", "--all", "--no-legend", "tempo-infra*")
    if timers.strip():
        yield f"a timer is left: {timers.strip()}"
    if seen.out("sh", "-c", f"flock -n {STATE}/lock true || echo held").strip():
        yield "the lock is held"


def no_temporary_file_is_left(seen: Seen) -> Iterator[str]:
    found = seen.out("find", STATE, "/etc/sysctl.d", "/etc/tmpfiles.d", "/etc/security", "-name", ".*.*")
    yield from (f"temporary file: {line}" for line in found.split())


def the_journal_says_what_the_host_is(seen: Seen) -> Iterator[str]:
    decided = [entry for entry in journal(seen) if entry["result"] in ("confirmed", "rolled back", "failed")]
    words = [entry for entry in decided if entry["step"] in ("confirm", "rollback")]
    told = words[-1]["generation"] if words else ""
    if words and words[-1]["result"] == "failed":
        yield "the journal's last word is a failed rollback"
    if (current(seen) or "") != told:
        yield f"current is {current(seen)}, the journal's last word is {told or 'nothing'}"


def owned_files_are_of_one_generation(seen: Seen) -> Iterator[str]:
    generation = current(seen)
    if generation is None:
        return
    manifest = json.loads(seen.out("cat", f"{STATE}/generations/{generation}/manifest.json"))
    for path, entry in manifest["files"].items():
        folder = STATE if path.startswith("services/") else f"{STATE}/generations/{generation}"
        if seen.sha256(f"{folder}/{path}") != entry["sha256"]:
            yield f"{folder}/{path} is not what the manifest says"
        if path.startswith("etc/") and seen.sha256(f"/{path}") != entry["sha256"]:
            yield f"/{path} is not that of generation {generation[:12]}"


def containers(seen: Seen) -> dict[str, dict[str, Any]]:
    ids = seen.out("docker", "ps", "-q", "--no-trunc", "-f", PROJECT).split()
    found = json.loads(seen.out("docker", "inspect", *ids)) if ids else []
    return {item["Config"]["Labels"]["com.docker.compose.service"]: item for item in found}


def containers_run_from_the_same_generation(seen: Seen) -> Iterator[str]:
    """Each one is made from the current compose file, reads the current folders, and all of them run."""
    generation, running = current(seen), containers(seen)
    if generation is None:
        yield from (f"{name} runs although nothing is provisioned" for name in running)
        return
    compose = ["docker", "compose", "-f", f"{STATE}/generations/{generation}/docker-compose.yml"]
    hashes = dict(line.split() for line in seen.out(*compose, "config", "--hash", "*").splitlines())
    manifest = json.loads(seen.out("cat", f"{STATE}/generations/{generation}/manifest.json"))
    kept = {name for name, one in manifest["services"].items() if not one["job"]}
    yield from (f"{name} does not run" for name in sorted(kept - running.keys()))
    folders = {re.split("/", path)[1] for path in manifest["files"] if path.startswith("services/")}
    for name, item in running.items():
        if item["Config"]["Labels"]["com.docker.compose.config-hash"] != hashes.get(name):
            yield f"{name} was not made from generation {generation[:12]}"
        for mount in item["Mounts"]:
            if "/services/" in mount["Source"] and mount["Source"].split("/services/")[1] not in folders:
                yield f"{name} reads {mount['Source']}, which is another generation's"


def the_database_holds(seen: Seen, rows: int) -> Iterator[str]:
    """It answers, and has every row that was committed."""
    database = containers(seen).get("postgresql")
    if database is None:
        yield "no database runs"
        return
    answer = seen.out("docker", "exec", database["Id"], "psql", "-XAtU", "postgres", "-c", ROWS).strip()
    if int(answer) < rows:
        yield f"the database holds {answer} of {rows} committed rows"


def problems(container: str, rows: int | None = None) -> list[str]:
    """Return everything that is wrong with a host."""
    seen = Seen(container)
    checks = (
        the_guard_is_gone,
        no_temporary_file_is_left,
        the_journal_says_what_the_host_is,
        owned_files_are_of_one_generation,
        containers_run_from_the_same_generation,
    )
    found = [problem for check in checks for problem in check(seen)]
    return found + list(the_database_holds(seen, rows) if rows is not None else ())


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("container")
    parser.add_argument("--rows", type=int, help="the marker rows that were committed")
    options = parser.parse_args(argv)
    found = problems(options.container, options.rows)
    sys.stdout.write("\n".join(found or ["whole"]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
