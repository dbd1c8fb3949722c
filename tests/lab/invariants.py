"""Whether a host is whole: one generation, its files, kernel values, containers, journal. It looks, only.

python -m tests.lab.invariants CONTAINER [--rows N]: prints what is wrong, one line each; exit code 1 if
anything is. One look is one command on the host (LOOK, below); what is seen is judged here. It shares no code
with the tool.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

STATE = "/var/lib/tempo-infra"
PROJECT = "label=com.docker.compose.project=tempo-infra"
ROWS = "select count(*) from marker"
Look = Mapping[str, Any]

# Runs on the host as root; its word is the number of rows to look for, or "-". The host in one JSON value.
LOOK = r"""
import fcntl, hashlib, json, os, pathlib, re, subprocess, sys
state = pathlib.Path("/var/lib/tempo-infra")
run = lambda *words: subprocess.run(words, capture_output=True, text=True, timeout=50)
sha = lambda path: hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
text = lambda path: path.read_text(errors="replace") if path.is_file() else ""
seen = {"current": os.readlink(state / "current") if (state / "current").is_symlink() else None}
seen["journal"] = text(state / "journal.jsonl")
units = pathlib.Path("/etc/systemd/system")
guard = [state / "armed.json", state / "reserve"]
guard += [*units.glob("tempo-infra-boot.service"), *units.glob("tempo-infra-after-boot.service")]
seen["guard"] = [str(path) for path in guard if path.exists()]
timers = ["systemctl", "list-timers", "--all", "--no-legend", "tempo-infra-deadline*"]
seen["timers"] = run(*timers).stdout.strip()
seen["held"] = False
if (state / "lock").exists():
    with open(state / "lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            seen["held"] = True
hidden = re.compile(r"^\..+\.[0-9a-f]{12}$|^\..+\.new$")
roots = [state, pathlib.Path("/etc"), pathlib.Path("/srv/tempo")]
walk = (path for root in roots for path in root.rglob(".*") if "postgres/" not in str(path))
seen["temporary"] = sorted(str(path) for path in walk if hidden.match(path.name))
seen["run"] = sorted(str(path) for path in pathlib.Path("/run").glob("tempo-infra-*"))
current = state / (seen["current"] or "nothing")
manifest = json.loads(text(current / "manifest.json") or "{}")
seen["generations"] = sorted(path.name for path in (state / "generations").glob("*"))
seen["manifest"], seen["files"], seen["installed"], seen["live"] = manifest, {}, {}, {}
for path in manifest.get("files", {}):
    seen["files"][path] = sha((state if path.startswith("services/") else current) / path)
    if path.startswith("etc/"):
        seen["installed"][path] = sha(pathlib.Path("/", path))
    if path.startswith("etc/sysctl.d/"):
        for name, value in re.findall(r"^-?([a-z0-9_./-]+)\s*=\s*(.+)$", text(current / path), re.M):
            live = pathlib.Path("/proc/sys", name.replace(".", "/"))
            seen["live"][name] = [value.split(), text(live).split() if live.exists() else None]
form = "label=com.docker.compose.project=tempo-infra"
ids = run("docker", "ps", "-aq", "--no-trunc").stdout.split()
found = json.loads(run("docker", "inspect", *ids).stdout or "[]") if ids else []
project = "com.docker.compose.project"
seen["containers"], seen["foreign"] = {}, {}
for item in found:
    labels = item["Config"]["Labels"] or {}
    if labels.get(project) != "tempo-infra":
        now = item["State"]
        seen["foreign"][item["Name"].strip("/")] = [item["Id"], now["StartedAt"], now["Running"]]
    else:
        seen["containers"].setdefault(labels["com.docker.compose.service"], []).append(item)
compose = current / "docker-compose.yml"
hashes = ["docker", "compose", "-f", str(compose), "config", "--hash", "*"]
seen["hashes"] = run(*hashes).stdout if compose.exists() else ""
seen["rows"] = None
if sys.argv[1] != "-" and "postgresql" in seen["containers"]:
    id_ = seen["containers"]["postgresql"][0]["Id"]
    answer = run("docker", "exec", id_, "psql", "-XAtU", "postgres", "-c", "select count(*) from marker")
    seen["rows"] = answer.stdout.strip() or answer.stderr.strip()
print(json.dumps(seen))
"""


def look(container: str, rows: int | None = None) -> Look:
    """Look at a lab host, as root and past ssh."""
    return look_by(["docker", "exec", "-i", container, "python3", "-", "-" if rows is None else str(rows)])


def look_by(words: Sequence[str]) -> Look:
    """Look with a command that runs Python as root on the host, with the program on its input."""
    done = subprocess.run(words, input=LOOK, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words[-4:])}: {done.stderr.strip()[-400:]}")
    found: Look = json.loads(done.stdout)
    return found


def journal(seen: Look) -> list[dict[str, str]]:
    return [json.loads(line) for line in seen["journal"].splitlines() if _is_whole(line)]


def _is_whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def generation(seen: Look) -> str:
    return str(seen["current"] or "").removeprefix("generations/")


def the_guard_is_gone(seen: Look) -> Iterator[str]:
    """Nothing that belongs to a change under way is left."""
    yield from (f"{path} is left" for path in seen["guard"])
    yield from (f"{path} is left" for path in seen["run"])
    if seen["timers"]:
        yield f"a timer is left: {seen['timers']}"
    if seen["held"]:
        yield "the lock is held"


def no_temporary_file_is_left(seen: Look) -> Iterator[str]:
    """Holds after a run that came to its end; one that was cut off may leave some for the next."""
    yield from (f"temporary file: {path}" for path in seen["temporary"])


def the_journal_says_what_the_host_is(seen: Look) -> Iterator[str]:
    told = [e for e in journal(seen) if (e["step"], e["result"]) in DECISIONS]
    if told and told[-1]["result"] == "failed":
        yield "the journal's last word is a failed rollback"
    last = told[-1]["generation"] if told else ""
    if generation(seen) != last:
        yield f"current is {generation(seen)[:12]}, the journal's last word is {last[:12] or 'nothing'}"


MOST_GENERATIONS = 12
DECISIONS = (("confirm", "confirmed"), ("rollback", "rolled back"), ("rollback", "failed"))


def the_journal_tells_every_run_to_its_end(seen: Look) -> Iterator[str]:
    """Each run that was switched is decided, and no decided run goes on; only the last line may be cut."""
    lines = [line for line in seen["journal"].splitlines() if line]
    cut = [line for line in lines if not _is_whole(line)]
    yield from (f"a line of the journal is no entry: {line[:80]!r}" for line in cut[1:])
    switched, decided = [], set()
    for entry in journal(seen):
        run = entry["run"]
        if (entry["step"], entry["result"]) == ("switch", "started"):
            switched.append(run)
            if run in decided:
                yield f"run {run} was decided and then switched"
        if (entry["step"], entry["result"]) in (*DECISIONS, ("hold", "held")):
            decided.add(run)
    held = {e["run"] for e in journal(seen) if e["result"] == "held"}
    yield from (f"run {run} was switched and never decided" for run in switched if run not in decided | held)


def owned_files_are_of_one_generation(seen: Look) -> Iterator[str]:
    for path, entry in seen["manifest"].get("files", {}).items():
        if seen["files"][path] != entry["sha256"]:
            yield f"{path} is not what the manifest says"
        if path in seen["installed"] and seen["installed"][path] != entry["sha256"]:
            yield f"/{path} is not that of generation {generation(seen)[:12]}"


def kernel_values_are_those_of_the_generation(seen: Look) -> Iterator[str]:
    for name, (wanted, live) in seen["live"].items():
        if live is not None and wanted != live:
            yield f"{name} is {' '.join(live)}, the generation says {' '.join(wanted)}"


def containers(seen: Look) -> dict[str, dict[str, Any]]:
    """Our services that run."""
    running = {
        name: [item for item in items if item["State"]["Running"]]
        for name, items in seen["containers"].items()
    }
    return {name: items[0] for name, items in running.items() if items}


def generations_do_not_pile_up(seen: Look) -> Iterator[str]:
    """Some are kept to go back to; each that the host confirmed alone stays until a run changes something."""
    if len(seen["generations"]) > MOST_GENERATIONS:
        yield f"{len(seen['generations'])} generations are kept"


def containers_run_from_the_same_generation(seen: Look) -> Iterator[str]:
    """Each one is made from the current compose file, reads the current folders, and all of them run."""
    running = containers(seen)
    if not generation(seen):
        yield from (f"{name} runs although nothing is provisioned" for name in running)
        return
    hashes = dict(line.split() for line in seen["hashes"].splitlines())
    manifest = seen["manifest"]
    services = manifest["services"] if manifest["format"] == 1 else manifest["instances"]
    kept = {name for name, one in services.items() if not one.get("job")}
    yield from (f"{name} does not run" for name in sorted(kept - running.keys()))
    yield from (f"{name} is not of this generation" for name in sorted(running.keys() - kept))
    yield from (
        f"{name} is there {len(items)} times" for name, items in seen["containers"].items() if items[1:]
    )
    folders = {re.split("/", path)[1] for path in manifest["files"] if path.startswith("services/")}
    for name, item in running.items():
        if item["Config"]["Labels"]["com.docker.compose.config-hash"] != hashes.get(name):
            yield f"{name} was not made from generation {generation(seen)[:12]}"
        for mount in item["Mounts"]:
            folder = mount["Source"].partition("/services/")[2].partition("/")[0]
            if folder and folder not in folders:
                yield f"{name} reads {mount['Source']}, which is another generation's"


def the_database_holds(seen: Look, rows: int) -> Iterator[str]:
    """It answers, and has every row that was committed."""
    if "postgresql" not in containers(seen):
        yield "no database runs"
    elif not str(seen["rows"]).isdigit() or int(seen["rows"]) < rows:
        yield f"the database holds {seen['rows']} of {rows} committed rows"


CHECKS = (
    the_guard_is_gone,
    the_journal_says_what_the_host_is,
    the_journal_tells_every_run_to_its_end,
    owned_files_are_of_one_generation,
    kernel_values_are_those_of_the_generation,
    containers_run_from_the_same_generation,
)


def wrong_with(seen: Look, rows: int | None = None, *, settled: bool = True) -> list[str]:
    """Return everything that is wrong; `settled`: a run has come to its end, so it left nothing behind."""
    checks = (*CHECKS, no_temporary_file_is_left, generations_do_not_pile_up) if settled else CHECKS
    found = [problem for check in checks for problem in check(seen)]
    return found + list(the_database_holds(seen, rows) if rows is not None else ())


def problems(container: str, rows: int | None = None, *, settled: bool = True) -> list[str]:
    """Look at a lab host and return everything that is wrong with it."""
    return wrong_with(look(container, rows), rows, settled=settled)


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
