"""What was said when something failed, and what a person does about it: one table a subject.

An exit code tells only that something failed. A row is a pattern and its remedy; the first that fits counts,
so what says most stands first. `{here}` is who failed, to the reader.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Tuple


class Row(NamedTuple):
    said: str  # a regular expression; case does not count
    remedy: str


Table = Tuple[Row, ...]
# What is looked at: somebody may say much, to make the search long.
MOST_CHARACTERS, LONGEST_LINE = 16_384, 1000

_ROOM = "no space left on device|disk quota exceeded"
_READ_ONLY = "read-only file system"

# Of images, by the words of registries (OCI distribution-spec, "Error Codes"), of Docker's engine and of Go.
REGISTRY: Table = (
    Row(
        _ROOM,
        "make room on the disk where the engine keeps images: `docker info` names it (Docker Root Dir), "
        "`docker system df` says what is there",
    ),
    Row(_READ_ONLY, "the disk where the engine keeps images can't be written: see `dmesg` on {here}"),
    Row(
        "cannot connect to the docker daemon|is the docker daemon running",
        "the engine is stopped: `systemctl status docker` on {here} says why",
    ),
    Row(
        "toomanyrequests|rate limit|too many requests|\\b429\\b",
        "the registry lets {here} take no more for now: wait, log in there as root (`docker login`), or name "
        "a mirror in images.registry",
    ),
    Row(
        "pull access denied",
        "there is no such image, or it wants a login: check its name in the inventory; a login is root's on "
        "{here} (`sudo docker login`), another user's is not used",
    ),
    Row(
        "proxyconnect|proxy authentication|\\b407\\b",
        "the proxy between {here} and the registry refuses: see its settings in the engine's systemd unit",
    ),
    Row(
        "x509: .*(has expired|not yet valid)|certificate (has expired|is not yet valid)",
        "the registry's certificate is out of date, or the clock of {here} is wrong: `date`",
    ),
    Row(
        "x509|certificate|self[- ]signed|tls: (failed to verify|bad|unknown)",
        "{here} does not trust the registry's certificate: its authority belongs into "
        "/etc/docker/certs.d/REGISTRY/ca.crt there, and the name in images.registry is the certificate's",
    ),
    Row(
        "server gave http response to https client|first record does not look like a tls handshake",
        "the registry speaks no TLS, which the engine of {here} refuses: give it a certificate",
    ),
    Row(
        "no such host|server misbehaving|name resolution|name or service not known|has no address"
        "|lookup \\S+( on \\S+)?: ",
        "{here} can't find the registry's name: check images.registry, and the DNS of {here} "
        "(`getent hosts NAME`)",
    ),
    Row(
        "no matching manifest|does not match the specified platform|exec format error",
        "the image is not made for this kind of processor: choose a version or a registry that has it",
    ),
    Row(
        "manifest[ _]unknown|name[ _]unknown|not found|\\b404\\b",
        "the registry has no such image: check the version in the inventory and its digest "
        "(tempo-infra images pin), or push it there",
    ),
    Row(
        "unauthorized|authentication required|no basic auth credentials|insufficient_scope|\\b401\\b",
        "the registry wants a login: `sudo docker login` on {here}, as root, who pulls there; another user's "
        "is not used",
    ),
    Row(
        "denied|forbidden|\\b403\\b",
        "the registry does not let {here} have it: ask its owner, or log in there as root (`docker login`)",
    ),
    Row(
        "connection refused",
        "nobody listens at the registry's place: is it running, and its port the one in images.registry?",
    ),
    Row(
        "no route to host|network is unreachable|host is unreachable",
        "there is no way from {here} to the registry: check its route and the firewalls",
    ),
    Row(
        "timeout|timed out|deadline exceeded|gave no answer|request canceled|nothing within",
        "the registry does not answer {here} in time: check the firewalls and proxies between the two, then "
        "run it again",
    ),
    Row(
        "connection reset|broken pipe|unexpected eof|\\beof\\b|ended early|closed the connection",
        "the connection broke off: run it again; what came is kept",
    ),
    Row(
        "\\b50[0-9]\\b|internal server error|bad gateway|service unavailable|unavailable|http status",
        "the registry itself is in trouble: see its log, or try again later",
    ),
)

# Of SQL, by the server's and psql's words.
SQL: Table = (
    Row(
        "lock timeout|deadlock detected",
        "another session holds the lock: wait for its vacuum, or end it; then run the same again",
    ),
    Row(_ROOM, "the data's disk is full: make room on {here} (`df -h`), never below the data folder itself"),
    Row(
        "too many clients|remaining connection slots|too many connections",
        "every connection is taken: check-host says by whom (postgres.connections)",
    ),
    Row(
        "out of shared memory",
        "sessions hold all locks that the server has room for, and nobody new is let in: once the health "
        "check of postgresql fails, provision recreates it, which ends them",
    ),
    Row(
        "transaction timeout",
        "a limit is set for that database or login: plan names it, and what takes it back",
    ),
    Row(
        "starting up|not yet accepting connections|shutting down|in recovery",
        "the database is starting or stopping: run the same again when its health is good",
    ),
    Row(
        "statement timeout|gave no answer",
        "the database is busy or its disk slow: see check-host of {here}, then run the same again",
    ),
)

# Of packages, by apt's and dpkg's words.
APT: Table = (
    Row(
        _ROOM + "|enough free space",
        "make room on {here}: `df -h` says which disk is full; `apt-get clean` gives some back",
    ),
    Row(
        "dpkg was interrupted|dpkg --configure -a",
        "an earlier installation broke off: `sudo dpkg --configure -a` on {here}, then run this again",
    ),
    Row(
        "unmet dependencies|broken packages|fix-broken",
        "packages of {here} don't fit together: `sudo apt-get -f install` there shows which",
    ),
    Row(
        "could not resolve|temporary failure resolving|name resolution",
        "{here} can't find its package source by name: check its DNS (`getent hosts`, a name of /etc/apt)",
    ),
    Row(
        "could not connect|connection (refused|timed out)|network is unreachable|unable to connect|no route",
        "{here} can't reach its package source: check its way out, or its proxy in /etc/apt",
    ),
    Row(
        "no_pubkey|not signed|invalid signature|expkeysig|not valid yet|expired",
        "{here} does not trust its package source: check its keys in /etc/apt and its clock (`date`)",
    ),
    Row(
        "unable to locate package|has no installation candidate|404 +not found|release file",
        "its package sources don't hold it: look at /etc/apt/sources.list.d on {here}, or install docker-ce "
        "by hand; it will be kept as it is",
    ),
)

# Of anything else on a host, where whoever failed knows nothing better.
HOST: Table = (
    Row(
        _ROOM,
        "make room on {here}: `df -h` and `df -i` say which disk is full, `docker system df` what images "
        "take",
    ),
    Row(_READ_ONLY, "a disk of {here} can't be written: see `dmesg` and `findmnt -o TARGET,OPTIONS` there"),
    Row("input/output error|structure needs cleaning", "a disk of {here} is failing: see `dmesg` there"),
    Row(
        "cannot connect to the docker daemon|is the docker daemon running",
        "the engine is stopped: `systemctl status docker` on {here} says why",
    ),
    Row(
        "port is already allocated|address already in use|failed to bind",
        "another program has that port: `ss -ltnp` on {here} says which",
    ),
    Row(
        "pool overlaps|overlaps with (other|another)|invalid pool request",
        "that network meets another one of {here}: `docker network ls` and `ip route` say which",
    ),
    Row(
        "no such image|image .* not found|pull access denied",
        "an image was taken away meanwhile: run the same command again, which brings it",
    ),
    Row(
        "cannot allocate memory|out of memory|oom[- ]?killed",
        "{here} has no memory left: `free -m` and `dmesg` say who took it",
    ),
    Row(
        "too many open files|resource temporarily unavailable|can't start new thread",
        "{here} is at a limit of files or processes: check-host says at which",
    ),
    Row("gave no answer in", "{here} is too busy, or a disk of it hangs: see `dmesg` and `top` there"),
)


def remedy(table: Table, said: str, otherwise: str = "", *, here: str = "the host") -> str:
    """Return what to do about what was said: about the last line that a row fits; `otherwise` without one."""
    for line in reversed(said[-MOST_CHARACTERS:].splitlines()):
        for pattern, todo in table:
            if re.search(pattern, line[:LONGEST_LINE], re.IGNORECASE):
                return todo.replace("{here}", here)
    return otherwise.replace("{here}", here)


# Of pgBackRest about a repository that is reached by SFTP, in its words and those of libssh2.
BACKUP: Table = (
    Row(
        "fingerprint|host key (mismatch|check)|libssh2_session_handshake",
        "the machine that answers has another host key than `backup.repositories` says: compare it there "
        "with `ssh-keygen -lf /etc/ssh/ssh_host_ecdsa_key.pub`; of several keys pgBackRest takes the ECDSA "
        "one, then the ED25519 one",
    ),
    Row(
        "authentication failed|unable to extract public key",
        "the repository's user lets our key not in: the line that `tempo-infra backup key` shows belongs "
        "into ~/.ssh/authorized_keys there",
    ),
    Row(
        "unable to get address|name or service not known|no address associated|temporary failure in name",
        "{here} does not know the name of the repository's host: write its address into the inventory",
    ),
    Row(
        "timeout connecting|connection refused|no route to host|network is unreachable|unable to connect"
        "|timed? out",
        "the repository's sshd does not answer {here}: is it up, and does its firewall let {here} in?",
    ),
    Row(
        "are you archiving to the correct stanza|do not match the database|system-id|not match the stanza",
        "the repository holds backups of another database: name a folder of its own in "
        "backup.repositories.path",
    ),
    Row(
        "no space left|disk quota|sftp error \\[4\\]|libssh2 sftp \\[4\\]",
        "the repository's disk may be full: make room there, or keep less (backup.keep)",
    ),
    Row(
        "permission denied|sftp error \\[3\\]|libssh2 sftp \\[3\\]|unable to (create|open|write)",
        "the repository's user must be able to write into backup.repositories.path",
    ),
    Row(
        "formaterror|crypto|passphrase",
        "what lies in the repository was encrypted with another passphrase: put back the secrets file of "
        "then, or name a new folder in backup.repositories.path",
    ),
)
