"""What a manifest of format 1 does not say of its generation, and where else that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, Optional

from tempo_infra.on_host.health import SERVICES, Grpc, Health, Http, Postgres
from tempo_infra.on_host.kernel_files import FOLDERS, values_in

if TYPE_CHECKING:
    from pathlib import Path

# The versions that wrote it asked there, and nowhere else; the address was not the manifest's.
PORTS = {"frontend": 7233, "history": 7234, "matching": 7235, "worker": 7239}
QUESTIONS: "Mapping[str, Health]" = {
    "postgresql": Postgres("", 5432),
    "ui": Http("", 8080),  # published at one address or another: its container says
    **{name: Grpc("", port, SERVICES[name]) for name, port in PORTS.items()},
}


def health(service: str, *, job: bool) -> Optional[Health]:
    """Return how a service was asked; its host is empty: the manifest does not say it."""
    return None if job else QUESTIONS.get(service)


def kernel(generation: Path) -> "dict[str, str]":
    """Return the kernel values of a generation, from its files."""
    files = (path for folder in FOLDERS for path in sorted((generation / folder).glob("*")))
    return values_in(path.read_text(errors="replace") for path in files if path.is_file())
