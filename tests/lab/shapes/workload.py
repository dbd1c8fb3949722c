"""Workflows all the while: each start that was accepted has to end, and a schedule has to go on.

The workflows and their worker run in this process; a client tries one frontend after the other, as one behind
a name with several addresses does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

from temporalio import activity, workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
)
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

T = TypeVar("T")
QUEUE, NAMESPACE = "beats", "billing"
PAUSE_S, CALL_S, EVERY_S = 0.5, 5.0, 2
AT_ONCE_S = 10.0  # a frontend that a command has just called good
END_S = 120.0  # in which what was started has ended, on a busy machine


@activity.defn
async def rest() -> str:
    return "rested"


@workflow.defn(name="beat")
class Beat:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(1)
        return await workflow.execute_activity(rest, start_to_close_timeout=timedelta(seconds=10))


@dataclass
class Workload:
    """What is started every half a second by one of several frontends, and what became of it."""

    frontends: list[str]
    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    scheduled: int = 0  # by the schedule, after the change had ended
    longest_s: float = 120.0  # for which a client tries to start one
    _over: threading.Event = field(default_factory=threading.Event)
    _bad: list[BaseException] = field(default_factory=list)

    @contextlib.contextmanager
    def all_along(self) -> Iterator[Workload]:
        """Start workflows until the block ends, then wait for the end of each."""
        thread = threading.Thread(target=self._thread)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()
        if self._bad:
            raise self._bad[0]

    def _thread(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as problem:  # noqa: BLE001  # told by who waits for this thread
            self._bad.append(problem)

    async def _run(self) -> None:
        clients = [await _client(one) for one in self.frontends]
        works = [asyncio.create_task(_work(one)) for one in self.frontends]
        try:
            plan = await self._schedule(clients)
            while not self._over.is_set():
                await self._start(clients)
                await asyncio.sleep(PAUSE_S)
            self.scheduled = await self._goes_on(clients, plan)
            await self._account(clients)
            await self._ask(clients, lambda client: client.get_schedule_handle(plan).delete())
        finally:
            for one in works:
                one.cancel()
            await asyncio.gather(*works, return_exceptions=True)

    async def _schedule(self, clients: list[Client]) -> str:
        name = f"every-{uuid.uuid4().hex[:8]}"
        action = ScheduleActionStartWorkflow("beat", id=f"{name}-beat", task_queue=QUEUE)
        spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=EVERY_S))])
        await self._ask(clients, lambda one: one.create_schedule(name, Schedule(action=action, spec=spec)))
        return name

    async def _goes_on(self, clients: list[Client], name: str) -> int:
        """How many actions the schedule took from now on, once there is one."""

        async def taken() -> int:
            found = await self._ask(clients, lambda one: one.get_schedule_handle(name).describe())
            return found.info.num_actions if found else 0

        before, end = await taken(), time.monotonic() + END_S
        while time.monotonic() < end:
            await asyncio.sleep(EVERY_S / 2)
            if more := await taken() - before:
                return more
        return 0

    async def _start(self, clients: list[Client]) -> None:
        id_, began = uuid.uuid4().hex, time.monotonic()
        try:
            await self._ask(clients, lambda one: one.start_workflow("beat", id=id_, task_queue=QUEUE))
        except TimeoutError as error:
            self.refused.append(f"{time.strftime('%H:%M:%S')} {error}")
            return
        self.accepted.append(id_)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    async def _account(self, clients: list[Client]) -> None:
        end = time.monotonic() + END_S
        for id_ in self.accepted:
            left_s = max(1.0, end - time.monotonic())
            try:
                result = await self._ask(clients, partial(_result, id_), left_s, left_s)
            except TimeoutError as error:
                result = f"no end: {error}"
            if result != "rested":
                self.lost.append(f"{id_} {result}")

    async def _ask(
        self,
        clients: list[Client],
        call: Callable[[Client], Awaitable[T]],
        call_s: float = CALL_S,
        longest_s: float = 0.0,
    ) -> T | None:
        """Ask one frontend after the other until one answers; TimeoutError when none does for long.

        None for what an earlier call has done, whose answer was lost.
        """
        end, why = time.monotonic() + (longest_s or self.longest_s), "nobody was asked"
        while time.monotonic() < end:
            for client in clients:
                try:
                    return await asyncio.wait_for(call(client), call_s)
                except RPCError as error:
                    if "already" in str(error):
                        return None
                    why = str(error)
                except Exception as error:  # noqa: BLE001  # a frontend that is away, however the library says so
                    why = str(error) or type(error).__name__
            await asyncio.sleep(PAUSE_S)
        raise TimeoutError(why)


async def _result(id_: str, client: Client) -> str:
    return str(await client.get_workflow_handle(id_).result())


async def _client(address: str) -> Client:
    return await Client.connect(f"{address}:7233", namespace=NAMESPACE, lazy=True)


async def _work(address: str) -> None:
    """Poll by one frontend, for as long as there is one, then try again."""
    while True:
        with contextlib.suppress(RuntimeError, RPCError):
            client = await Client.connect(f"{address}:7233", namespace=NAMESPACE)
            await Worker(
                client,
                task_queue=QUEUE,
                workflows=[Beat],
                activities=[rest],
                workflow_runner=UnsandboxedWorkflowRunner(),
                graceful_shutdown_timeout=timedelta(seconds=1),
            ).run()
        await asyncio.sleep(1)


def takes_a_start(address: str) -> str:
    """Start one workflow by this frontend alone, at once; why that failed, or nothing."""

    async def start() -> None:
        client = await _client(address)
        await client.start_workflow("beat", id=uuid.uuid4().hex, task_queue="nobody")

    async def bounded() -> None:
        await asyncio.wait_for(start(), AT_ONCE_S)

    try:
        asyncio.run(bounded())
    except Exception as error:  # noqa: BLE001  # however the library says so
        return f"{address}: {str(error) or type(error).__name__}"
    return ""
