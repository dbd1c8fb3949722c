"""Namespaces with their retention, through the admin-tools image on a frontend host."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host.containers import Job, job
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change

# One container for all: reads "name hours" lines and says of each what came of it. What was set is asked for
# again: a server that answers "done" and keeps another retention is a failure, too.
SCRIPT = r"""
cd "$(mktemp -d)"
is_there() { temporal operator namespace describe -n "$1" -o json </dev/null >found 2>why; }
keeps() { grep -Eq '"workflowExecutionRetentionTtl": *"'"$(($1 * 3600))"'s"' found; }
set_to() { temporal operator namespace "$1" -n "$2" --retention "${3}h" </dev/null >said 2>why; }
failed() { echo "failed $1: $(tr '\n' ' ' <why)"; }
while read -r name hours; do
  if is_there "$name"; then
    if keeps "$hours"; then echo "kept $name"; continue; fi
    verb=update
  elif grep -qi 'not found' why; then verb=create
  else failed "$name"; continue; fi
  if ! set_to "$verb" "$name" "$hours" || ! is_there "$name"; then failed "$name"
  elif keeps "$hours"; then echo "${verb}d $name"
  else echo "failed $name: it keeps another retention"; fi
done
"""
DONE = ("kept", "created", "updated")
PAUSE_S = 2.0
BOUNDED = (
    "timeout",
    "-k",
    "5",
    "170",
)  # in there: killing `docker compose run` ends nothing in the container
LONGEST_WHY = 300


@dataclass(frozen=True)
class Namespaces:
    done: "dict[str, str]"  # name -> kept, created or updated
    say: str = ""


def namespaces(layout: Layout, args: change.Namespaces) -> Namespaces:
    """Create what is missing and set a differing retention; what fails is tried again while caches settle.

    StepError when one is not as wanted at the deadline: it says what became of each.
    """
    done: "dict[str, str]" = {}
    deadline = time.monotonic() + args.deadline_s
    while left := {name: hours for name, hours in args.hours.items() if name not in done}:
        why = _try(layout, left, done)
        if why and time.monotonic() > deadline:
            raise StepError(
                "; ".join([*(f"{name}: {words}" for name, words in sorted(why.items())), *_said(done)]),
                remedy="namespaces that were made stay; provision tries the others again",
            )
        time.sleep(PAUSE_S if why else 0)
    return Namespaces(done, ", ".join(_said(done)))


def _try(layout: Layout, hours: "dict[str, int]", done: "dict[str, str]") -> "dict[str, str]":
    """Go through the list once; what was done is added to `done`, the others are returned with the reason."""
    lines = "".join(f"{name} {hours[name]}\n" for name in sorted(hours))
    try:
        said = job(layout, Job("admin-tools", [*BOUNDED, "sh", "-c", SCRIPT]), lines.encode())["out"]
    except StepError as error:
        return dict.fromkeys(hours, str(error))
    why = dict.fromkeys(hours, "nothing was said of it")
    for line in said.splitlines():
        word, _, rest = line.partition(" ")
        name, _, reason = rest.partition(":")
        if word in DONE and name in why:
            done[name] = word
            del why[name]
        elif word == "failed" and name in why:
            why[name] = reason.strip()[:LONGEST_WHY] or "no reason was given"
    return why


def _said(done: "dict[str, str]") -> "list[str]":
    return [f"{word} {name}" for name, word in sorted(done.items()) if word != "kept"]
