"""Where the lab keeps things: outside the checkout, so that checkouts share state and caches."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LAB = Path(__file__).resolve().parent
CHECKOUT = LAB.parent
IMAGES = LAB / "images"


@dataclass(frozen=True)
class Home:
    """The lab's folder for state (keys, known_hosts, lab.json) and caches (binaries, Go modules)."""

    root: Path

    @classmethod
    def locate(cls) -> Home:
        """TEMPO_LAB_HOME, or `tempo-infra-lab` in the user's cache folder."""
        if chosen := os.environ.get("TEMPO_LAB_HOME"):
            return cls(Path(chosen).resolve())
        caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return cls(Path(caches) / "tempo-infra-lab")

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def key(self) -> Path:
        return self.root / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.root / "known_hosts"

    @property
    def ca(self) -> Path:
        return self.root / "ca.crt"

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def description(self) -> Path:
        return self.root / "lab.json"

    def host_input(self, name: str) -> Path:
        """The folder that host `name` gets read-only: its host key, who may log in, the registry's CA."""
        return self.root / "hosts" / name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from bringing the lab up or down at the same time, from whatever checkout."""
        self.create()
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def create(self) -> None:
        """Make the folder, and `.lab` in the checkout point at it."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.cache.mkdir(exist_ok=True)
        link = CHECKOUT / ".lab"
        if link.is_symlink() and link.readlink() != self.root:
            link.unlink()
        if not link.is_symlink() and not link.exists():
            link.symlink_to(self.root)
