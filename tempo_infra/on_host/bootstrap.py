"""Installing the distribution's own Docker where that suffices; an engine that is there is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

from tempo_infra.on_host.shell import StepError, must

# Distributions whose own packages hold engine >= 24 and compose >= 2.20.
PACKAGES = {
    "debian-13": ["docker.io", "docker-cli", "docker-compose"],
    "ubuntu-22.04": ["docker.io", "docker-compose-v2"],
    "ubuntu-24.04": ["docker.io", "docker-compose-v2"],
}
INSTALL_DEADLINE_S = 600.0


def os_id(release: str) -> str:
    """Return "debian-13" for the text of /etc/os-release."""
    fields = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    return f"{fields.get('ID', 'unknown')}-{fields.get('VERSION_ID', '')}".replace('"', "")


def install_docker() -> dict[str, list[str]]:
    """Install engine and compose when there is no engine; StepError where the packages are too old."""
    if shutil.which("dockerd", path="/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin"):
        return {"installed": []}
    found = os_id(Path("/etc/os-release").read_text())
    if found not in PACKAGES:
        raise StepError(
            f"{found}: its own packages hold no Docker engine >= 24 with compose >= 2.20",
            remedy="install docker-ce with its compose plugin, then run this again; it will be kept as it is",
        )
    must(["apt-get", "update", "-q"], deadline_s=INSTALL_DEADLINE_S)
    words = ["apt-get", "install", "-qy", "--no-install-recommends", *PACKAGES[found]]
    must(words, deadline_s=INSTALL_DEADLINE_S)
    must(["systemctl", "enable", "--now", "docker.service"], deadline_s=60)
    return {"installed": PACKAGES[found]}
