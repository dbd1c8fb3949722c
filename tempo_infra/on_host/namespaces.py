"""Namespaces with their retention, through the admin-tools image on a frontend host."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host.containers import JobArgs, job
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

# One container for all: reads "name hours" lines, says what it did per namespace.
SCRIPT = """
while read -r name hours; do
  if found=$(temporal operator namespace describe -n "$name" -o json 2>/tmp/why); then
    case $found in
      *'"workflowExecutionRetentionTtl": "'"$((hours * 3600))"'s"'*) echo "kept $name"; continue;;
    esac
    temporal operator namespace update -n "$name" --retention "${hours}h" >/dev/null && echo "updated $name"
  elif grep -qi 'not found' /tmp/why; then
    temporal operator namespace create -n "$name" --retention "${hours}h" >/dev/null && echo "created $name"
  else cat /tmp/why >&2; exit 1; fi
done
"""


@dataclass(frozen=True)
class NamespaceArgs:
    hours: dict[str, int]  # name -> retention
    deadline_s: float = 90.0


def namespaces(layout: Layout, args: NamespaceArgs) -> dict[str, list[str]]:
    """Create what is missing and set a differing retention; retried while the cluster's caches settle."""
    if not args.hours:
        return {"done": []}
    lines = "".join(f"{name} {hours}\n" for name, hours in sorted(args.hours.items()))
    deadline = time.monotonic() + args.deadline_s
    while True:
        try:
            out = job(layout, JobArgs("admin-tools", ["sh", "-ec", SCRIPT]), lines.encode())["out"]
            return {"done": out.split("\n")[:-1]}
        except StepError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2.0)
