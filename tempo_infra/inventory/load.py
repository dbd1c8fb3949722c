"""An inventory file to a Cluster, or to all that is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from tempo_infra.inventory import document, places, rules, source
from tempo_infra.inventory.build import build
from tempo_infra.inventory.document import MalformedError, Mapping, Node
from tempo_infra.inventory.problems import Problem, refuse

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.inventory.cluster import Cluster


def load(path: Path) -> Cluster:
    """Return the inventory of that file.

    InputError with one `file:line:column: path: what is wrong` a problem, all of them, when it is not valid.
    Reads that file and nothing else; of the others that it names, only where they lie.
    """
    return loads(source.read(path), path)


def loads(text: str, path: Path) -> Cluster:
    """As `load`, for text already read; `path` names it and is what its relative paths start from."""
    from pydantic import ValidationError

    from tempo_infra.inventory.models import InventoryFile
    from tempo_infra.inventory.translate import problems_of

    if not text.strip():
        raise refuse(path, [Problem(None, (), "the file is empty")])
    source.check_visible(text, path)
    root, problems = _tree(text, path)
    try:
        inventory = InventoryFile.model_validate(root.value)
    except ValidationError as error:
        problems += problems_of(error, root)
    wrong = frozenset(problem.loc for problem in problems)
    problems += rules.broken(root, wrong)
    elsewhere = places.elsewhere(root, path.parent)
    problems += [one for one in places.problems(root, elsewhere) if one.loc not in wrong]
    if problems:
        raise refuse(path, problems)
    named = tuple(".".join(map(str, loc)) for loc in elsewhere)
    digest = sha256(text.encode()).hexdigest()
    return replace(build(inventory, path), digest=digest, elsewhere=named, marks=document.marks(root))


def _tree(text: str, path: Path) -> tuple[Node, list[Problem]]:
    try:
        root, duplicates = document.parse(text)
    except MalformedError as error:
        raise refuse(path, [error.problem]) from None
    if not isinstance(root, Mapping):
        what = "no inventory; it begins with keys such as `cluster: oslo`"
        raise refuse(path, [Problem(root.mark, (), what)])
    return root, duplicates
