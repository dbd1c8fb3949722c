"""A first inventory: an example with the operator's names and addresses in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError
from tempo_infra.inventory import addresses, validators
from tempo_infra.inventory.edit import edited
from tempo_infra.inventory.load import load, loads
from tempo_infra.inventory.problems import did_you_mean, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.inventory.problems import Loc

EXAMPLES = {"single": "single.yaml", "trio": "oslo-trio.yaml"}
USUAL = {"country": "NO"}  # what need not be said
_HEADER = """\
# {cluster}: written by `tempo-infra init {layout}`. Every key: `tempo-infra inventory schema`.
#
#   tempo-infra trust -i {path}                pin the hosts' keys
#   tempo-infra inventory measure -i {path}    write what they have
#   tempo-infra images pin -i {path}           the exact images, by digest
#   tempo-infra check-host -i {path}           good enough?
#   tempo-infra provision -i {path}

"""


@dataclass(frozen=True, slots=True)
class HostAddresses:
    address: str  # how ssh reaches it
    internal: str  # what its services bind


@dataclass(frozen=True, slots=True)
class Answers:
    """What `init` wants to know beside the hosts."""

    cluster: str
    country: str
    provider: str
    user: str


CHECKS: Mapping[str, Callable[[str], object]] = {
    "cluster": validators.dns_label,
    "country": validators.country,
    "provider": validators.title,
    "user": validators.user_name,
}


def check(given: Mapping[str, str]) -> None:
    """InputError naming the option whose value can't stand in an inventory."""
    for field, value in given.items():
        try:
            CHECKS[field](value)
        except ValueError as error:
            raise InputError(f"--{field}: {error}") from None


def example(name: str) -> Path:
    """Return where that example lies: in the installed package, else in the checkout beside it."""
    package = Path(__file__).parent.parent
    inside = package / "examples" / name
    return inside if inside.is_file() else package.parent / "inventory" / name


@cache
def layout_of(layout: str) -> Cluster:
    """Return the example behind a layout; its hosts' names, classes and roles are the layout's."""
    return load(example(EXAMPLES[layout]))


def parse_host(option: str, layout: str) -> tuple[str, HostAddresses]:
    """Read `front-1=203.0.113.11,10.0.0.11` as a name and its addresses; InputError in plain words."""
    found = re.fullmatch(r"([^=,]+)=([^=,]+),([^=,]+)", option)
    if not found:
        name = layout_of(layout).hosts[0].name
        remedy = f"write NAME=SSH-ADDRESS,INTERNAL-ADDRESS, such as {name}=203.0.113.11,10.0.0.11"
        raise InputError(f"--host {quoted(option)} is not understood", remedy=remedy)
    name, address, internal = found.groups()
    names = [host.name for host in layout_of(layout).hosts]
    if name not in names:
        remedy = f"the hosts of {layout} are {', '.join(names)}; rename them in the file afterwards"
        raise InputError(f"unknown host {quoted(name)}{did_you_mean(name, names)}", remedy=remedy)
    for check, value in ((addresses.ssh_address, address), (addresses.internal_address, internal)):
        try:
            check(value)
        except ValueError as error:
            raise InputError(f"--host {name}: {error}") from None
    return name, HostAddresses(address, internal)


def scaffold(
    layout: str, answers: Answers, hosts: Mapping[str, HostAddresses], path: Path, shards: int | None = None
) -> str:
    """Return the text of a valid inventory; InputError when the answers do not make one.

    Without `shards` they are the example's.
    """
    changes: list[tuple[Loc, str]] = [
        (("cluster",), _scalar(answers.cluster)),
        (("country",), answers.country),
        (("provider",), _scalar(answers.provider)),
        (("ssh", "user"), _scalar(answers.user)),
    ]
    if shards is not None:
        changes.append((("temporal", "shards"), str(shards)))
    for name, host in hosts.items():
        changes.append((("hosts", name, "address"), _scalar(host.address)))
        changes.append((("hosts", name, "internal"), host.internal))
    body = example(EXAMPLES[layout]).read_text("utf-8")
    body = body[body.index("\ncluster:") + 1 :]
    header = _HEADER.format(cluster=answers.cluster, layout=layout, path=path)
    text = header + edited(body, changes)
    loads(text, path)
    return text


def command(layout: str, answers: Answers, hosts: Mapping[str, HostAddresses], path: Path) -> Sequence[str]:
    """Return the words of the `init` that writes the same without asking."""
    argv = ["tempo-infra", "init", layout]
    for field in CHECKS:
        if (value := getattr(answers, field)) != USUAL.get(field):
            argv += [f"--{field}", value]
    for name, host in hosts.items():
        argv += ["--host", f"{name}={host.address},{host.internal}"]
    return [*argv, "--output", str(path)]


def _scalar(text: str) -> str:
    """Write a value as YAML: plain when it reads back as the same text, else quoted."""
    from tempo_infra.inventory.document import core_schema

    plain = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./@-]*( [A-Za-z0-9_./@-]+)*", text)
    return text if plain and core_schema(text) == text else "'" + text.replace("'", "''") + "'"
