"""The ring of Temporal's servers, as a frontend sees it: who takes shards, task queues and calls.

A server that can't renew its row in the database any more stays in the ring for as long as it answers the
others. So the ring is asked for, by the call that `tdbg membership list-gossip` makes.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from tempo_infra.on_host import fit, grpc_call
from tempo_infra.on_host.probes import protobuf
from tempo_infra.on_host.probes.reading import Unread
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.steps import change, upkeep

# Messages of temporal.server.api (proto/internal in temporalio/temporal): DescribeClusterResponse's
# membership_info, MembershipInfo's rings, RingInfo's role and members, HostInfo's identity, a gRPC address.
DESCRIBE = "/temporal.server.api.adminservice.v1.AdminService/DescribeCluster"
INFO, RINGS, ROLE, MEMBERS, IDENTITY = 3, 3, 1, 3, 1
ROLES = ("frontend", "history", "matching", "worker")  # another one is none that this tool starts
PLACE, LARGEST_PORT = re.compile(r"(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})"), 65535
ASK_S = 3.0
MOST_MEMBERS = 1000
PAUSE_S = 0.5
IT_RUNS = (
    "its services run: stop that machine at its provider, or put it back into the inventory until ssh "
    "reaches it"
)


def read(host: str, port: int, deadline_s: float = ASK_S) -> "list[str]":
    """Return the members of every role's ring as "history 10.0.0.12:7234". OSError, Unread."""
    answer = grpc_call.call(host, port, DESCRIBE, b"", deadline_s=deadline_s)
    found = [
        f"{role} {_address(member)}"
        for info in protobuf.texts(answer, INFO)
        for one in protobuf.texts(info, RINGS)
        for role in ROLES
        if role.encode() in protobuf.texts(one, ROLE)
        for member in protobuf.texts(one, MEMBERS)
    ]
    return sorted(found)[:MOST_MEMBERS]


def _address(member: bytes) -> str:
    """Return a member's "10.0.0.12:7234"; Unread for what is no address."""
    text = b"".join(protobuf.texts(member, IDENTITY)).decode(errors="replace")
    found = PLACE.fullmatch(text)
    if found is None or not fit.is_address(found[1] or found[2]) or int(found[3]) > LARGEST_PORT:
        raise Unread(f"the ring has a member at {fit.text(text)}")
    return text


def ring(args: change.Ring) -> "dict[str, list[str]]":
    """Wait until the ring, as this frontend sees it, has exactly the expected members. StepError."""
    end = time.monotonic() + args.deadline_s
    while True:
        try:
            found = read(args.host, args.port)
            wrong = differs(found, args.expected, args.may_lack)
        except (OSError, Unread) as error:
            found, wrong = [], f"the frontend does not say: {error}"
        if not wrong:
            return {"members": found}
        if time.monotonic() > end:
            raise StepError(f"Temporal's ring is not the inventory's: {wrong}")
        time.sleep(PAUSE_S)


def out(args: upkeep.OutOfRing) -> "dict[str, float]":
    """Wait until no server at these addresses is in the ring. StepError."""
    started = time.monotonic()
    while True:
        try:
            found = read(args.host, args.port)
        except (OSError, Unread) as error:
            raise StepError(f"the frontend does not say who is in Temporal's ring: {error}") from None
        here = [one for one in found if _at(one) in args.addresses]
        if not here:
            return {"seconds": time.monotonic() - started}
        if time.monotonic() - started > args.deadline_s:
            raise StepError(f"still in Temporal's ring: {', '.join(here)}", remedy=IT_RUNS)
        time.sleep(PAUSE_S)


def _at(member: str) -> str:
    return member.partition(" ")[2].rpartition(":")[0].strip("[]")


def differs(found: "list[str]", expected: "list[str]", may_lack: "list[str]") -> str:
    """Say who is missing and who is not ours; empty for exactly the expected ones."""
    missing = sorted(set(expected) - set(found) - set(may_lack))
    others = sorted(set(found) - set(expected))
    return "; ".join(
        f"{what} {', '.join(some)}" for what, some in (("missing", missing), ("not ours", others)) if some
    )
