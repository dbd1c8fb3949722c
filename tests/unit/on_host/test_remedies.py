# ruff: noqa: E501, ISC004 - words as others wrote them
"""What to do follows from what was said: words as registries, Docker, apt and PostgreSQL have them."""

from __future__ import annotations

import re
import time

import pytest

from tempo_infra.deploy.starting import STARTING
from tempo_infra.on_host import remedies
from tempo_infra.on_host.containers import pull
from tempo_infra.on_host.shell import Output, StepError
from tempo_infra.on_host.steps import change
from tempo_infra.ssh.reasons import WAY_THROUGH, WAY_TO

DAEMON = "Error response from daemon: "
GET = 'Get "https://registry.example.no:5000/v2/": '
HEAD = DAEMON + 'Head "https://registry-1.docker.io/v2/library/postgres/manifests/17": '
REFUSED = "dial tcp 10.0.0.9:5000: connect: connection refused"
LOOKUP = "dial tcp: lookup registry.example.no on 127.0.0.53:53: "

REGISTRY = [
    (HEAD + "unauthorized: authentication required", "sudo docker login"),
    (HEAD + "no basic auth credentials", "sudo docker login"),
    (
        DAEMON + "pull access denied for temporalio/servr, repository does not exist or may require 'docker "
        "login': denied: requested access to the resource is denied",
        "no such image, or it wants a login",
    ),
    (DAEMON + "denied: requested access to the resource is denied", "does not let db-1 have it"),
    (HEAD + "denied: installation not allowed to pull", "does not let db-1 have it"),
    (
        DAEMON + "toomanyrequests: You have reached your unauthenticated pull rate limit. You may increase the "
        "limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit",
        "wait, log in there as root",
    ),
    (HEAD + "received unexpected HTTP status: 429 Too Many Requests", "wait, log in there as root"),
    (DAEMON + "manifest for temporalio/server:1.99.9 not found: manifest unknown", "no such image"),
    (DAEMON + "manifest unknown", "no such image"),
    (DAEMON + "name unknown: repository name not known to registry", "no such image"),
    (DAEMON + "no matching manifest for linux/arm64/v8 in the manifest list entries", "kind of processor"),
    (
        DAEMON + GET + "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "/etc/docker/certs.d/",
    ),
    (
        DAEMON + GET + "x509: certificate is valid for mirror.example.no, not registry.example.no",
        "/etc/docker/certs.d/",
    ),
    (
        DAEMON + GET + "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: "
        "current time 2031-01-01T00:00:00Z is after 2027-01-01T00:00:00Z",
        "the clock of db-1",
    ),
    (DAEMON + GET + "http: server gave HTTP response to HTTPS client", "speaks no TLS"),
    (DAEMON + GET + LOOKUP + "no such host", "can't find the registry's name"),
    (DAEMON + GET + LOOKUP + "server misbehaving", "can't find the registry's name"),
    (
        DAEMON + GET + LOOKUP + "read udp 127.0.0.1:34567->127.0.0.53:53: read: connection refused",
        "can't find the registry's name",
    ),
    (DAEMON + GET + LOOKUP + "read udp 10.0.0.2:34567->10.0.0.1:53: i/o timeout", "can't find the registry's name"),
    (DAEMON + GET + REFUSED, "nobody listens at the registry's place"),
    (DAEMON + GET + "dial tcp 10.0.0.9:5000: connect: no route to host", "no way from db-1"),
    (DAEMON + GET + "dial tcp 10.0.0.9:5000: connect: network is unreachable", "no way from db-1"),
    (DAEMON + GET + "dial tcp 10.0.0.9:5000: i/o timeout", "does not answer db-1 in time"),
    (DAEMON + GET + "net/http: TLS handshake timeout", "does not answer db-1 in time"),
    (
        DAEMON + GET + "net/http: request canceled while waiting for connection (Client.Timeout exceeded while "
        "awaiting headers)",
        "does not answer db-1 in time",
    ),
    (DAEMON + GET + "context deadline exceeded", "does not answer db-1 in time"),
    (DAEMON + GET + "proxyconnect tcp: " + REFUSED, "the proxy between db-1"),
    (DAEMON + GET + "EOF", "the connection broke off"),
    (DAEMON + "unexpected EOF", "the connection broke off"),
    (DAEMON + GET + "read: connection reset by peer", "the connection broke off"),
    (HEAD + "received unexpected HTTP status: 503 Service Unavailable", "the registry itself is in trouble"),
    (DAEMON + "received unexpected HTTP status: 500 Internal Server Error", "the registry itself is in trouble"),
    (
        "failed to register layer: write /var/lib/postgresql/data/x: no space left on device",
        "make room on the disk where the engine keeps images",
    ),
    (DAEMON + "write /var/lib/docker/tmp/GetImageBlob123: disk quota exceeded", "make room on the disk"),
    (DAEMON + "mkdir /var/lib/docker/tmp: read-only file system", "can't be written"),
    (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "systemctl status docker",
    ),
    ("`docker pull -q postgres:17` gave no answer in 900 s", "does not answer db-1 in time"),
]  # fmt: skip

SQL = [
    ("ERROR:  canceling statement due to lock timeout", "another session holds the lock"),
    ("ERROR:  deadlock detected", "another session holds the lock"),
    ("ERROR:  canceling statement due to statement timeout", "the database is busy"),
    (
        'FATAL:  out of shared memory\nHINT:  You might need to increase "max_locks_per_transaction".',
        "sessions hold all locks",
    ),
    ("FATAL:  terminating connection due to transaction timeout", "a limit is set"),
    ("FATAL:  sorry, too many clients already", "every connection is taken"),
    ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "every connection"),
    ("FATAL:  the database system is starting up", "starting or stopping"),
    ('ERROR:  could not extend file "base/5/1": No space left on device', "the data's disk is full"),
    ('ERROR:  relation "executions" does not exist', ""),
]  # fmt: skip

APT = [
    (
        "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.",
        "broke off",
    ),
    ("E: Unable to locate package docker.io", "package sources don't hold it"),
    ("E: Package 'docker.io' has no installation candidate", "package sources don't hold it"),
    ("E: Failed to fetch http://mirror.example/x.deb  404  Not Found [IP: 1.2.3.4 80]", "don't hold it"),
    ("W: Failed to fetch http://mirror.example/x  Temporary failure resolving 'mirror.example'", "its DNS"),
    (
        "E: Failed to fetch http://10.0.0.1/x  Could not connect to 10.0.0.1:80, connection timed out",
        "way out",
    ),
    ("E: You don't have enough free space in /var/cache/apt/archives/.", "make room on db-1"),
    (
        "dpkg: error: cannot copy extracted data: failed to write (No space left on device)",
        "make room on db-1",
    ),
    ("The following signatures couldn't be verified: NO_PUBKEY 7EA0A9C3F273FCD8", "does not trust"),
    ("E: Release file for http://x/ is not valid yet (invalid for another 3h 2min).", "its clock"),
    ("E: Unable to correct problems, you have held broken packages.", "don't fit together"),
]

HOST = [
    ("compose up postgresql: Error response from daemon: driver failed programming external connectivity: "
     "Bind for 10.0.0.1:7233 failed: port is already allocated", "ss -ltnp"),
    ("compose up frontend: failed to bind host port 10.0.0.1:7233/tcp: address already in use", "ss -ltnp"),
    ("compose up history: Error response from daemon: Pool overlaps with other one on this address space",
     "docker network ls"),
    ("compose up ui: Error response from daemon: No such image: temporalio/ui:2.50.1", "taken away meanwhile"),
    ("OSError: [Errno 28] No space left on device: '/var/lib/tempo-infra/x'", "make room on the host"),
    ("OSError: [Errno 30] Read-only file system", "can't be written"),
    ("OSError: [Errno 5] Input/output error", "is failing"),
    ("OSError: [Errno 12] Cannot allocate memory", "no memory left"),
    ("`systemctl stop tempo-infra.service` gave no answer in 60 s", "too busy, or a disk of it hangs"),
    ("compose up ui: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "status docker"),
    ("OSError: [Errno 24] Too many open files", "at a limit"),
    ("RuntimeError: can't start new thread", "at a limit"),
    ("history does not serve after 150 s", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "words", "todo"),
    [
        *((remedies.REGISTRY, *row) for row in REGISTRY),
        *((remedies.SQL, *row) for row in SQL),
        *((remedies.APT, *row) for row in APT),
        *((remedies.HOST, *row) for row in HOST),
    ],
)
def test_each_complaint_has_its_own_remedy(table: remedies.Table, words: str, todo: str) -> None:
    found = remedies.remedy(
        table, words, here="db-1" if table in (remedies.REGISTRY, remedies.APT) else "the host"
    )
    assert (todo in found) if todo else (found == "")
    assert "{" not in found


def test_every_row_is_reached_and_none_fits_everything() -> None:
    """A row that an earlier one hides would be a remedy that nobody ever reads."""
    for table, rows in ((remedies.REGISTRY, REGISTRY), (remedies.HOST, HOST), (remedies.SQL, SQL)):
        given = {remedies.remedy(table, words) for words, _ in rows}
        assert {row.remedy.replace("{here}", "the host") for row in table} - given == set()
        assert not any(re.search(row.said, "it failed, exit code 1", re.IGNORECASE) for row in table)


def test_what_was_said_last_counts() -> None:
    words = "WARNING: connection refused once, trying again\nError response from daemon: manifest unknown"
    assert "no such image" in remedies.remedy(remedies.REGISTRY, words)


def test_words_that_nobody_knows_have_no_remedy_of_something_else() -> None:
    assert remedies.remedy(remedies.REGISTRY, "exit code 1", "look there") == "look there"


def test_a_pull_that_fails_says_what_the_registry_said_and_what_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = "Error response from daemon: manifest for temporalio/server:9.9.9 not found: manifest unknown"
    monkeypatch.setattr("tempo_infra.on_host.containers.run", lambda *_, **__: Output(1, "", words + "\n"))
    with pytest.raises(StepError, match="manifest unknown") as caught:
        pull(change.Pull(["temporalio/server:9.9.9"], 900.0))
    assert caught.value.remedy.startswith("nothing was switched; the registry has no such image")
    assert "reachable" not in caught.value.remedy


def test_a_step_that_knows_no_remedy_has_one_by_what_was_said() -> None:
    assert "make room" in StepError("`mkfs`: No space left on device").remedy
    assert StepError("`mkfs`: No space left on device", remedy="ours").remedy == "ours"
    assert StepError("worker does not serve").remedy == ""


@pytest.mark.parametrize("words", ["sudo ", "python3 ", "x509: ", "not found ", "sudoers ", "a\n"])
def test_who_says_much_does_not_make_the_search_long(words: str) -> None:
    """A pattern with two parts takes as many times as there are first ones, for each of the second."""
    tables = (remedies.REGISTRY, remedies.APT, remedies.HOST, remedies.SQL, STARTING, WAY_TO, WAY_THROUGH)

    def seconds(size: int) -> float:
        text, begun = (words * size)[:size], time.process_time()
        for table in tables:
            remedies.remedy(table, text)
        return time.process_time() - begun

    assert seconds(256_000) < 100 * max(seconds(1000) for _ in range(3))
