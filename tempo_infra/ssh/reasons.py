"""What sshd, ssh and the network say when there is no way to a host or through it, and what to do about it.

The words are those of OpenSSH, of paramiko, of the system and of sshd's answers to a channel (RFC 4254, 5.1).
"""

from __future__ import annotations

from tempo_infra.errors import UnreachableError
from tempo_infra.on_host import remedies
from tempo_infra.on_host.remedies import Row

FORWARDING_OFF = "administratively prohibited"

WAY_THROUGH: remedies.Table = (
    Row(
        FORWARDING_OFF,
        "sshd there refuses to forward: AllowTcpForwarding or PermitOpen in sshd_config, DisableForwarding, "
        "or `restrict` in authorized_keys",
    ),
    Row(
        "connection refused|connect failed",
        "nobody listens there, as seen from that host: what should run there is down, or its port is another",
    ),
    Row(
        "no route|unreachable|timed out|no answer|timeout",
        "that host has no way there: check its route, and the firewalls between the two",
    ),
    Row(
        "name or service|not known|resolution|no address",
        "that host can't resolve this name: name an address",
    ),
    Row(
        "resource shortage|too many",
        "sshd there has no room for another connection: see MaxSessions in sshd_config",
    ),
    Row("unknown channel type", "the ssh server there knows no forwarding at all"),
)

WAY_TO: remedies.Table = (
    Row(
        FORWARDING_OFF,
        "the sshd of the jump host refuses to forward: AllowTcpForwarding or PermitOpen in its sshd_config, "
        "DisableForwarding, or `restrict` in authorized_keys",
    ),
    Row(
        "bad (owner|configuration)|configuration option|terminating,|no such file .*config",
        "ssh can't take its configuration: the file and the line are named above",
    ),
    Row(
        "no matching (host key|cipher|key exchange|mac)|incompatible ssh|no acceptable|unable to negotiate"
        "|protocol major versions differ|bad server version",
        "the two sides have no method in common that is not weak (CBC, MD5, SHA-1): bring its ssh server up "
        "to date, or look for Ciphers, MACs, KexAlgorithms and HostKeyAlgorithms in its sshd_config",
    ),
    Row(
        "could not resolve|name or service not known|name resolution|nodename|no address associated",
        "its name has no address: check `address` in the inventory, and this machine's DNS",
    ),
    Row(
        "connection refused",
        "nobody listens there: is sshd running, and `port` under ssh the right one?",
    ),
    Row(
        "no route to host|network is unreachable|host is unreachable|host is down",
        "there is no way there from this machine: is the machine on, its address right, a VPN up?",
    ),
    Row(
        "timed out|timeout|no answer|no existing session",
        "is the machine on, its address right, and its firewall open for this machine?",
    ),
    Row(
        "protocol banner|exchange_identification|invalid (ssh|format)|not a ssh|banner",
        "what answers there hangs up or is no sshd: check the port, then fail2ban, hosts.deny and "
        "MaxStartups on the host",
    ),
    Row(
        "too many authentication failures",
        "sshd gave up on so many keys: name the right one in ssh.keys",
    ),
    Row(
        "session open refused|open failed|connect failed|channel closed|resource shortage",
        "sshd lets this login start nothing: see MaxSessions and ForceCommand in its sshd_config",
    ),
    Row(
        "reset by|closed by|closed the connection|broken pipe|eof|socket is closed",
        "the other side ended the connection: `journalctl -u ssh` on the host says why",
    ),
)


class NoWayError(UnreachableError):
    """There is a login on the host, and no way through it."""


def unreachable(
    host: str, stage: str, words: str, kind: type[UnreachableError] = UnreachableError
) -> UnreachableError:
    """Return the error for a host that a login did not come to; `stage` says how far, and after how long."""
    return kind(f"unreachable: {stage}: {words}", host=host, remedy=remedies.remedy(WAY_TO, words))


def no_way(host: str, place: str, words: str) -> NoWayError:
    """Return the error for a place that can't be reached through a host."""
    return NoWayError(
        f"no way through its ssh to {place}: {words}", host=host, remedy=remedies.remedy(WAY_THROUGH, words)
    )
