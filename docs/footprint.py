"""Everything that the tool may touch on a host, from the code: a page, and what a test compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.components import COMPONENTS
from tempo_infra.components.component import Reach
from tempo_infra.inventory.cluster import Role
from tempo_infra.inventory.subnets import CANDIDATES
from tempo_infra.on_host.armed import AFTER_UNIT, BOOT_UNIT, WANTS
from tempo_infra.on_host.layout import PROJECT, Layout
from tempo_infra.render import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing import Settings


@dataclass(frozen=True, slots=True)
class Place:
    """A path with everything below it. `lasts` is false where it is gone once a change is confirmed."""

    path: str
    what: str
    lasts: bool = True
    database_only: bool = False


STAYS = (str(Layout().data / "postgres"), str(Layout().state / "taken-over"))


OF_DATABASE = (files.THP, *files.BACKUP)


def places() -> tuple[Place, ...]:
    layout = Layout()
    return (
        Place(str(layout.generations), "everything rendered for this host, a folder a generation"),
        Place(str(layout.services), "the files of each service, mounted by its container"),
        Place(str(layout.current), "a link to the generation in use"),
        Place(str(layout.secrets), "secrets, a folder a reader and by their content, 0700"),
        Place(str(layout.origin), "a digest: from which secrets file the next one must follow"),
        Place(str(layout.journal), "what was done to this host, by whom"),
        Place(str(layout.pin), "which database lives here", database_only=True),
        Place(str(layout.initdb), "what the image needs to make a new database, or not", database_only=True),
        Place(str(layout.pgdata), "a link to its data, which its container mounts", database_only=True),
        Place(str(layout.kernel_before), "kernel values of before the first provision"),
        Place(str(layout.compose_version), "which compose is here, until its files change"),
        Place(str(layout.lock), "a flock of the run that is at work"),
        Place(f"{layout.arriving}/*.tar", "images on their way here, until they are loaded", lasts=False),
        Place(f"{layout.runs}/<run>/before", "what the last change could overwrite", lasts=False),
        Place(
            f"{layout.runs}/*.json",
            "the cluster as each of the last runs left it: hosts, addresses, roles, generations",
        ),
        Place(str(layout.armed), "the change that is not confirmed yet", lasts=False),
        Place(str(layout.state / "reserve"), "space set aside for going back", lasts=False),
        Place(str(layout.state / "program-*.zip"), "what runs here, so that it need not be sent each time"),
        Place(str(layout.state / "taken-over"), "copies of other people's files that were written over"),
        Place(str(layout.data / "postgres"), "PostgreSQL's data; never taken away", database_only=True),
        *(Place(f"/{spec.path}", _what(spec), database_only=spec in OF_DATABASE) for spec in _owned()),
        *(
            Place(f"/etc/systemd/system/{unit}", "puts an unconfirmed change back after a boot", lasts=False)
            for unit in (BOOT_UNIT, AFTER_UNIT)
        ),
        *(
            Place(f"/{WANTS}/{unit}", "the link that starts it", lasts=False)
            for unit in (BOOT_UNIT, AFTER_UNIT)
        ),
        Place("/run/tempo-infra-<run>", "signs of life of a run, in memory", lasts=False),
    )


def _owned() -> tuple[files.Spec, ...]:
    return (files.LIMITS, files.SYSCTL, files.THP, files.UNIT, files.WANTS, *files.BACKUP)


def _what(spec: files.Spec) -> str:
    return {
        files.LIMITS.path: "open files for logins (containers have their own limits)",
        files.SYSCTL.path: "the kernel settings of the host's class, each with its reason",
        files.THP.path: "transparent huge pages",
        files.UNIT.path: "after a boot: starts what Docker could not, once the internal address is up",
        files.WANTS.path: "pulls that unit in",
        files.BACKUP_UNIT.path: "takes a backup; only with `backup` in the inventory",
        files.BACKUP_TIMER.path: "starts it each day; likewise",
        files.BACKUP_WANTS.path: "pulls that timer in; likewise",
    }[spec.path]


def page(clusters: Sequence[tuple[Cluster, Settings]]) -> str:
    """Return docs/reference/footprint.md."""
    return "\n".join(_lines(clusters)) + "\n"


def _lines(clusters: Sequence[tuple[Cluster, Settings]]) -> Iterator[str]:
    yield from (
        "# Footprint: every path, kernel setting and unit",
        "",
        "What the tool may touch on a host, and nothing beyond it. `tests/lab/test_footprint.py` compares",
        "this list with what a provision really changed on a fresh host. What is not here belongs to others.",
        "",
        "## Files",
        "",
        "| path | what | until |",
        "|---|---|---|",
    )
    for place in places():
        until = "`remove`" if place.lasts else "the change is confirmed"
        until = "a person takes it away" if place.path in STAYS else until
        yield f"| `{place.path}` | {place.what}{_only(place)} | {until} |"
    yield from (
        "",
        "`eject` leaves in the state folder `docker-compose.yml`, `README.md`, `services/` and `secrets/`.",
    )
    yield from _kernel(clusters)
    yield from _units()
    yield from _docker()


def _only(place: Place) -> str:
    return "; on the database host" if place.database_only else ""


def _kernel(clusters: Sequence[tuple[Cluster, Settings]]) -> Iterator[str]:
    yield from ("", "## Kernel settings", "", "| setting | on hosts with |", "|---|---|")
    roles: dict[str, set[str]] = {}
    for cluster, settings in clusters:
        for host in cluster.hosts:
            kind = "PostgreSQL" if host.has(Role.POSTGRESQL) else "Temporal"
            sized = settings.host(host.name)
            names = [setting.name for setting in sized.sysctl]
            names += [sized.thp.name] if sized.thp else []
            for name in names:
                roles.setdefault(name, set()).add(kind)
    yield from (f"| `{name}` | {' or '.join(sorted(kinds, reverse=True))} |" for name, kinds in roles.items())
    yield from ("", "`overrides.sysctl` of the inventory adds the names that stand there.")


def _units() -> Iterator[str]:
    yield from ("", "## Units of systemd", "", "| unit | when |", "|---|---|")
    yield f"| `{files.UNIT.path.rpartition('/')[2]}` | at each boot; it ends when the services run |"
    timer, service = (one.path.rpartition("/")[2] for one in (files.BACKUP_TIMER, files.BACKUP_UNIT))
    yield f"| `{timer}`, `{service}` | each day, with `backup` in the inventory, on the database host |"
    yield f"| `{BOOT_UNIT}`, `{AFTER_UNIT}` | installed while a change is not confirmed |"
    yield "| `tempo-infra-deadline-<run>.timer` and `.service` | the same, transient |"
    yield "| `tempo-infra-run-<run>.scope` | while a run is at work, transient |"
    yield from (
        "",
        "Beside that no unit of the tool runs between a boot and the next command; it enables, disables and",
        "restarts no other one.",
    )


def _docker() -> Iterator[str]:
    published = (port for one in COMPONENTS for port in one.ports if port.reach is not Reach.OWN_HOST)
    ports = sorted(port.number for port in published)
    yield from (
        "",
        "## Docker",
        "",
        f"The compose project `{PROJECT}`: its containers, and its network `{PROJECT}_default` on `subnet`",
        f"of the inventory, else the first of {', '.join(CANDIDATES)} that holds",
        "no internal address; refused where a route, an address or another network has it. Images are pulled",
        "and never deleted. Ports are published on the internal address, the UI's on 127.0.0.1: those of the",
        f"host's roles, of {', '.join(map(str, ports))}",
        f"({components.port('frontend', 'http')} only with `temporal.http_api`).",
        "",
        "No `daemon.json` is written, no engine restarted, no engine replaced. `--bootstrap` installs the",
        "distribution's own Docker packages where there is no engine, by `apt-get`.",
    )
