"""Files and folders that somebody else may have filled: a branch, or another user of this machine.

The one door for what is read and written on the operator's side. No link is followed but on the way of an
absolute path, where no stranger can have put it; what is neither folder nor regular file is refused, and so
is what a stranger owns or may change, by the rules of ssh and git. All is bounded, and a pipe is never waited
for.
"""

from tempo_infra.trees.descriptors import write_all
from tempo_infra.trees.files import create, locked, opened, read, straight, write, writing
from tempo_infra.trees.refusal import UnfitError
from tempo_infra.trees.tree import Limits, Tree

__all__ = [
    "Limits",
    "Tree",
    "UnfitError",
    "create",
    "locked",
    "opened",
    "read",
    "straight",
    "write",
    "write_all",
    "writing",
]
