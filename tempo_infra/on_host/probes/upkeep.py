"""How the system keeps itself up to date, and what that may do to a running cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, output_of, read_file

APPARMOR = "/sys/module/apparmor/parameters/enabled"
PARSERS = ("/sbin/apparmor_parser", "/usr/sbin/apparmor_parser")
NEEDRESTART = Path("/etc/needrestart")
APT = Path("/etc/apt/apt.conf.d")
MAX_NAMES = 20
# In needrestart's configuration, which is Perl: how it restarts, and that docker is left alone.
_RESTART = re.compile(r"^\s*\$nrconf\{restart\}\s*=\s*['\"](\w)['\"]", re.MULTILINE)
_SPARES_DOCKER = re.compile(r"^\s*[^#\n]*\bdocker\b[^#\n]*=>?\s*0", re.MULTILINE)
_APT_TRUE = r'^\s*{}\s+"(?:true|1|yes)"\s*;'


@dataclass(frozen=True, slots=True)
class Apparmor:
    enabled: bool  # by the kernel
    parser: bool  # the program that loads profiles is installed


@dataclass(frozen=True, slots=True)
class Restarts:
    """What may restart things unasked."""

    unattended: bool  # security updates are installed by themselves
    reboots: bool  # and the host is rebooted after them
    needrestart: str  # "" when not installed; "a" automatic, "i" interactive, "l" only lists
    spares_docker: bool


@dataclass(frozen=True, slots=True)
class Upkeep:
    apparmor: Reading[Apparmor]
    reboot_wanted_by: Reading[tuple[str, ...]]  # packages; ("unknown",) when none is named
    restarts: Reading[Restarts]
    failed_units: Reading[tuple[str, ...]]


def parse_restarts(apt: str, needrestart: "str | None") -> Restarts:
    """Judge from the texts of the configuration files; the last setting of a name wins."""
    modes = _RESTART.findall(needrestart or "")
    return Restarts(
        unattended=_apt(apt, "APT::Periodic::Unattended-Upgrade"),
        reboots=_apt(apt, "Unattended-Upgrade::Automatic-Reboot"),
        needrestart="" if needrestart is None else (modes[-1] if modes else "i"),
        spares_docker=bool(_SPARES_DOCKER.search(needrestart or "")),
    )


def _apt(text: str, name: str) -> bool:
    return bool(re.search(_APT_TRUE.format(re.escape(name)), text, re.MULTILINE))


def parse_units(text: str) -> "tuple[str, ...]":
    """Parse `systemctl list-units --plain --no-legend`: the first word of each line."""
    return tuple(line.split()[0] for line in text.splitlines() if line.strip())[:MAX_NAMES]


def _apparmor() -> Apparmor:
    try:
        enabled = read_file(APPARMOR).strip() == "Y"
    except FileNotFoundError:
        enabled = False
    return Apparmor(enabled, any(Path(path).exists() for path in PARSERS))


def _reboot_wanted_by() -> "tuple[str, ...]":
    if not Path("/run/reboot-required").exists():
        return ()
    try:
        names = read_file("/run/reboot-required.pkgs").split()
    except FileNotFoundError:
        names = []
    return tuple(dict.fromkeys(names))[:MAX_NAMES] or ("unknown",)


def _texts(folder: Path, pattern: str) -> str:
    return "\n".join(read_file(str(path)) for path in sorted(folder.glob(pattern)) if path.is_file())


def _restarts() -> Restarts:
    if not APT.is_dir():
        raise Unread("no apt on this host", not_wanted=True)
    needrestart = None
    if (NEEDRESTART / "needrestart.conf").is_file():
        needrestart = _texts(NEEDRESTART, "needrestart.conf") + "\n" + _texts(NEEDRESTART, "conf.d/*.conf")
    return parse_restarts(_texts(APT, "*"), needrestart)


def _failed_units() -> "tuple[str, ...]":
    if not Path("/run/systemd/system").is_dir():
        raise Unread("systemd doesn't manage this host", not_wanted=True)
    words = ("systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager")
    return parse_units(output_of(*words, deadline_s=5))


def read() -> Upkeep:
    return Upkeep(
        apparmor=attempt(_apparmor),
        reboot_wanted_by=attempt(_reboot_wanted_by),
        restarts=attempt(_restarts),
        failed_units=attempt(_failed_units),
    )
