"""Steps of a change: locked, prepared, armed, switched, and kept or put back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from tempo_infra.on_host import cluster_record
from tempo_infra.on_host.steps.step import UNDO_S, Step

ITS_DATABASE = "postgres"  # the database that is the superuser's own


@dataclass(frozen=True)
class Lock(Step):
    """Keep every other run out."""

    MOST_S = 30.0  # nothing but the lock is waited for
    CHANGES = False
    run: str
    who: str
    wait_s: float = 0.0


@dataclass(frozen=True)
class Unlock(Step):
    """Let other runs in again."""

    MOST_S = 30.0
    CHANGES = False


@dataclass(frozen=True)
class Note(Step):
    """Let the journal say what a run is about."""

    MOST_S = 30.0  # a line, written durably
    run: str
    what: str
    who: str


@dataclass(frozen=True)
class Bootstrap(Step):
    """Install Docker where there is none."""

    MOST_S = 2100.0  # apt's locks, apt-get update and install, 600 s each


@dataclass(frozen=True)
class Preflight(Step):
    """Look at what the change needs, under the lock."""

    MOST_S = 240.0  # a durable write in each folder; 30 s for the data disk, 10 to look at it
    bytes: int  # on the state folder's disk
    files: int
    internal: str
    bindings: "list[str]" = field(default_factory=list)  # address:port of services that do not run yet
    rules: bool = False  # containers are reached, and reach others, by rules that the engine makes
    database: bool = False
    new_data: bool = False  # the plan saw no database here
    forget: bool = False  # the database that was here is given up, by name
    subnets: "list[str]" = field(default_factory=list)  # of the containers, unless they are there already
    data_uid: Optional[int] = None  # whom the database's container runs as; None: not asked
    nobodys: "list[int]" = field(default_factory=list)  # user numbers that have to be nobody's here
    kernel: "dict[str, str]" = field(default_factory=dict)  # values that the kernel has to take, by path
    cluster: str = ""  # the inventory's name for it
    renamed_from: str = ""  # that it had before, by the operator's word
    image_bytes: int = 0  # on the engine's disk, for images that are brought


@dataclass(frozen=True)
class DiskSpeed(Step):
    """Measure the data disk's fsync before there is a database."""

    MOST_S = 120.0  # 60 s, and a disk that is slow to begin


@dataclass(frozen=True)
class Stage(Step):
    """Write a generation's files and secrets, which come as the payload, a packed archive."""

    MOST_S = 300.0  # every file is written durably, on a slow disk
    digest: str  # of the manifest, names the generation
    sha256: str  # of the archive
    length: int
    repair: "list[str]" = field(default_factory=list)  # folders in the state folder that were edited in place
    aside: str = ""  # folder in the state folder that takes them


@dataclass(frozen=True)
class Validate(Step):
    """Let compose itself read the staged file."""

    MOST_S = 90.0  # docker compose config, 30 s
    digest: str


@dataclass(frozen=True)
class Pull(Step):
    """Pull images."""

    MOST_S = 60.0
    images: "list[str]"
    deadline_s: float  # for all of them


@dataclass(frozen=True)
class Receive(Step):
    """Make ready for an archive of images, and say how much of it is here."""

    MOST_S = 60.0  # files of an earlier one are taken away
    sha256: str
    length: int


@dataclass(frozen=True)
class Piece(Step):
    """Keep a piece of an archive of images, which is the payload."""

    MOST_S = 120.0  # a few MiB, on a slow disk
    sha256: str
    length: int  # of the whole
    offset: int


@dataclass(frozen=True)
class Load(Step):
    """Load the archive that has come."""

    MOST_S = 120.0  # the engine is asked what each image is
    sha256: str
    contents: "dict[str, str]"  # reference -> digest of the configuration
    deadline_s: float  # by the size: it is read, and unpacked

    @property
    def longest_s(self) -> float:
        return self.MOST_S + 2 * self.deadline_s  # to compare its digest is to read it once more


@dataclass(frozen=True)
class Tag(Step):
    """Name images that are here as they are started."""

    MOST_S = 120.0
    contents: "dict[str, str]"


@dataclass(frozen=True)
class TrialStart(Step):
    """Start a staged postgresql.conf on a throw-away data directory."""

    MOST_S = 420.0  # 150 s; then the running one
    digest: str


@dataclass(frozen=True)
class Origin(Step):
    """Keep which secrets file is in use: later ones must follow from it."""

    MOST_S = 30.0
    digest: str  # of the file's newest key
    write: int
    run: str
    seen: Optional[str] = None  # the digest that the plan saw
    anyway: bool = False  # whatever was confirmed: the file was made from what lies on the hosts


@dataclass(frozen=True)
class ClusterRecord(Step):
    """Keep what the cluster is after the run."""

    MOST_S = 30.0  # a file, written durably
    record: cluster_record.ClusterRecord

    @classmethod
    def of(cls, arguments: "dict[str, Any]", payload: bytes) -> "Step":
        return cls(cluster_record.ClusterRecord.of(arguments["record"]), payload=payload)


@dataclass(frozen=True)
class Arm(Step):
    """From here on the host puts itself back unless the run is confirmed."""

    MOST_S = 2700.0  # images that were pruned since are pulled again, 900 s each
    run: str
    who: str
    digest: str
    seen: Optional[str]  # the generation that was current when the plan was made
    host: str
    take_over: "list[str]"  # owned files that someone else wrote: copies of them stay on the host
    on_failure: str = "rollback"
    grace_s: float = 60.0
    soak_s: float = 0.0
    inventory: str = ""  # sha256 of its text; empty: a generation that has been here


@dataclass(frozen=True)
class Switch(Step):
    """Make a staged generation the current one and install its owned files."""

    MOST_S = 300.0  # owned files, kernel values, systemd's reload
    digest: str
    found: "dict[str, Optional[str]]"  # owned file -> digest that the plan saw; compared under the lock
    insist: bool = False  # kernel settings that are not in force afterwards fail the step


@dataclass(frozen=True)
class Data(Step):
    """Make the data folder ready."""

    MOST_S = 120.0  # 10 s to look at the data disk, 30 to make the folder
    wanted_new: bool = False  # the plan saw no database here: PostgreSQL's image makes one
    forget: bool = False  # the operator has named the cluster: the database that was here is given up
    uid: Optional[int] = None  # whom its container runs as; None: as on a new host


@dataclass(frozen=True)
class Up(Step):
    """Bring services to what the current generation says; none named: all of them."""

    MOST_S = 660.0  # compose, twice, 240 s each; the engine is asked what was recreated
    services: "list[str]"
    remove_orphans: bool = False
    recreate: "list[str]" = field(default_factory=list)  # whatever compose thinks


@dataclass(frozen=True)
class BeforeOurs(Step):
    """Bring back what ran before generation 1."""

    MOST_S = 900.0  # services stop, each in the time that it is granted


@dataclass(frozen=True)
class PostgresReady(Step):
    """Wait for the database on this host."""

    MOST_S = 270.0  # recovery, on a slow disk; files that are reloaded, 30 s
    host: str
    port: int
    deadline_s: float = 60.0


@dataclass(frozen=True)
class Sql(Step):
    """Run the payload's statements, one a line."""

    MOST_S = 300.0  # each once more, 6 s for its lock
    database: str = ITS_DATABASE
    deadline_s: float = 60.0
    spares_locks: bool = False  # what somebody else's lock is in the way of is left, and said


@dataclass(frozen=True)
class LocalLogin(Step):
    """Ask whether the local login of ours is let in."""

    MOST_S = 150.0  # the server reads its files again; one login by the socket


@dataclass(frozen=True)
class Schema(Step):
    """Run the job that brings Temporal's tables to its version."""

    MOST_S = 420.0  # a beginning that was cut off is taken away first
    deadline_s: float

    @property
    def longest_s(self) -> float:
        return self.MOST_S + 2 * self.deadline_s  # a job of an earlier run may have to end first


@dataclass(frozen=True)
class PrepareBackups(Step):
    """Make the repositories ready for this database, and see a segment of its log arrive."""

    MOST_S = 300.0
    repositories: "list[int]"


@dataclass(frozen=True)
class DatabaseAnswers(Step):
    """Ask the database's port, from a host that needs it."""

    MOST_S = 60.0
    host: str
    port: int
    deadline_s: float = 60.0


@dataclass(frozen=True)
class Login(Step):
    """Log in to the database over the network, with the password on this host."""

    MOST_S = 60.0  # one login, 10 s
    host: str
    port: int
    database: str
    role: str
    acts_as: str  # the role that owns what the login makes
    file: str  # the password, in the secrets folder


@dataclass(frozen=True)
class Serving(Step):
    """Wait until roles say SERVING."""

    MOST_S = 180.0  # roles that start; their logs
    host: str
    ports: "dict[str, int]"  # role -> gRPC port
    deadline_s: float = 120.0


@dataclass(frozen=True)
class Membership(Step):
    """Wait until the cluster's members are those of the inventory."""

    MOST_S = 150.0
    expected: "list[str]"  # "history 10.0.0.12:6934"
    deadline_s: float = 90.0
    may_lack: "list[str]" = field(default_factory=list)  # of those: they may be missing


@dataclass(frozen=True)
class Ring(Step):
    """Wait until Temporal's ring, as a frontend here sees it, has the inventory's servers."""

    MOST_S = 60.0
    expected: "list[str]"  # "history 10.0.0.12:7234"
    may_lack: "list[str]"  # of those: they may be missing
    host: str  # internal address
    port: int
    deadline_s: float = 60.0


@dataclass(frozen=True)
class EndSessions(Step):
    """End what hosts at these addresses have open in the database."""

    MOST_S = 60.0  # one query
    addresses: "list[str]"


@dataclass(frozen=True)
class MembersGone(Step):
    """Let the rows of servers that ended just now grow old."""

    MOST_S = 150.0  # one statement, 60 s


@dataclass(frozen=True)
class Namespaces(Step):
    """Create what is missing and set a differing retention."""

    MOST_S = 600.0  # jobs of 180 s each; one of an earlier run may have to end first
    hours: "dict[str, int]"  # name -> retention
    deadline_s: float = 90.0


@dataclass(frozen=True)
class Healthy(Step):
    """Ask everything that should run, and note that it is well."""

    MOST_S = 600.0  # the database, its roles and the UI, 120 s each
    run: str


@dataclass(frozen=True)
class Still(Step):
    """Watch for as long as the soak: nothing may end."""

    MOST_S = 420.0  # containers are watched, then their health is asked again
    run: str
    soak_s: float = 0.0


@dataclass(frozen=True)
class Confirm(Step):
    """Keep the change."""

    MOST_S = 600.0  # as `still`; then what is past is taken away
    run: str
    why: str
    soak_s: float = 0.0


@dataclass(frozen=True)
class Rollback(Step):
    """Put the host back."""

    MOST_S = UNDO_S
    run: str
    why: str
