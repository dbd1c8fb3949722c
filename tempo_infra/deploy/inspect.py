"""Reading hosts: what they are like now, in one command each."""

from __future__ import annotations

import hmac
import secrets as randomness
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from tempo_infra import components
from tempo_infra.components.component import DB_PASSWORD
from tempo_infra.deploy.network import subnets
from tempo_infra.deploy.preconditions import bindings
from tempo_infra.deploy.responses import nonsense, read
from tempo_infra.inventory.logins import Login
from tempo_infra.inventory.subnets import CANDIDATES
from tempo_infra.on_host.state import HostState
from tempo_infra.on_host.steps.reading import State
from tempo_infra.on_host.users import known
from tempo_infra.secrets import Found

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tempo_infra.deploy.session import Session
    from tempo_infra.on_host.steps.step import Step
    from tempo_infra.render.bundle import Bundle
    from tempo_infra.secrets import Secrets

COMPOSE = "docker-compose.yml"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host has a secret, in its folder of secrets: `reader`/`file`."""

    secret: str  # its name in the secrets file
    reader: str  # the folder that containers mount
    file: str
    user: str  # whose the folder is: a field of Users

    def __str__(self) -> str:
        return f"{self.reader}/{self.file}"


def places(names: Iterable[str]) -> tuple[Place, ...]:
    """Return where a host that carries these components has secrets.

    Every host has a login's password: for Temporal's services, or for the schema job beside the database.
    """
    carried = [components.of(name) for name in names]
    own = (Place(secret, one.name, secret, one.user) for one in carried for secret in one.own_secrets)
    return (*(Place(login.secret, login.reader, DB_PASSWORD, "temporal") for login in Login), *own)


def files_for(bundle: Bundle, secrets: Secrets) -> dict[str, dict[str, str]]:
    """Return reader -> file -> value, to be sent to hosts and nowhere else."""
    found: dict[str, dict[str, str]] = {}
    for one in places(bundle.instances):
        if one.secret in secrets:
            found.setdefault(one.reader, {})[one.file] = secrets[one.secret].value
    return found


def secret_owners(bundle: Bundle) -> dict[str, int]:
    """Return whom a host's folders of secrets belong to, by their names."""
    return {one.reader: getattr(bundle.users, one.user) for one in places(bundle.instances)}


@dataclass(frozen=True, slots=True)
class Supply:
    """The secrets of a run."""

    secrets: Secrets  # that hosts get
    found: Found = field(default_factory=Found)  # the whole file that they come from
    missing: tuple[str, ...] = ()  # those that are generated when the run begins


@dataclass(frozen=True, slots=True)
class Digests:
    """What a host's files of secrets should be, by reader/file, under a key that is thrown away."""

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
    key = randomness.token_bytes(32)

    def digests(secrets: Secrets) -> dict[str, str]:
        return {
            f"{reader}/{file}": hmac.new(key, value.encode(), "sha256").hexdigest()
            for reader, files in files_for(bundle, secrets).items()
            for file, value in files.items()
        }

    here = places(bundle.instances)
    missing = {str(one): "" for one in here if one.secret in supply.missing}
    wanted = Digests(digests(supply.secrets) | missing, digests({**supply.found.secrets, **supply.secrets}))
    question = State(
        wanted={file.path: file.sha256 for file in bundle.files},
        images=list(bundle.images),
        secret_names=sorted(map(str, here)),
        secret_key=key.hex(),
        secret_uids=secret_owners(bundle),
        secrets_needed=sorted(name for name in wanted.wanted if name not in missing),
        bindings=sorted(bindings(bundle)),
        subnets=sorted({*subnets(bundle), *CANDIDATES}),
        compose=bundle.file(COMPOSE).content.decode(),
        host=internal,
        contents=bundle.manifest.contents,
    )
    *_, answer = session.call([*first, question])
    state = read(_adapter(), answer, session.host, "state")
    if not known(state.users):
        raise nonsense(session.host, "state, users")
    return state, wanted
