"""The smoke run: real workflows, a worker killed in the middle, and every charge accounted for."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError

from tempo_infra.errors import InputError, StepFailedError, UnreachableError
from tempo_infra.on_host import remedies
from tempo_infra.sanitize import one_line
from tempo_infra.workload.account import COMPLETED, Expected, Incident, account, finished_elsewhere
from tempo_infra.workload.card import Card
from tempo_infra.workload.complaints import BEHIND_IT, FRONTEND, IS_IT_UP, complaint
from tempo_infra.workload.ledger import Ledger
from tempo_infra.workload.namespace import ensure_namespace
from tempo_infra.workload.processes import WorkerProcess, workers
from tempo_infra.workload.renewals import Handle, Renewals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

NAMESPACE: Final = "tempo-infra-smoke"
FEWEST: Final = len(Card)
MOST: Final = 200
_WORKERS: Final = 2
_CONNECT_S: Final = 10.0
_POLL_S: Final = 0.1
_SETTLE_S: Final = 3.0  # so long are all held activities waited for; then one is enough
_CLEAN_UP_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Event:
    at_s: float  # since the run began
    text: str


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """What happened, and what should not have."""

    run_id: str
    namespace: str
    workflows: int
    completed: int
    failed_as_expected: int
    charges: int
    attempts: int
    emails: int
    killed_pid: int | None
    in_progress: int  # activities that the killed worker was running
    resumed: int  # of these, how many another worker finished
    seconds: float
    events: tuple[Event, ...]
    problems: tuple[str, ...]
    evidence: str = ""  # folder with the ledger and the workers' logs, kept when there are problems

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Options:
    namespace: str
    workflows: int
    retry_interval_s: float
    heartbeat_timeout_s: float
    deadline_s: float
    disturb: Callable[[], None] | None
    say: Callable[[Event], None] | None


@dataclass(slots=True)
class _Run:
    """One run while it goes on."""

    address: str
    options: _Options
    folder: Path
    ledger: Ledger
    run_id: str = field(default_factory=lambda: secrets.token_hex(4))
    began_s: float = field(default_factory=time.monotonic)
    events: list[Event] = field(default_factory=list)
    incident: Incident = field(default_factory=Incident)
    expected: tuple[Expected, ...] = ()
    outcomes: dict[str, str] = field(default_factory=dict)
    late: tuple[str, ...] = ()
    trouble: str = ""  # the last answer of the frontend that had to be waited out

    @property
    def task_queue(self) -> str:
        return f"smoke-{self.run_id}"

    def say(self, text: str) -> None:
        event = Event(round(time.monotonic() - self.began_s, 1), text)
        self.events.append(event)
        if self.options.say:
            self.options.say(event)

    def note(self, trouble: str) -> None:
        self.trouble = one_line(trouble)


def run_smoke(  # noqa: PLR0913 - one call with every knob, each with its default
    address: str,
    namespace: str = NAMESPACE,
    *,
    workflows: int = 20,
    retry_interval_s: float = 1.0,
    heartbeat_timeout_s: float = 5.0,
    deadline_s: float = 120.0,
    disturb: Callable[[], None] | None = None,
    say: Callable[[Event], None] | None = None,
) -> SmokeResult:
    """Run renewals against the frontend at `address` ("host:port") and account for every charge.

    Two worker processes serve them; one is killed with SIGKILL while it runs activities, then `disturb` is
    called (in a thread; it must end by itself), then the other worker finishes. `say` hears each event as
    it happens. However it ends, no process is left. InputError for impossible numbers, UnreachableError
    when nothing answers at the address, StepFailedError when the namespace or a worker can't be used;
    what goes wrong with the workflows is a problem in the result.
    """
    if not FEWEST <= workflows <= MOST:
        raise InputError(f"{workflows} workflows: {FEWEST} (one of each kind) to {MOST} are possible")
    options = _Options(namespace, workflows, retry_interval_s, heartbeat_timeout_s, deadline_s, disturb, say)
    folder = Path(tempfile.mkdtemp(prefix="tempo-infra-smoke-"))
    keep = False
    try:
        result = asyncio.run(_smoke(_Run(address, options, folder, Ledger(folder / "ledger.sqlite"))))
        keep = not result.ok
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return result


async def _smoke(run: _Run) -> SmokeResult:
    client = await _connect(run)
    try:
        async with asyncio.timeout(run.options.deadline_s):
            await _prepare(client, run)
            await _story(client, run)
    except TimeoutError:
        last = f"; the frontend's last complaint: {run.trouble}" if run.trouble else ""
        run.late = (f"not finished within {run.options.deadline_s:g} s{last}",)
        await _terminate(client, run)
    return _result(run)


async def _connect(run: _Run) -> Client:
    try:
        async with asyncio.timeout(_CONNECT_S):
            return await Client.connect(run.address, namespace=run.options.namespace, runtime=_silent())
    except ValueError:  # as the SDK says it
        raise InputError(f"--address {run.address}: write HOST:PORT") from None
    except (RuntimeError, RPCError, TimeoutError) as error:
        words = complaint(error) or f"nothing within {_CONNECT_S:.0f} s"
        raise UnreachableError(
            f"no Temporal frontend answers at {run.address}: {words}",
            remedy=remedies.remedy(FRONTEND, words, IS_IT_UP),
        ) from error


def _silent() -> Runtime:
    """Return the SDK without a log: it would write on the terminal, in colours, what the errors say."""
    return Runtime(telemetry=TelemetryConfig(logging=None))


async def _prepare(client: Client, run: _Run) -> None:
    try:
        made = await ensure_namespace(client, run.options.namespace, run.task_queue)
    except RPCError as error:
        raise StepFailedError(
            f"the namespace {run.options.namespace!r} can't be used: {error.status.name}: {error.message}",
            remedy=remedies.remedy(BEHIND_IT, f"{error.status.name}: {one_line(error.message)}", IS_IT_UP),
        ) from error
    run.say(
        f"namespace {run.options.namespace} {'made' if made else 'is there'}, task queue {run.task_queue}"
    )


async def _story(client: Client, run: _Run) -> None:
    arguments = (run.address, run.options.namespace, run.task_queue, str(run.ledger.path))
    renewals = Renewals(
        client,
        run.task_queue,
        run.options.retry_interval_s,
        run.options.heartbeat_timeout_s,
        execution_timeout_s=run.options.deadline_s * 2,
        trouble=run.note,
    )
    with workers(_WORKERS, arguments, run.folder) as crew:
        await _ready(crew, run)
        run.expected = _cast(run)
        handles = await asyncio.gather(*(renewals.start(one) for one in run.expected))
        run.say(f"started {len(handles)} workflows: {_kinds(run.expected)}")
        ends = asyncio.gather(*(_note_end(renewals, handle, run) for handle in handles))
        try:
            await _break(crew, run)
            run.ledger.open_gate()
            await ends
        finally:
            ends.cancel()
        run.say(_finish(crew, run))


async def _note_end(renewals: Renewals, handle: Handle, run: _Run) -> None:
    run.outcomes[handle.id] = await renewals.end_of(handle)


async def _ready(crew: Sequence[WorkerProcess], run: _Run) -> None:
    wanted = {one.pid for one in crew}
    while not wanted <= run.ledger.ready_workers():
        for one in crew:
            one.require_alive()
        await asyncio.sleep(_POLL_S)
    run.say(f"workers {' and '.join(str(one.pid) for one in crew)} are polling")


def _cast(run: _Run) -> tuple[Expected, ...]:
    cards = tuple(Card)
    kinds = (cards[number % len(cards)] for number in range(run.options.workflows))
    return tuple(Expected(f"{run.run_id}-{number:03}-{card}", card) for number, card in enumerate(kinds, 1))


def _kinds(expected: Iterable[Expected]) -> str:
    cards = [one.card for one in expected]
    return ", ".join(f"{cards.count(card)} {card}" for card in Card)


async def _break(crew: Sequence[WorkerProcess], run: _Run) -> None:
    """Kill the worker that has the most held activities in progress; then disturb the cluster itself."""
    held = await _held_in_progress(run)
    victim = max(crew, key=lambda one: len(held.get(one.pid, ())))
    in_progress = frozenset(held[victim.pid])
    victim.kill()
    disturb = run.options.disturb
    run.incident = Incident(victim.pid, in_progress, disturbed=disturb is not None)
    run.say(f"worker {victim.pid} killed (SIGKILL) with {_activities(len(in_progress))} in progress")
    if disturb is not None:
        before_s = time.monotonic()
        await asyncio.to_thread(disturb)
        run.say(f"the cluster was disturbed as well ({time.monotonic() - before_s:.1f} s)")


async def _held_in_progress(run: _Run) -> Mapping[int, set[str]]:
    """Wait until every held activity runs in some worker; return their workflows by pid."""
    waiting = {one.workflow_id for one in run.expected if one.card is Card.HELD}
    enough_at_s = time.monotonic() + _SETTLE_S
    while True:
        held: dict[int, set[str]] = {}
        for row in run.ledger.rows().attempts:
            if row.answer is None and row.workflow_id in waiting:
                held.setdefault(row.pid, set()).add(row.workflow_id)
        found = sum(map(len, held.values()))
        if found == len(waiting) or (found and time.monotonic() > enough_at_s):
            return held
        await asyncio.sleep(_POLL_S)


def _finish(crew: Sequence[WorkerProcess], run: _Run) -> str:
    others = " and ".join(str(one.pid) for one in crew if one.pid != run.incident.killed_pid)
    resumed = len(finished_elsewhere(run.ledger.rows(), run.incident))
    total = len(run.incident.held_by_killed)
    return f"worker {others} finished {resumed} of {_activities(total)} left behind, and everything else"


def _activities(count: int) -> str:
    return f"{count} activit{'y' if count == 1 else 'ies'}"


async def _terminate(client: Client, run: _Run) -> None:
    """Leave no workflow running behind; best effort, bounded."""
    running = [one.workflow_id for one in run.expected if one.workflow_id not in run.outcomes]
    with suppress(RPCError, TimeoutError):
        async with asyncio.timeout(_CLEAN_UP_S):
            for workflow_id in running:
                await client.get_workflow_handle(workflow_id).terminate("the smoke run is over its deadline")


def _result(run: _Run) -> SmokeResult:
    rows = run.ledger.rows()
    problems = tuple(map(one_line, (*run.late, *account(run.expected, rows, run.outcomes, run.incident))))
    ends = run.outcomes
    declined = [one.workflow_id for one in run.expected if one.card is Card.DECLINED]
    return SmokeResult(
        run_id=run.run_id,
        namespace=run.options.namespace,
        workflows=len(run.expected),
        completed=list(ends.values()).count(COMPLETED),
        failed_as_expected=sum(ends.get(who, COMPLETED) != COMPLETED for who in declined),
        charges=len(rows.charges),
        attempts=len(rows.attempts),
        emails=len(rows.emails),
        killed_pid=run.incident.killed_pid,
        in_progress=len(run.incident.held_by_killed),
        resumed=len(finished_elsewhere(rows, run.incident)),
        seconds=round(time.monotonic() - run.began_s, 1),
        events=tuple(run.events),
        problems=problems,
        evidence=str(run.folder) if problems else "",
    )
