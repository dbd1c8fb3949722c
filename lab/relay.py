"""A TCP relay in front of a host: counts round trips and bytes, delays, cuts, refuses.

with Relay(host.ssh_address, host.ssh_port, delay_ms=10) as relay:
    connect(relay.address, relay.port)
assert relay.round_trips <= 9
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")
Direction = Literal["up", "down"]
How = Literal["rst", "fin", "hang"]
UnderWay = asyncio.Queue[tuple[float, bytes]]
LISTEN = "127.0.1.50"
CHUNK = 65536


@dataclass(frozen=True)
class Cut:
    """Let exactly `after` bytes through in a direction (up: client to server), then break the connection.

    rst: a reset to both sides; fin: an orderly end; hang: both sides stay open and hear nothing more. Only
    the first `times` connections that get so far are cut.
    """

    after: int
    direction: Direction = "up"
    how: How = "rst"
    times: int = 1


class Traffic:
    """What has passed.

    A round trip is counted when data of the server follows data of the client: a change of direction and
    back. Two that send at the same time (the banners of ssh) count in the order in which they pass.
    """

    def __init__(self) -> None:
        self.up = self.down = self.round_trips = self.connections = 0
        self._last: dict[int, Direction] = {}

    def seen(self, connection: int, direction: Direction, count: int) -> None:
        """Data came from the client (up) or from the server (down)."""
        if direction == "up":
            self.up += count
        else:
            self.down += count
            if self._last.get(connection) == "up":
                self.round_trips += 1
        self._last[connection] = direction

    def reset(self) -> None:
        """Count from zero again; connections that are open go on."""
        self.up = self.down = self.round_trips = self.connections = 0


class Relay:
    """Listens on a loopback address, at any free port, and passes on to `target`; a context manager.

    `delay_ms` holds back each direction by as much, so a round trip takes twice that; `rate_bytes_s` lets no
    more through in a second and direction; `silent` swallows everything, as a dropped route does. All of them
    may be changed while the relay runs.
    """

    def __init__(
        self,
        target: str,
        target_port: int = 22,
        *,
        address: str = LISTEN,
        delay_ms: float = 0,
        rate_bytes_s: float = 0,
        cut: Cut | None = None,
    ) -> None:
        self.target, self.target_port = target, target_port
        self.address, self.port = address, _free_port(address)
        self.delay_ms, self.rate_bytes_s, self.cut = delay_ms, rate_bytes_s, cut
        self.silent = False
        self.traffic = Traffic()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._numbers = itertools.count()
        self._cuts_left = cut.times if cut else 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()

    @property
    def round_trips(self) -> int:
        """Changes of direction client - server - client so far."""
        return self.traffic.round_trips

    def refuse(self) -> None:
        """Close the port: new connections are refused, open ones go on."""
        self._call(self._stop_listening())

    def accept(self) -> None:
        """Open the port again."""
        self._call(self._listen())

    def break_all(self, how: Literal["rst", "fin"] = "rst") -> None:
        """Break every connection that is open now."""
        self._call(self._break(how, list(self._open)))

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self.address, self.port)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _close(self) -> None:
        await self._stop_listening()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # the relay closes: asyncio would print a traceback
            await self._connect(reader, writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        self.traffic.connections += 1
        number = next(self._numbers)
        try:
            far_reader, far_writer = await asyncio.open_connection(self.target, self.target_port)
        except OSError:
            await self._break("rst", [writer])
            return
        pair = [writer, far_writer]
        self._open.update(pair)
        how: How = "fin"
        try:
            async with asyncio.TaskGroup() as four:
                self._pass_on(four, number, "up", reader, far_writer)
                self._pass_on(four, number, "down", far_reader, writer)
        except* OSError:
            how = "rst"  # one side was reset: so is the other
        except* _CutError as cuts:
            how = _how(cuts)
        await self._break(how, pair)
        self._open.difference_update(pair)

    def _pass_on(
        self,
        tasks: asyncio.TaskGroup,
        number: int,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        under_way: UnderWay = asyncio.Queue(maxsize=1024)
        tasks.create_task(self._receive(direction, number, reader, under_way))
        tasks.create_task(self._send(direction, under_way, writer))

    async def _receive(
        self, direction: Direction, number: int, reader: asyncio.StreamReader, under_way: UnderWay
    ) -> None:
        """Read at once; what was read is due on the other side after the delay. Nothing is the end."""
        data = b"begin"
        while data:
            data = await reader.read(CHUNK)
            if data:
                self.traffic.seen(number, direction, len(data))
            await under_way.put((self._loop.time() + self.delay_ms / 1000, data))

    async def _send(self, direction: Direction, under_way: UnderWay, writer: asyncio.StreamWriter) -> None:
        """Pass on what is due, up to the cut."""
        sent = 0
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            if self.silent:
                continue
            if self.rate_bytes_s:
                await asyncio.sleep(len(data) / self.rate_bytes_s)
            if not data:
                writer.write_eof()
                return
            allowed = self._allowed(direction, sent)
            writer.write(data[:allowed])
            await writer.drain()
            sent += len(data)
            if self.cut is not None and allowed is not None and len(data) >= allowed:
                self._cuts_left -= 1
                raise _CutError(self.cut.how)

    def _allowed(self, direction: Direction, sent: int) -> int | None:
        """How many more bytes may pass before the cut; None if there is no cut ahead."""
        if self.cut is None or self.cut.direction != direction or self._cuts_left == 0:
            return None
        return max(0, self.cut.after - sent)

    async def _break(self, how: How, writers: list[asyncio.StreamWriter]) -> None:
        if how == "hang":
            await asyncio.Event().wait()  # until the relay closes
        if how == "rst":
            await asyncio.sleep(0.05)  # a reset throws away what the peer has not read yet: let it arrive
        for writer in writers:
            if how == "rst":
                with contextlib.suppress(OSError):  # that side may be closed already
                    raw = writer.get_extra_info("socket")
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()


class _CutError(Exception):
    """The connection has reached its cut."""

    def __init__(self, how: How) -> None:
        super().__init__(how)
        self.how: How = how


def _how(cuts: BaseExceptionGroup[_CutError]) -> How:
    first = cuts.exceptions[0]
    return first.how if isinstance(first, _CutError) else _how(first)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
