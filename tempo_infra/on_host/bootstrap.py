"""Installing the distribution's own Docker where there is no engine; one that is there is kept, or refused.

On a machine that was just rented others install, too: cloud-init, unattended upgrades. They are waited for.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Callable

from tempo_infra.on_host import remedies, which_engine
from tempo_infra.on_host.shell import StepError, must, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

# Distributions whose own packages hold engine >= 24 and compose >= 2.20.
PACKAGES = {
    "debian-13": ["docker.io", "docker-cli", "docker-compose"],
    "ubuntu-22.04": ["docker.io", "docker-compose-v2"],
    "ubuntu-24.04": ["docker.io", "docker-compose-v2"],
}
ASK_S = 45.0
INSTALL_DEADLINE_S = 600.0
WAIT_S = 600.0  # for others that install: cloud-init, and whoever holds a lock of apt's or dpkg's
PAUSE_S, SAY_EVERY_S = 2.0, 30.0
# apt's own wait is for dpkg's lock alone, and says nothing; so it is asked again, for each of its locks.
HELD = ("Could not get lock", "Unable to lock", "Unable to acquire the dpkg", "is another process using it")
TAKES_NOTHING_AWAY = "--no-remove"  # docker.io would take podman-docker or containerd.io away
BY_HAND = "nothing was switched; install an engine by hand, then run this again: it will be kept as it is"
REFUSED = "remove is disabled"  # what apt says then


def os_id(release: str) -> str:
    """Return "debian-13" for the text of /etc/os-release."""
    fields = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    return f"{fields.get('ID', 'unknown')}-{fields.get('VERSION_ID', '')}".replace('"', "")


def install_docker(layout: Layout, say: "Callable[[str], None]") -> "dict[str, list[str]]":
    """Install engine and compose when there is no engine.

    `say` hears whom it waits for. StepError where the packages are too old, where an engine is that ours
    can't use, or when others are not done in WAIT_S.
    """
    until = time.monotonic() + WAIT_S
    _wait_for_cloud_init(layout.root, until, say)  # it may be about to install an engine
    found = which_engine.find(deadline_s=ASK_S, root=layout.root)
    if found.unfit:
        raise StepError(found.unfit[0].what, remedy=found.unfit[0].remedy)
    if not found.absent:
        return {"installed": []}
    name = os_id((layout.root / "etc/os-release").read_text())
    if name not in PACKAGES:
        raise StepError(
            f"{name}: its own packages hold no Docker engine >= 24 with compose >= 2.20",
            remedy="install docker-ce with its compose plugin, then run this again; it will be kept as it is",
        )
    _apt(["update", "-q"], until, say)
    _apt(["install", "-qy", "--no-install-recommends", TAKES_NOTHING_AWAY, *PACKAGES[name]], until, say)
    must(["systemctl", "enable", "--now", "docker.service"], deadline_s=60)
    return {"installed": PACKAGES[name]}


def _wait_for_cloud_init(root: Path, until: float, say: "Callable[[str], None]") -> None:
    """Wait until it has written its result; one that has failed writes none."""
    failed = ["systemctl", "is-failed", "--quiet", "cloud-final.service"]
    folder = root / "run/cloud-init"
    waiting = _Waiting("cloud-init, which sets this machine up", until, say)
    while (folder / "status.json").exists() and not (folder / "result.json").exists():
        if run(failed, deadline_s=ASK_S).returncode == 0:
            return
        waiting.once_more()


def _apt(words: "Sequence[str]", until: float, say: "Callable[[str], None]") -> None:
    """Run apt-get, again and again while somebody else has a lock that it wants."""
    waiting = _Waiting("whoever installs packages here", until, say)
    while True:
        output = run(["apt-get", *words], deadline_s=INSTALL_DEADLINE_S)
        if output.returncode == 0:
            return
        if REFUSED in output.err:
            raise StepError(
                f"the distribution's Docker would take packages of this host away: {_taken(output.out)}",
                remedy="nothing was installed; take them away by hand if nothing needs them",
            )
        if not any(text in output.err for text in HELD):
            raise StepError(
                f"`apt-get {words[0]}`: {output.last_words}",
                remedy=remedies.remedy(remedies.APT, output.err, BY_HAND),
            )
        waiting.once_more(_holder(output.err))


def _taken(out: str) -> str:
    found = re.search(r"will be REMOVED:\n((?:  .*\n)+)", out)
    return ", ".join(found[1].split()) if found else "apt-get says which"


def _holder(err: str) -> str:
    """Return who has the lock, in apt's words: "It is held by process 4711 (unattended-upgr)"."""
    held = [line for line in err.splitlines() if "held by process" in line]
    return held[0].rpartition("held by ")[2].strip() if held else ""


class _Waiting:
    """Waiting for others with an end, and saying so at first and now and then."""

    def __init__(self, whom: str, until: float, say: "Callable[[str], None]") -> None:
        self._whom, self._until, self._say = whom, until, say
        self._said = float("-inf")

    def once_more(self, whom: str = "") -> None:
        now, whom = time.monotonic(), whom or self._whom
        if now > self._until:
            raise StepError(
                f"waited {WAIT_S:g} s for {whom}",
                remedy="see what it does (ps, journalctl -b), and run this again when it is done",
            )
        if now - self._said > SAY_EVERY_S:
            self._say(f"waits for {whom}, {self._until - now:.0f} s at most")
            self._said = now
        time.sleep(PAUSE_S)
