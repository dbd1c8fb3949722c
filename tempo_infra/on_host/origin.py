"""Which secrets file this host has confirmed last: the next one must follow from it.

A digest of a random key that only that file and those after it hold. It says nothing about the key, so it is
no secret; whoever could write it here is root.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host.durable import make_folder, replace_file
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change

DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Origin:
    digest: str  # of the file's newest key, as it was then
    write: int  # how often that file had been written
    since: str
    run: str


def read(layout: Layout) -> Optional[Origin]:
    """Return what was confirmed; None on a host that has seen no file yet. StepError for a damaged record."""
    try:
        found = Origin(**json.loads(layout.origin.read_text()))
        if DIGEST.fullmatch(found.digest) and type(found.write) is int:
            return found
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise StepError(f"{layout.origin} can't be read: {error}") from error
    raise StepError(f"{layout.origin} makes no sense")


def keep(layout: Layout, args: change.Origin) -> "dict[str, str]":
    """Remember the file that is in use now. StepError when another run has brought another one meanwhile."""
    known = read(layout)
    if not args.anyway and (known.digest if known else None) != args.seen:
        raise StepError(
            "another secrets file was confirmed on this host since the plan was made",
            remedy="run `tempo-infra plan` again",
        )
    now = Origin(args.digest, args.write, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), args.run)
    make_folder(layout.state, 0o755)
    replace_file(layout.origin, (json.dumps(asdict(now), sort_keys=True) + "\n").encode(), 0o600)
    return {}
