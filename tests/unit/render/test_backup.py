"""What a host with backups gets, and what a change of it restarts."""

from __future__ import annotations

import pytest

from tempo_infra.inventory.cluster import Cluster
from tempo_infra.render import Bundle, render
from tempo_infra.render.parse import ini
from tempo_infra.sizing import size
from tests.unit.inventory.test_backup import AT, REPOSITORY, SECTION
from tests.unit.inventory.texts import cluster

FILES = ("pgbackrest.conf", "pgbackrest.sh", "backup.sh")
UNITS = ("tempo-infra-backup@.service", "tempo-infra-backup.timer", "timers.target.d/60-tempo-infra.conf")


def bundle(*pairs: tuple[str, str]) -> Bundle:
    found: Cluster = cluster((AT, SECTION + AT), *pairs)
    [made] = render(found, size(found))
    return made


def text(made: Bundle, name: str) -> str:
    [found] = [one.content.decode() for one in made.files if one.path.endswith(f"/{name}")]
    return found


def folder(made: Bundle) -> str:
    [found] = [one.path.split("/")[1] for one in made.files if one.path.endswith("/postgresql.conf")]
    return found


def test_the_host_gets_them_only_with_backups() -> None:
    found = cluster()
    [without] = render(found, size(found))
    for name in (*FILES, *UNITS):
        assert text(bundle(), name)
        assert not [one for one in without.files if one.path.endswith(f"/{name}")]
    assert "backup_passphrase" not in str([one.content for one in without.files])


def test_the_secrets_are_mounted_into_the_database_alone() -> None:
    made = bundle()
    own = "/var/lib/tempo-infra/secrets/postgresql"
    having = {name for name, one in made.instances.items() if any(m.startswith(own) for m in one.mounts)}
    assert having == {"postgresql"}
    assert made.instances["postgresql"].image == "tempo-infra/postgres:17"


def test_no_file_holds_what_is_secret() -> None:
    assert not [one.path for one in bundle().files if b"cipher-pass" in one.content]


def test_every_repository_gets_the_passphrase_and_a_backup() -> None:
    made = bundle((REPOSITORY, REPOSITORY + REPOSITORY.replace("/repo", "/other")))
    assert 'export PGBACKREST_REPO2_CIPHER_PASS="$pass"' in text(made, "pgbackrest.sh")
    assert "for repository in 1 2; do" in text(made, "backup.sh")
    assert ini(text(made, "pgbackrest.conf"))["global:repo2-path"] == "/other"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("path: /repo", "path: /another"),
        ("  repositories:", "  keep: 3d\n  repositories:"),
        ("  repositories:", "  rpo: 30s\n  repositories:"),
        ("  repositories:", '  at: "04:00"\n  repositories:'),
    ],
)
def test_a_change_of_it_restarts_no_database(old: str, new: str) -> None:
    assert bundle((old, new)).digest != bundle().digest
    assert folder(bundle((old, new))) == folder(bundle())


def test_the_timer_keeps_the_time_that_was_asked_for() -> None:
    made = bundle(("  repositories:", '  at: "04:45"\n  repositories:'))
    assert "OnCalendar=*-*-* 04:45:00 UTC" in text(made, "tempo-infra-backup.timer")
    assert "Persistent=true" in text(made, "tempo-infra-backup.timer")


@pytest.mark.parametrize(
    "wrong", ["a=1", "[global]\na", "[global]\na=", "[global]\na=1\na=2", "[Global x]\na=1"]
)
def test_what_pgbackrest_would_read_otherwise_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="line"):
        ini(wrong)
