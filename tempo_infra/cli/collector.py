"""The garbage collector, told that nearly everything here lives to the end.

It looks through all that was imported many times during a start and once more at the end: a fifth of the
processor time of a command that does little.
"""

from __future__ import annotations

import atexit
import gc

ALLOCATED = 50_000  # more objects than were given back, before it looks; Python's own is 700


def spare() -> None:
    """Look seldom, and not at what is left at the end: it goes with the process."""
    gc.set_threshold(ALLOCATED)
    atexit.register(gc.freeze)
