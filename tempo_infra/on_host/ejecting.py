"""Leaving a host to a person: its services go on from a plain compose file, and the tool forgets it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import manifest, mounts
from tempo_infra.on_host.cluster_name import refuse_another
from tempo_infra.on_host.durable import replace_file
from tempo_infra.on_host.journal import confirmed
from tempo_infra.on_host.leaving import KEPT_ASIDE, refuse_open_run
from tempo_infra.on_host.shell import StepError, run

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import upkeep

UNIT = "etc/systemd/system/tempo-infra.service"
MANAGED = "# Managed by tempo-infra"
YOURS = "# Left by `tempo-infra eject`; yours from here on.\n"

README = """# The services of this host, without tempo-infra

`tempo-infra eject` left them running as they were. Nothing here needs the tool any more.

    cd {state}
    docker compose ps
    docker compose logs -f --tail 50 {service}
    docker compose up -d                 # starts what is down, applies a changed docker-compose.yml
    docker compose down                  # stops and removes containers; no data is in them

| what | where |
|---|---|
| services, memory, ports, images | `{state}/docker-compose.yml` |
| configuration of each service | `{state}/services/<service>-<digest>/`, mounted at `/etc/tempo-infra` |
| passwords | `{state}/secrets/<reader>/`, owned by the user that the containers run as |
| PostgreSQL's data | where `{state}/pgdata` leads, on the database host; no command above touches it |
| after a boot | `/{unit}` starts what Docker could not, once {address} is up |
| kernel and login settings | {owned} |

Services on this host: {services}.

- **Change a setting**: edit the file under `services/`, then `docker compose up -d --force-recreate
  <service>` (compose does not see that a mounted file changed). The first line of those files still
  speaks of tempo-infra.
- **Tools**: `docker compose run --rm admin-tools temporal operator cluster health` (on a host with
  a frontend); on the database host `docker compose exec postgresql psql -U temporal_local temporal`
  (as the superuser, `-U postgres`, look at nothing that another role may have put there).
- **Another server version**: back the database up, change the image of `schema` and run `docker
  compose run --rm schema` on the database host first; then the images of the services, history,
  matching and worker before frontend.
- **Another password**: two logins, `temporal_blue` and `temporal_green`, are members of the role
  `temporal`, which owns the databases. Set the password of the one that is not in use, write it
  into a folder of its own under `secrets/`, then change `user:` in every `server.yaml` and the
  folder in `docker-compose.yml`.
- **Back to tempo-infra**: `tempo-infra provision --take-over` with the inventory takes the host
  over as it is.
"""


@dataclass(frozen=True)
class Ejected:
    compose_file: str
    services: "list[str]" = field(default_factory=list)


def eject(layout: Layout, args: upkeep.Eject) -> Ejected:
    """Leave a compose file and a README; take away what only the tool needs. Nothing is restarted."""
    refuse_another(layout, args.cluster)
    refuse_open_run(layout)
    plain = layout.plain_compose_file
    if not layout.current.is_symlink():
        if plain.is_file():  # it was before
            if layout.journal.exists() and confirmed(layout):  # and was cut off
                _forget(layout, _read_on(plain))
            return Ejected(str(plain))
        raise StepError("nothing is provisioned on this host", remedy="there is nothing to eject")
    if confirmed(layout) != layout.current.resolve().name:
        raise StepError(
            "the current generation is not confirmed", remedy="tempo-infra provision, then eject again"
        )
    shipped, text = manifest.current(layout), layout.compose_file.read_text()
    services = shipped.kept
    replace_file(plain, _yours(text).encode(), 0o644)
    sources = _read_on(plain)
    for ours in (layout.current, layout.generations):
        if mounts.holds(ours, sources):
            raise StepError(
                f"a service mounts something in {ours}, which goes away",
                remedy="mount folders of services/ in the compose template, provision, then eject again",
            )
    replace_file(layout.state / "README.md", _readme(layout, args, shipped, services).encode(), 0o644)
    _leave_unit(layout, plain)
    _forget(layout, sources)
    return Ejected(str(plain), services)


def _yours(text: str) -> str:
    """Let a file's first line say whose it is from here on."""
    return YOURS + text.partition("\n")[2] if text.startswith(MANAGED) else text


def _readme(layout: Layout, args: upkeep.Eject, shipped: manifest.Manifest, services: "list[str]") -> str:
    owned = [f"`/{path}`" for path in shipped.owned if "systemd" not in path]
    return README.format(
        state=layout.state,
        data=layout.data,
        service=services[0],
        services=", ".join(services),
        address=args.host,
        owned=", ".join(owned),
        unit=UNIT,
    )


def _leave_unit(layout: Layout, plain: Path) -> None:
    """Let the unit read the plain file; its text is the person's from here on."""
    unit = layout.root / UNIT
    if unit.is_file():
        text = _yours(unit.read_text()).replace(str(layout.compose_file), str(plain))
        replace_file(unit, text.encode(), 0o644)
        run(["systemctl", "daemon-reload"], deadline_s=60)


def _read_on(plain: Path) -> "set[str]":
    """Return what containers have mounted, and would have once they are recreated."""
    return mounts.mounted() | mounts.named_by(plain)


def _forget(layout: Layout, sources: "set[str]") -> None:
    """Take away generations, journal, and the folders that no service reads.

    A run that was cut off begins again while there is a `current`, and reads generations and journal; later
    it goes on here, for as long as the journal says that something was confirmed. The lock: see `remove`.
    """
    armed = guard.read(layout)
    if armed is not None:
        guard.disarm(layout, armed)
    for folder in (layout.services, layout.secrets):
        for child in folder.iterdir():
            if not mounts.holds(child, sources):
                shutil.rmtree(child)
    kept = {layout.services, layout.secrets, layout.plain_compose_file, layout.state / "README.md"}
    last = [layout.current, layout.generations, layout.journal, layout.lock]
    first = [child for child in layout.state.iterdir() if child not in last]
    for child in [*first, *(path for path in last if path.is_symlink() or path.exists())]:
        if child in kept or child.name == KEPT_ASIDE or mounts.holds(child, sources):
            continue
        shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
