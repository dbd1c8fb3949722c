"""Where things lie on the host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROJECT = "tempo-infra"  # the compose project
DOCKER_SOCKET = (
    "/var/run/docker.sock"  # of the system's engine, whatever a person's context or DOCKER_HOST say
)
ZERO = "0"  # the generation that was there before the first provision: files, and nothing of ours


@dataclass(frozen=True)
class Layout:
    """The tool's paths on a host; tests give another root."""

    root: Path = Path("/")

    @property
    def state(self) -> Path:
        return self.root / "var/lib/tempo-infra"

    @property
    def generations(self) -> Path:
        return self.state / "generations"

    @property
    def services(self) -> Path:
        return self.state / "services"

    @property
    def current(self) -> Path:
        return self.state / "current"

    @property
    def compose_file(self) -> Path:
        return self.current / "docker-compose.yml"

    @property
    def plain_compose_file(self) -> Path:
        """What `eject` leaves: a person's from then on."""
        return self.state / "docker-compose.yml"

    @property
    def zero(self) -> Path:
        return self.generations / ZERO

    @property
    def zero_compose_file(self) -> Path:
        """That of an ejected host which is provisioned again; usually there is none."""
        return self.zero / "docker-compose.yml"

    @property
    def journal(self) -> Path:
        return self.state / "journal.jsonl"

    @property
    def secrets(self) -> Path:
        return self.state / "secrets"

    @property
    def origin(self) -> Path:
        """Which secrets file was confirmed here."""
        return self.state / "secrets-origin.json"

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    @property
    def armed(self) -> Path:
        return self.state / "armed.json"

    @property
    def kernel_before(self) -> Path:
        return self.state / "kernel-before.json"

    @property
    def compose_version(self) -> Path:
        return self.state / "compose.json"

    @property
    def arriving(self) -> Path:
        """Archives of images that are on their way here."""
        return self.state / "arriving"

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    @property
    def pin(self) -> Path:
        return self.state / "database.json"

    @property
    def initdb(self) -> Path:
        """Mounted into the database's container: what the image needs to make a new database."""
        return self.state / "initdb"

    @property
    def data(self) -> Path:
        return self.root / "srv/tempo"

    @property
    def pgdata(self) -> Path:
        """A link to the database's folder, which its container mounts: without its disk it leads nowhere."""
        return self.state / "pgdata"

    def installed(self, owned: str) -> Path:
        """Where an owned file of the generation is installed: below /etc, or in a service's folder."""
        return (self.state if owned.startswith("services/") else self.root) / owned
