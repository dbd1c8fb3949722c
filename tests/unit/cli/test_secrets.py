from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pyrage
import pytest
from typer.testing import CliRunner

from tempo_infra.checks.logins import Stranger
from tempo_infra.cli import rotate
from tempo_infra.cli.exit_codes import ExitCode
from tempo_infra.cli.main import app
from tempo_infra.cli.run import Run
from tempo_infra.errors import InputError, StepFailedError
from tempo_infra.inventory import load
from tempo_infra.secrets import TEMPORAL_DB, SecretStore

EXAMPLE = Path(__file__).parents[3] / "inventory" / "single.yaml"
BOB = str(pyrage.x25519.Identity.generate().to_public())


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("TEMPO_INFRA_IDENTITY", raising=False)
    return Path(shutil.copy(EXAMPLE, tmp_path / "inventory.yaml"))


def run(*words: str) -> str:
    ended = CliRunner().invoke(app, ["secrets", *words])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended.output


def test_no_command_shows_a_secret(inventory: Path) -> None:
    secrets = SecretStore.open(load(inventory).secrets).ensure([TEMPORAL_DB, "other_password"])
    shown = run("show-recipients", "-i", str(inventory)) + run("rekey", "-i", str(inventory))
    assert not any(secret.value in shown for secret in secrets.values())
    assert "  you  can open it\n" in shown
    assert "encrypted for 1 key; commit the file" in shown


def test_a_new_recipient_is_shown_before_and_after_the_rekey(inventory: Path) -> None:
    SecretStore.open(load(inventory).secrets).ensure([TEMPORAL_DB])
    inventory.write_text(f"{inventory.read_text()}\nsecrets:\n  recipients: [{BOB}]\n")
    assert f"{BOB}  inventory  can't yet: tempo-infra secrets rekey -i {inventory}\n" in run(
        "show-recipients", "-i", str(inventory)
    )
    assert f"+ {BOB}\n" in run("rekey", "-i", str(inventory))
    assert f"{BOB}  inventory  can open it\n" in run("show-recipients", "-i", str(inventory))


def test_a_rotation_that_was_stopped_retires_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run = cast("Run", SimpleNamespace(rollout=SimpleNamespace(stopped=True)))  # it reaches no host
    assert rotate._retire(run) is ExitCode.FAILED
    assert "both logins work; the same command goes on" in capsys.readouterr().err


READER, EXPORTER = Stranger("reader", ("superuser", "member of temporal")), Stranger("exporter", ())


@pytest.mark.parametrize("others", [(), (EXPORTER,), (READER, EXPORTER)])
def test_that_no_other_login_works_is_said_where_there_is_none(
    inventory: Path, others: tuple[Stranger, ...]
) -> None:
    cluster = load(inventory)
    done = rotate._ending(cast("Run", SimpleNamespace(cluster=cluster)), others, keep_old=False, seconds=1.0)
    assert ("no other login works any more" in done) == (not others)
    assert [one.words in done for one in (READER, EXPORTER)] == [one in others for one in (READER, EXPORTER)]
    assert ("drop role NAME" in done) == bool(others)
    assert max(map(len, done.splitlines())) <= 100


def test_who_could_not_be_asked_is_not_taken_for_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(*_: object) -> None:
        raise StepFailedError("PostgreSQL is not running", host="db-1")

    monkeypatch.setattr("tempo_infra.deploy.rotation.others", refuses)
    with pytest.raises(StepFailedError):
        rotate._others(cast("Run", SimpleNamespace(fleet=None, cluster=None)))
    assert "whether another works could not be seen" in capsys.readouterr().err


def test_without_a_file_there_is_nothing_to_rekey(inventory: Path) -> None:
    with pytest.raises(InputError, match="there is no secrets file"):
        run("rekey", "-i", str(inventory))
