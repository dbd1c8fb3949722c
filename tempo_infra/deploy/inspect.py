"""Reading hosts: what they are like now, in one command each."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from tempo_infra.components.component import DB_PASSWORD
from tempo_infra.deploy.network import subnets
from tempo_infra.deploy.preconditions import bindings
from tempo_infra.deploy.responses import nonsense, read
from tempo_infra.inventory.logins import Login
from tempo_infra.inventory.subnets import CANDIDATES
from tempo_infra.on_host import users
from tempo_infra.on_host.material import digest
from tempo_infra.on_host.state import HostState
from tempo_infra.on_host.steps.reading import State
from tempo_infra.render import Known
from tempo_infra.secrets import Found
from tempo_infra.secrets.certificates import not_after

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.deploy.session import Session
    from tempo_infra.on_host.steps.step import Step
    from tempo_infra.render.bundle import Bundle
    from tempo_infra.secrets import Secrets

COMPOSE = "docker-compose.yml"


@dataclass(frozen=True, slots=True)
class Supply:
    """The secrets of a run."""

    secrets: Secrets  # that hosts get
    found: Found = field(default_factory=Found)  # the whole file that they come from
    missing: tuple[str, ...] = ()  # those that are generated when the run begins

    def digest(self, value: str) -> str:
        """Return the digest that hosts have of a value."""
        return digest(self.found.material_key, value.encode())

    @property
    def known(self) -> dict[str, Known]:
        """What bundles may know of the secrets."""
        return {
            name: Known(self.digest(one.value), not_after(one.value)) for name, one in self.secrets.items()
        }


@dataclass(frozen=True, slots=True)
class Digests:
    """What a host's files of secrets should be, by path, and those of logins that it may have."""

    wanted: Mapping[str, str]  # empty text: that one is generated when the run begins
    known: Mapping[str, str]  # of every login in the secrets file


def place_of(login: Login) -> str:
    """Return where a host has the password of that login, in its folder of secrets."""
    return f"{login.reader}/{DB_PASSWORD}"


@cache
def _adapter() -> TypeAdapter[HostState]:
    return TypeAdapter(HostState)


def prepare() -> None:
    """Make ready what reads answers: here it is made once, and while hosts are still being reached."""
    _adapter()


def read_state(
    session: Session, bundle: Bundle, supply: Supply, internal: str, first: Sequence[Step] = ()
) -> tuple[HostState, Digests]:
    """Ask a host for its state, after other steps in the same request; also its secrets' digests to be."""
    wanted = {one.live(path): one.digest for path, one in bundle.material.items()}
    secrets = {**supply.found.secrets, **supply.secrets}
    logins = {place_of(login): login.secret for login in Login}
    known = {place: supply.digest(secrets[name].value) for place, name in logins.items() if name in secrets}
    question = State(
        wanted={file.path: file.sha256 for file in bundle.files},
        images=list(bundle.images),
        material=sorted({*wanted, *bundle.material, *logins}),
        key=supply.found.material_key.hex(),
        bindings=sorted(bindings(bundle)),
        subnets=sorted({*subnets(bundle), *CANDIDATES}),
        compose=bundle.file(COMPOSE).content.decode(),
        host=internal,
        contents=bundle.manifest.contents,
    )
    *_, answer = session.call([*first, question])
    state = read(_adapter(), answer, session.host, "state")
    if not users.known(state.users):
        raise nonsense(session.host, "state, users")
    return state, Digests({**{path: one.digest for path, one in bundle.material.items()}, **wanted}, known)
