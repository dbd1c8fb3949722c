"""Reading what `ssh` says of itself (LogLevel DEBUG1): how far it came, and why it went no further."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from tempo_infra import sanitize
from tempo_infra.ssh.known_hosts import host_id

LONGEST_WORDS = 300
NOISE = re.compile(
    r"debug\d: |OpenSSH_|Authenticated to |Transferred: |Bytes per second: |Killed by signal"
    r"|\s|@{5,}|@ .* @$|Pseudo-terminal|Warning: Permanently added"
)


class Stage(StrEnum):
    CONNECT = "connect"
    KEY_EXCHANGE = "key exchange"
    LOGIN = "login"
    IN = "in"


@dataclass(frozen=True, slots=True)
class OfferedKey:
    """A host key as the log tells of it."""

    host: str  # "127.0.0.1" or "[127.0.0.1]:2222": the name that known_hosts is searched for
    fingerprint: str  # "ed25519 SHA256:…"


@dataclass(frozen=True, slots=True)
class Log:
    """Everything that one ssh wrote so far."""

    text: str

    @property
    def stage(self) -> Stage:
        if self._has(r"Authenticated to "):
            return Stage.IN
        if self._has(r"debug1: SSH2_MSG_NEWKEYS received"):
            return Stage.LOGIN
        if self._has(r"debug1: (Connection established|Local version string|Executing proxy command)"):
            return Stage.KEY_EXCHANGE
        return Stage.CONNECT

    @property
    def exit_status(self) -> int | None:
        """The program's own exit code: ssh says 255 for its failures, too."""
        found = re.findall(r"^debug1: Exit status (-?\d+)\r?$", self.text, re.MULTILINE)
        return int(found[-1]) if found else None

    @property
    def words(self) -> str:
        """What ssh says to a person, as one safe line."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip() and not NOISE.match(line)]
        return sanitize.cut(sanitize.one_line("; ".join(lines[-2:])), LONGEST_WORDS)

    @property
    def host_key_refused(self) -> bool:
        return self._has(r"Host key verification failed\.")

    @property
    def offered_key(self) -> OfferedKey | None:
        """The last host key that was looked at; with jump hosts, that of the hop that was refused."""
        shown = r"^debug1: Server host (?:key|certificate): (\S+) (SHA256:[A-Za-z0-9+/]+)"
        keys = re.findall(shown, self.text, re.MULTILINE)
        places = re.findall(r"^debug1: Authenticating to (\S+):(\d+) as ", self.text, re.MULTILINE)
        aliases = re.findall(r"^debug1: using hostkeyalias: (\S+)", self.text, re.MULTILINE)
        if not keys or not places:
            return None
        name = aliases[-1] if aliases else host_id(places[-1][0], int(places[-1][1]))
        kind, digest = keys[-1]
        kind = kind.removesuffix("-cert-v01@openssh.com").removeprefix("ssh-")
        return OfferedKey(name, f"{kind} {digest}")

    @property
    def login_refused(self) -> bool:
        return self._has(r"\S+: Permission denied \(|Received disconnect from .*: Too many authentication")

    @property
    def keys_offered(self) -> list[str]:
        """Fingerprints, in the order in which they were tried."""
        offers = re.findall(r"^debug1: Offering public key: .* (SHA256:\S+)", self.text, re.MULTILINE)
        return list(dict.fromkeys(offers))

    @property
    def hung_up(self) -> bool:
        """Whether the host closed the connection before it said who it is."""
        return not self._has(r"debug1: Remote protocol version") and self._has(
            r"kex_exchange_identification: |Connection (closed|reset) by "
        )

    @property
    def refused(self) -> bool:
        return self._has(r"ssh: connect to host .*: Connection refused")

    @property
    def through_a_proxy(self) -> bool:
        return self._has(r"debug1: Executing proxy command")

    @property
    def peer(self) -> str | None:
        """The IP address that was logged in at; None before, and through a proxy."""
        found = re.search(r"^Authenticated to \S+ \(\[([^]]+)\]:\d+\)", self.text, re.MULTILINE)
        return found[1] if found else None

    @property
    def way_open(self) -> bool:
        """Whether the host has connected to the place that `-W` names; said from DEBUG2 on."""
        return self._has(r"debug2: channel \d+: open confirm")

    @property
    def methods(self) -> list[str]:
        """Ways to log in that the host takes, as it said last."""
        found = re.findall(r"^debug1: Authentications that can continue: (\S+)", self.text, re.MULTILINE)
        return str(found[-1]).split(",") if found else []

    @property
    def key_taken(self) -> bool:
        """Whether a key was taken, and more is wanted."""
        return self._has(r'(debug1: )?Authenticated using "publickey" with partial success')

    @property
    def way_refused(self) -> bool:
        """Whether a jump host found no way on."""
        return self._has(r"channel \d+: open failed: ")

    def _has(self, pattern: str) -> bool:
        return re.search(rf"^(?:{pattern})", self.text, re.MULTILINE) is not None
