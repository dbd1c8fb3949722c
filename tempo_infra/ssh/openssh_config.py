"""The configuration that the system's `ssh` is run with: our policy first, then the operator's own files.

ssh takes the first value that it finds for an option, and hands the file on to its jump hosts: so the policy
holds for each hop, and everything else is the operator's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.ssh import algorithms
from tempo_infra.ssh.transport import CONNECT_S, KEEPALIVE_S

if TYPE_CHECKING:
    from tempo_infra.ssh.target import Target

POLICY = f"""\
# Host keys: the pinned ones and no others.
StrictHostKeyChecking yes
GlobalKnownHostsFile /dev/null
UpdateHostKeys no
VerifyHostKeyDNS no
NoHostAuthenticationForLocalhost no
CheckHostIP no
# Nobody is there to be asked, and every connection is a new one.
BatchMode yes
ControlMaster no
ControlPath none
ConnectTimeout {CONNECT_S:.0f}
ConnectionAttempts 1
ServerAliveInterval {KEEPALIVE_S}
ServerAliveCountMax 3
# A command and its streams, nothing beside them.
ForwardAgent no
ForwardX11 no
ClearAllForwardings yes
PermitLocalCommand no
RequestTTY no
EscapeChar none
Tunnel no
LogLevel DEBUG1
# Options that an older ssh does not have.
IgnoreUnknown PubkeyAcceptedAlgorithms,KnownHostsCommand,ForkAfterAuthentication,StdinNull,SessionType
KnownHostsCommand none
ForkAfterAuthentication no
StdinNull no
SessionType default
RemoteCommand none
"""
OPERATORS = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))


def config_text(target: Target) -> str:
    """Return the configuration for a host and the hosts on the way to it."""
    lines = [POLICY, f"UserKnownHostsFile {_quoted(target.known_hosts)}"]
    if target.keys:
        lines += ["IdentitiesOnly yes", *(f"IdentityFile {_quoted(path)}" for path in target.keys)]
    lines += [f"Include {path}" for path in OPERATORS]
    # Last: a jump host's own user, and lists of algorithms that the operator has chosen, count first.
    lines += ["Host *", f"    User {target.user}", *(f"    {line}" for line in algorithms.lines())]
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    text = str(path.absolute()).replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
