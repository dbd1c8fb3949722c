"""Who is in Temporal's ring: answers as a server of 1.31.2 gives them, over real sockets."""

from __future__ import annotations

import pytest

from tempo_infra.on_host import ring
from tempo_infra.on_host.grpc_call import DATA, _frame
from tempo_infra.on_host.probes.reading import Unread
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change, upkeep
from tests.unit.on_host.test_role_health import HEADERS_FRAME, server

OURS = ["frontend 10.99.0.17:7233", "history 10.99.0.16:7234", "history 10.99.0.17:7234"]


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def of(role: bytes, *members: bytes) -> bytes:
    """One RingInfo: its role, how many there are (field 2), each member's HostInfo."""
    return field(
        3, field(1, role) + bytes([0x10, len(members)]) + b"".join(field(3, field(1, m)) for m in members)
    )


def answer(*rings: bytes) -> bytes:
    info = field(1, field(1, b"10.99.0.17:7233")) + field(2, b"10.99.0.17:6933") + b"".join(rings)
    body = (
        field(2, b"1.31.2")
        + bytes([3 << 3 | 2, len(info) & 0x7F | 0x80, len(info) >> 7])
        + info
        + field(5, b"active")
    )
    return _frame(DATA, 0, 1, b"\0" + len(body).to_bytes(4, "big") + body)


TOLD = answer(of(b"frontend", b"10.99.0.17:7233"), of(b"history", b"10.99.0.17:7234", b"10.99.0.16:7234"))


def test_the_members_of_each_roles_ring_are_read_whatever_else_is_said() -> None:
    other = of(b"internal-frontend", b"10.99.0.9:7236")
    with server(HEADERS_FRAME, answer(of(b"matching", b"[fd00::1]:7235"), other, of(b"worker"))) as port:
        assert ring.read("127.0.0.1", port) == ["matching [fd00::1]:7235"]
    with server(HEADERS_FRAME, TOLD) as port:
        assert ring.read("127.0.0.1", port) == OURS


@pytest.mark.parametrize(
    "member",
    [
        *(b"", b"x:1", b"10.0.0.1:x", b"10.0.0.1", b"\xff:1", b"[fe80::1%$(id)]:1"),
        *(b"10.0.0.1:-1", b"10.0.0.1:1_0", b"10.0.0.1: 1", b"10.0.0.1:65536", b"10.0.0.1:" + b"9" * 80),
        *(b"[[10.0.0.1]]:1", "10.0.0.1:\u0661".encode()),
    ],
)
def test_a_member_at_no_address_is_no_answer(member: bytes) -> None:
    with server(HEADERS_FRAME, answer(of(b"history", member))) as port, pytest.raises(Unread):
        ring.read("127.0.0.1", port)


@pytest.mark.parametrize(
    ("found", "may_lack", "said"),
    [
        (OURS, (), ""),
        (OURS[:2], (), "missing history 10.99.0.17:7234"),
        (OURS[:2], OURS[2:], ""),
        ([*OURS, "worker 10.9.9.9:7239"], OURS, "not ours worker 10.9.9.9:7239"),
        (["x 1:1"], OURS[1:], "missing frontend 10.99.0.17:7233; not ours x 1:1"),
    ],
)
def test_missing_ones_may_be_excused_and_strangers_never(
    found: list[str], may_lack: list[str], said: str
) -> None:
    assert ring.differs(found, OURS, list(may_lack)) == said


def test_the_ring_has_to_be_the_inventorys() -> None:
    with server(HEADERS_FRAME, TOLD) as port:
        assert ring.ring(change.Ring(OURS, [], "127.0.0.1", port)) == {"members": OURS}
    with (
        server(HEADERS_FRAME, TOLD) as port,
        pytest.raises(StepError, match=r"not ours history 10\.99\.0\.16:7234"),
    ):
        ring.ring(change.Ring(OURS[::2], [], "127.0.0.1", port, deadline_s=0))
    with server() as port, pytest.raises(StepError, match="the frontend does not say: closed the connection"):
        ring.ring(change.Ring(OURS, [], "127.0.0.1", port, deadline_s=0))


def test_who_left_has_to_be_out_of_it() -> None:
    with server(HEADERS_FRAME, TOLD) as port:
        ring.out(upkeep.OutOfRing(["10.99.0.18"], "127.0.0.1", port))
    with (
        server(HEADERS_FRAME, TOLD) as port,
        pytest.raises(StepError, match=r"still in .* history 10\.99\.0\.16:7234"),
    ):
        ring.out(upkeep.OutOfRing(["10.99.0.16"], "127.0.0.1", port, deadline_s=0))
    with server() as port, pytest.raises(StepError, match="does not say who is in Temporal's ring"):
        ring.out(upkeep.OutOfRing(["10.99.0.16"], "127.0.0.1", port, deadline_s=0))
