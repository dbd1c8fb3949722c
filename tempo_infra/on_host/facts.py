"""Everything that is measured on a host, as one value that travels as JSON.

Nothing here judges, and nothing is changed on the host: the only thing written is the fsync probe's file,
which has no name from the start.
"""

# No `from __future__ import annotations` here: a field `system` would hide the module `system` when the other
# side turns the annotations' text into types.
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from typing import Any, Callable, TypeVar

from tempo_infra.on_host import processes, ring
from tempo_infra.on_host.accounts import Accounts
from tempo_infra.on_host.probes import (
    clock,
    components,
    cpu,
    database,
    disk,
    docker,
    fsync,
    generation,
    kernel,
    kernel_log,
    memory,
    metrics,
    network,
    nofile,
    postgres,
    priority,
    roles,
    system,
    upkeep,
    users,
    virt,
)
from tempo_infra.on_host.probes.components import Asked
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, read_file
from tempo_infra.on_host.probes.roles import RolePort

SCHEMA = 3  # of the JSON; a reader refuses any other
THOROUGH = 4.0
PAUSE_S = 0.3  # between bursts where no other probe fills the time

NOT_ASKED: "Reading[Any]" = Reading(None, "not asked")  # by a version before this one
NONE_THEN: "Reading[Any]" = Reading(None, "not asked", not_wanted=True)  # which had nothing of the kind
NO_LINK: "Reading[Any]" = Reading(None, "measured over a connection only", not_wanted=True)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FactsOptions:
    data_directory: str = "/srv/tempo/postgres"
    quick: bool = False  # no load, no writes: about a second
    with_load: bool = False  # measure by load even where a database runs
    tool_version: str = ""
    thorough: bool = False  # longer bursts and a longer load
    internal: str = ""  # this host's address for the others
    roles: tuple[RolePort, ...] = ()  # Temporal's, and where they should answer
    peers: tuple[network.Peer, ...] = ()
    frontend: str = ""  # host:port that workers of this host talk to
    subnets: tuple[str, ...] = ()  # that the containers have, or will have
    worker_metrics: tuple[str, ...] = ()  # host:port of workers' own metrics
    components: tuple[Asked, ...] = ()  # with a probe of their own

    @classmethod
    def of(cls, plain: "dict[str, Any]") -> "FactsOptions":
        """Make options of JSON values."""
        found = [RolePort(**one) for one in plain.get("roles", ())]
        peers = [network.Peer(**one) for one in plain.get("peers", ())]
        workers = tuple(plain.get("worker_metrics", ()))
        subnets = tuple(plain.get("subnets", ()))
        of_others = {"peers": tuple(peers), "worker_metrics": workers, "subnets": subnets}
        asked = tuple(Asked(**one) for one in plain.get("components", ()))
        return cls(**{**plain, "roles": tuple(found), **of_others, "components": asked})

    @property
    def stretch(self) -> float:
        """By how much bursts and load are longer than usual."""
        return THOROUGH if self.thorough else 1.0


@dataclass(frozen=True, slots=True)
class Link:
    """What only the other end of the connection can measure; a positive offset: this clock is ahead."""

    offset_ms: float
    uncertainty_ms: float  # half of the best round trip
    round_trip_ms: float
    exposed: Reading[tuple[int, ...]]  # ports of the cluster that answer on the public address
    method: str = "the time asked for over the open connection, the fastest of 8 answers or more"


@dataclass(frozen=True, slots=True)
class Facts:
    schema: int
    tool_version: str
    taken_at: str  # the host's own clock, UTC
    seconds: float
    options: FactsOptions
    system: Reading[system.System]
    kernel: Reading[kernel.Kernel]
    memory: Reading[memory.Memory]
    virt: Reading[virt.Virt]
    clock: Reading[clock.Clock]
    nofile: Reading[nofile.Nofile]
    docker: Reading[docker.Docker]
    postgres: Reading[postgres.Postgres]
    disk: Reading[disk.Disk]
    cpu: Reading[cpu.Cpu]
    fsync: Reading[fsync.Fsync]
    kernel_log: Reading[kernel_log.KernelLog]
    upkeep: Reading[upkeep.Upkeep]
    network: Reading[network.Network]
    generation: Reading[generation.Generation]
    roles: Reading[tuple[roles.RoleHealth, ...]]
    database: Reading[database.Database]
    metrics: Reading[metrics.Metrics]
    peak_bytes: int  # the most memory that measuring took
    seconds_by_part: "dict[str, float]"  # how long reading each of the above took
    link: Reading[Link] = NO_LINK
    users: Reading[Accounts] = NOT_ASKED
    ring: Reading[tuple[str, ...]] = NOT_ASKED  # "history 10.0.0.12:7234", as the frontend here sees it
    # By name, those with probes of their own; an earlier version had none.
    components: Reading[dict[str, Reading[dict[str, Any]]]] = NONE_THEN

    def to_json(self) -> "dict[str, Any]":
        """Return plain values for `json.dumps`."""
        return asdict(self)


def ignore(_what: str) -> None:
    """Take a line of progress and do nothing with it."""


def collect(options: FactsOptions, say: "Callable[[str], None]" = ignore) -> Facts:
    """Measure this host; about a second when `quick`, else 10 to 20 s (30 more on a very slow disk).

    `say` hears one line before each part that takes time. Raises nothing for a bad host: what can't be
    read carries its reason.
    """
    begun = time.monotonic()
    taken_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    measured = _Measured(options, _why_no_load(options), say)
    found = measured.run()
    return Facts(
        schema=SCHEMA,
        tool_version=options.tool_version,
        taken_at=taken_at,
        seconds=round(time.monotonic() - begun, 2),
        options=options,
        peak_bytes=attempt(lambda: memory.parse(read_file("/proc/self/status"), "VmHWM")).value or 0,
        **found,
    )


def _why_no_load(options: FactsOptions) -> str:
    """Return why neither disk nor CPU may be loaded here; empty when they may."""
    if options.quick:
        return "left out by --quick"
    running = attempt(lambda: processes.postmasters(processes.read()))
    if running.value and not options.with_load:
        return "a PostgreSQL server runs here; --with-load measures all the same"
    return ""


class _Measured:
    """One run: the probes in turn, with the disk's bursts spread between them."""

    def __init__(self, options: FactsOptions, why_no_load: str, say: "Callable[[str], None]") -> None:
        self._options = options
        self._why_no_load = why_no_load
        self._say = say
        self._found: "dict[str, Reading[Any]]" = {}
        self._spent_s = 0.0  # in bursts
        self._seconds: "dict[str, float]" = {}  # by part
        self._asked: "metrics.Answers" = {}

    def run(self) -> "dict[str, Any]":
        groups: "list[list[tuple[str, Callable[[], Any]]]]" = [
            [("system", system.read), ("kernel", kernel.read), ("memory", memory.read), ("virt", virt.read)],
            [("clock", clock.read), ("nofile", nofile.read), ("docker", docker.read)],
            [("metrics", self._ask_services), ("postgres", self._begin_postgres), ("cpu", self._cpu)],
            [("disk", self._disk)],
            [
                ("database", self._database),
                ("kernel_log", kernel_log.read),
                ("network", self._network),
                ("upkeep", upkeep.read),
                ("users", users.read),
                ("generation", generation.read),
                ("ring", self._ring),
                ("roles", lambda: roles.read(self._options.internal, self._options.roles)),
                ("components", lambda: components.read(self._options.components)),
                ("postgres", self._postgres),
                ("metrics", self._metrics),
            ],
        ]
        with ExitStack() as stack:
            probe = attempt(lambda: self._start_fsync(stack))
            for index in range(fsync.BURSTS):
                probe = self._burst(probe, index)
                for name, read in groups[index] if index < len(groups) else []:
                    self._found[name] = self._timed(name, read)
            self._found["fsync"] = _then(probe, lambda one: one.result())
        self._seconds["fsync"] = self._spent_s
        found = {one.name: self._found[one.name] for one in fields(Facts) if one.name in self._found}
        return {**found, "seconds_by_part": {name: round(took, 3) for name, took in self._seconds.items()}}

    def _timed(self, name: str, read: "Callable[[], T]") -> "Reading[T]":
        begun = time.monotonic()
        found = attempt(read)
        self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - begun
        return found

    def _start_fsync(self, stack: ExitStack) -> fsync.Probe:
        if self._why_no_load:
            raise Unread(self._why_no_load, not_wanted=True)
        directory = fsync.directory_for(self._options.data_directory)
        with priority.lowest_io():  # sixteen mebibytes are written first
            return fsync.Probe(directory, stack.enter_context(fsync.scratch_file(directory)))

    def _burst(self, probe: "Reading[fsync.Probe]", index: int) -> "Reading[fsync.Probe]":
        def measure(one: fsync.Probe) -> fsync.Probe:
            self._say(f"durable writes in {self._options.data_directory}: {index + 1} of {fsync.BURSTS}")
            at_least, cap_s = fsync.burst_plan(index, one.samples, self._spent_s)
            begun = time.monotonic()
            with priority.lowest_io():
                one.burst(fsync.BURST_S * self._options.stretch, at_least=at_least, cap_s=cap_s)
            self._spent_s += time.monotonic() - begun
            time.sleep(PAUSE_S)
            return one

        return _then(probe, measure)

    def _cpu(self) -> cpu.Cpu:
        if not self._why_no_load:
            self._say(f"every vCPU at work for {cpu.LOAD_S * self._options.stretch:g} s")
        return cpu.read(self._why_no_load, load_s=cpu.LOAD_S * self._options.stretch)

    def _begin_postgres(self) -> postgres.Begun:
        return postgres.begin(_value(self._containers()))

    def _postgres(self) -> postgres.Postgres:
        window_s = postgres.QUICK_WINDOW_S if self._options.quick else postgres.WINDOW_S
        return postgres.read(_value(self._found["postgres"]), window_s * self._options.stretch)

    def _database(self) -> database.Database:
        return database.read(_value(self._found["postgres"]).container)

    def _ask_services(self) -> None:
        self._asked = metrics.ask_services(self._options.roles, self._containers())

    def _metrics(self) -> metrics.Metrics:
        if not self._options.roles and not self._options.worker_metrics:
            raise Unread("no Temporal role of this host is known", not_wanted=True)
        again = metrics.ask_services(self._options.roles, self._containers())
        return metrics.read(self._asked, again, self._options.worker_metrics)

    def _ring(self) -> "tuple[str, ...]":
        ports = [one.port for one in self._options.roles if one.role == "frontend"]
        if not ports:
            raise Unread("no frontend of this host is known", not_wanted=True)
        return tuple(ring.read(self._options.internal, ports[0]))

    def _network(self) -> network.Network:
        return network.read(self._options.peers, self._options.frontend, self._options.subnets)

    def _disk(self) -> disk.Disk:
        return disk.read(self._options.data_directory)

    def _containers(self) -> "Reading[tuple[docker.Container, ...]]":
        found: "Reading[docker.Docker]" = self._found["docker"]
        return _then(found, lambda one: _value(one.containers))


def _value(reading: "Reading[T]") -> "T":
    """Return what was read, or raise why it wasn't."""
    if reading.value is None:
        raise Unread(reading.unread, not_wanted=reading.not_wanted)
    return reading.value


def _then(reading: "Reading[Any]", go_on: "Callable[[Any], T]") -> "Reading[T]":
    """Go on with a value that was read; keep the reason of one that was not."""
    if reading.value is None:
        return Reading(None, reading.unread, reading.not_wanted)
    return attempt(lambda: go_on(reading.value))
