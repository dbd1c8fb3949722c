"""`backup`: what it means, and what is refused where it stands."""

from __future__ import annotations

import pytest

from tempo_infra.inventory.cluster import Backup, Repository
from tempo_infra.inventory.schema import keys_at
from tests.unit.inventory.texts import cluster, refusal

FINGERPRINT = "SHA256:j9hCU+uOLg4xtKuUD2CVM78OAkkL9Tj2oS3f/Bl9sbA"
HEX = "8fd84253eb8e2e0e31b4ab940f609533bf0e02490bf538f6a12ddffc197db1b0"
REPOSITORY = f"""\
    - kind: sftp
      host: 198.51.100.7
      user: vault
      path: /repo
      fingerprint: {FINGERPRINT}
      country: SE
      provider: other
"""
AT = "hosts:\n"
SECTION = f"backup:\n  repositories:\n{REPOSITORY}"


def test_what_is_not_said_has_a_value() -> None:
    one = Repository("198.51.100.7", 22, "vault", "/repo", HEX, "SE", "other")
    assert cluster((AT, SECTION + AT)).backup == Backup((one,), 60, 14, "02:30", 7)
    assert cluster().backup is None


def test_what_is_said_counts() -> None:
    own = 'backup:\n  rpo: 10s\n  keep: 4w\n  at: "23:05"\n  full_every: 2d\n  repositories:\n'
    second = REPOSITORY.replace("198.51.100.7", "vault.example\n      port: 2222")
    found = cluster((AT, own + REPOSITORY + second + AT)).backup
    assert found is not None
    assert (found.rpo_s, found.keep_days, found.at, found.full_days) == (10, 28, "23:05", 2)
    assert [(one.host, one.port) for one in found.repositories] == [
        ("198.51.100.7", 22),
        ("vault.example", 2222),
    ]


def test_the_image_is_the_one_with_pgbackrest() -> None:
    assert "tempo-infra/postgres:17" in cluster((AT, SECTION + AT)).image_names
    assert "postgres:17" not in cluster((AT, SECTION + AT)).image_names
    assert "postgres:17" in cluster().image_names


DIGEST = f"images: {{digests: {{tempo-infra/postgres:17: sha256:{'1' * 64}}}}}\n"


def test_a_digest_of_that_image_pins_only_where_it_runs() -> None:
    assert cluster((AT, SECTION + DIGEST + AT)).floating
    assert ["does not run" in line for line in refusal((AT, DIGEST + AT))] == [True]


NOT_YET = "is not supported yet; known are sftp"
NO_FOLDER = "is not a folder for backups; begin with /"
OWN_HOST = "is one, which has the database: a backup is for the day when it is gone"


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("kind: sftp", "kind: s3", "12:13", NOT_YET),
        ("kind: sftp", "kind: host", "12:13", NOT_YET),
        ("kind: sftp", "kind: sft", "12:13", 'unknown kind of repository "sft" (did you mean "sftp"?)'),
        ("path: /repo", "path: repo", "15:13", NO_FOLDER),
        ("path: /repo", "path: /a/../b", "15:13", NO_FOLDER),
        ("SHA256:j9", "MD5:j9", "16:20", "not a fingerprint; write the one that"),
        ("9sbA", "9sbAA", "16:20", "not a fingerprint; write the one that"),
        ("country: SE", "country: Sweden", "17:16", "country"),
        ("  repositories:", "  rpo: 1s\n  repositories:", "11:8", "rpo: must be between 10s and 60m"),
        ("  repositories:", "  keep: 30h\n  repositories:", "11:9", "keep: must be whole days"),
        ("  repositories:", "  at: 25:00\n  repositories:", "11:7", "not a time of day; write it like 02:30"),
        ("  repositories:", "  retention: 7d\n  repositories:", "11:3", "backup.retention: unknown key"),
        ("host: 198.51.100.7", "host: 10.0.0.11", "13:13", OWN_HOST),
        ("host: 198.51.100.7", "host: 203.0.113.11", "13:13", OWN_HOST),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(old: str, new: str, place: str, said: str) -> None:
    assert old in SECTION
    [line] = refusal((AT, SECTION.replace(old, new) + AT))
    assert line.startswith(f"{place}: backup.")
    assert said in line


def test_a_third_or_no_repository_is_refused() -> None:
    assert refusal((AT, "backup: {repositories: []}\n" + AT)) == [
        "10:24: backup.repositories: must not be empty"
    ]
    assert len(refusal((AT, SECTION + 2 * REPOSITORY + AT))) >= 1


def test_the_same_place_twice_is_no_second_repository() -> None:
    said = "22:13: backup.repositories[1].path: /repo of 198.51.100.7 is a repository already (line 12)"
    assert refusal((AT, SECTION + REPOSITORY + AT)) == [said]


@pytest.mark.parametrize("name", ["archive_mode", "archive_command", "archive_timeout", "ARCHIVE_TIMEOUT"])
def test_archiving_has_one_owner(name: str) -> None:
    own = f"accept: [commands-and-exports]\noverrides: {{postgresql: {{{name}: on}}}}\n"
    assert any(
        "can't be set beside `backup`, which sets it" in line for line in refusal((AT, SECTION + own + AT))
    )


def test_keys_of_a_section_that_may_be_absent_are_known() -> None:
    assert "repositories" in keys_at(("backup",))
    assert "fingerprint" in keys_at(("backup", "repositories", 0))
