"""The lines of pgbackrest.conf, each with its reason, and what PostgreSQL is told about its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.sizing.settings import GIB, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Backup, Host, Repository

PGBACKREST = "https://pgbackrest.org/configuration.html"
KEY_FILE = "/run/secrets/reloaded/backup_ssh_key"
COMMAND = "sh /etc/tempo-infra/pgbackrest.sh archive-push %p"
MOST_PROCESSES, VCPU_EACH = 4, 4
QUEUE_SHARE = 4  # of the disk
IO_S, ARCHIVE_S = 15, 20
# pgBackRest closes no file that it reads over SFTP: measured with 2.55.1, "sftp error [4]" after 1000 files.
HANDLES = "small files together: an sshd holds 1024 open, and a restore closes none"


def pgbackrest(backup: Backup, host: Host) -> tuple[Setting, ...]:
    """Return all lines of the section `global`, in its order."""
    return (*_general(host), *_repositories(backup))


def _general(host: Host) -> Iterator[Setting]:
    vcpu, size_bytes = host.resources.vcpu, host.resources.disk.size_bytes
    processes = max(1, min(MOST_PROCESSES, vcpu // VCPU_EACH))
    queue = max(1, size_bytes // QUEUE_SHARE // GIB)
    disk = f"{host.name}: disk of {size_bytes / GIB:.4g} GiB"
    yield _line("process-max", processes, "a quarter of the vCPUs, at most 4: the database needs them more")
    yield _line("compress-type", "zst", "the best ratio for the time that it takes")
    yield _line("start-fast", "y", "a checkpoint at once: a backup does not wait up to 15 minutes for one")
    yield Setting(
        "archive-push-queue-max",
        f"{queue}GiB",
        "",
        "a quarter of the disk: with more of the log unsent it is dropped, and the way back in time ends "
        "until the next backup; else the disk would fill, and the database stop",
        PGBACKREST,
        disk,
    )
    yield _line("io-timeout", IO_S, "a repository that does not answer is given up after so many seconds")
    yield _line(
        "archive-timeout",
        ARCHIVE_S,
        "the same for a segment, which is tried three times while PostgreSQL stops",
    )
    yield _line("lock-path", "/tmp/pgbackrest", "a tmpfs of the container")  # noqa: S108 - in the container
    yield _line("log-level-file", "off", "nothing in the container can be written but its data")
    yield _line("log-level-console", "off", "what it is asked stands there, and nothing beside it")
    yield _line("log-level-stderr", "warn", "PostgreSQL's log says what failed, and no more")


def _repositories(backup: Backup) -> Iterator[Setting]:
    for number, one in enumerate(backup.repositories, 1):
        for name, value, reason in _of(one, backup):
            yield _line(f"repo{number}-{name}", value, reason)


def _of(one: Repository, backup: Backup) -> Iterator[tuple[str, str | int, str]]:
    yield "type", "sftp", f"at {one.provider}, {one.country}"
    yield "path", one.path, "as its user sees it"
    yield "sftp-host", one.host, "another machine than the database's"
    yield "sftp-host-port", one.port, "of its sshd"
    yield "sftp-host-user", one.user, "an account without a shell is enough"
    yield "sftp-private-key-file", KEY_FILE, "of this cluster alone"
    yield "sftp-host-key-check-type", "fingerprint", "nobody else is taken for it"
    yield "sftp-host-key-hash-type", "sha256", "as ssh-keygen -l prints it"
    yield "sftp-host-fingerprint", one.fingerprint, "of its host key, in hexadecimal"
    yield "cipher-type", "aes-256-cbc", "what lies there can't be read there; the passphrase is a secret"
    yield "bundle", "y", HANDLES
    yield "block", "n", f"{HANDLES}, and a backup by blocks opens each"
    yield "retention-full-type", "time", "backups and the log that belongs to them"
    yield "retention-full", backup.keep_days, "days that can be gone back"


def postgresql(backup: Backup) -> tuple[Setting, ...]:
    """Return the lines of postgresql.conf that send the log away."""
    manual = "https://www.postgresql.org/docs/current/continuous-archiving.html"
    return (
        Setting("archive_mode", "on", "", "each finished segment of the log is sent away", manual),
        Setting(
            "archive_command",
            COMMAND,
            "",
            "pgBackRest sends it; a segment that fails is kept, and tried again",
            manual,
        ),
        Setting(
            "archive_timeout",
            backup.rpo_s,
            "s",
            "backup.rpo: a segment is finished after this time at the latest",
            manual,
            f"backup.rpo: {backup.rpo_s} s",
        ),
    )


def _line(name: str, value: str | int, reason: str) -> Setting:
    return Setting(name, value, "", reason, PGBACKREST)
