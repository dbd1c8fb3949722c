"""A database is backed up into a folder behind an sshd, and comes back from there as the how-to says.

Two hosts of their own, named by TEMPO_LAB_BACKUPS (extra-3,extra-4 if it is not set); the first has the
cluster, the second the repository. `python3 -m lab up --hosts 7` starts them. About four minutes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import registry
from lab.hosts import Host, Lab
from lab.paths import Home
from tests.lab.conftest import Inventory, Ran, claim, running_lab
from tests.lab.test_hosts_come_and_go import ENTRY, TEMPORAL

pytestmark = pytest.mark.faults

NAMES = os.environ.get("TEMPO_LAB_BACKUPS", "extra-3,extra-4").split(",")
FIRST, VAULT = NAMES
HOW_TO = Path(__file__).parents[2] / "docs/how-to/backups.md"
DATABASE = "tempo-infra-postgresql-1"
TIMER = "tempo-infra-backup.timer"
IMAGE, TAG = "tempo-infra/postgres", "17"
ACCOUNT = """
useradd -m -s /usr/sbin/nologin -p '*' vault
install -d -o vault -g vault -m 0700 /home/vault/.ssh /home/vault/repo
install -o vault -g vault -m 0600 /dev/stdin /home/vault/.ssh/authorized_keys
printf 'Match User vault\\n  ForceCommand internal-sftp\\n' > /etc/ssh/sshd_config.d/90-vault.conf
systemctl reload ssh
"""
REPOSITORY = """
backup:
  repositories:
    - {{kind: sftp, host: {host}, user: vault, path: /home/vault/repo, fingerprint: "{key}", country: SE,
       provider: b}}
"""


@dataclass(frozen=True)
class Site:
    lab: Lab
    inventory: Inventory

    @property
    def host(self) -> Host:
        return self.lab.host(FIRST)

    def write(self, backup: str) -> None:
        text = (self.lab.root / "inventory.yaml").read_text().partition("\nhosts:")[0]
        text = text.replace("cluster: lab", "cluster: backups")
        if backup:
            digest = registry.manifest_digest(Home.locate(), IMAGE, TAG)
            text = re.sub(r"(?m)^    postgres:17: .*$", f"    {IMAGE}:{TAG}: {digest}", text)
        text += f"\nrollout: {{decide_after: 20s, soak: 1s}}\n{backup}\nhosts:\n"
        roles = f"postgresql, {TEMPORAL}, ui"
        self.inventory.path.write_text(text + ENTRY.format(name=FIRST, host=self.host, roles=roles))

    def repository(self) -> str:
        vault = self.lab.host(VAULT)
        key = vault.must(["ssh-keygen", "-lf", "/etc/lab/ssh_host_ed25519_key.pub"]).split()[1]
        return REPOSITORY.format(host=vault.internal_address, key=key)

    def must(self, command: str, *words: str) -> str:
        ran = self.run(command, *words)
        assert ran.code == 0, ran.said
        return ran.out

    def run(self, command: str, *words: str) -> Ran:
        return self.inventory.run(command, *words)

    def sql(self, statement: str) -> str:
        words = ["docker", "exec", DATABASE, "psql", "-XqAtU", "postgres", "-d", "postgres", "-c", statement]
        return self.host.must(words).strip()

    def backups(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(self.must("backups --format json"))["backups"]
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    lab = running_lab("python3 -m lab up --hosts 7")
    claim(lab.root, NAMES)
    lab.reset(NAMES)
    folder = tmp_path_factory.mktemp("backups")
    for name in ("id_ed25519", "known_hosts", "ca.crt"):
        shutil.copy(lab.root / name, folder / name)
    made = Site(lab, Inventory(folder / "inventory.yaml"))
    made.write(made.repository())
    key = made.must("backup key")
    lab.host(VAULT).must(["sh", "-c", ACCOUNT], input=key)
    made.must("provision")
    yield made
    lab.reset(NAMES)


def test_a_backup_is_taken_and_listed(site: Site) -> None:
    site.must("backup now")
    assert [one["kind"] for one in site.backups()] == ["full"]
    site.must("plan --no-diff --detailed-exitcode")


def test_it_comes_back_as_the_how_to_says_with_what_was_written_before(site: Site) -> None:
    site.sql("create table planted as select n from generate_series(1, 1000) n")
    site.sql("select pg_switch_wal()")
    section = HOW_TO.read_text().partition("## Restore by hand")[2]
    [script] = re.findall(r"```\n(C=.*?)```", section, re.DOTALL)
    is_there = f"[ \"$(docker exec {DATABASE} psql -XqAtc 'select pg_is_in_recovery()')\" = f ]"
    asks = next(line for line in script.splitlines() if "pg_is_in_recovery" in line)
    site.host.must(["bash", "-ec", script.replace(asks, f"until {is_there}; do sleep 1; done")], timeout=300)
    assert site.sql("select count(*) from planted") == "1000"
    site.must("provision")  # waits for what was just started
    site.must("plan --no-diff --detailed-exitcode")
    site.must("backup now")
    site.must("smoke")


def test_a_repository_that_is_away_is_said(site: Site) -> None:
    vault = site.lab.host(VAULT).internal_address
    rule = ["DOCKER-USER", "-d", vault, "-j", "DROP"]
    site.host.must(["iptables", "-w", "-I", *rule])
    try:
        ran = site.run("backups")
    finally:
        site.host.must(["iptables", "-w", "-D", *rule])
    assert ran.code == 1, ran.said
    assert site.backups()


def test_another_host_key_keeps_the_generation_before(site: Site) -> None:
    before = site.host.must(["readlink", "/var/lib/tempo-infra/current"])
    right = site.repository()
    site.write(re.sub(r"SHA256:.", "SHA256:A" if "SHA256:B" in right else "SHA256:B", right))
    ran = site.run("provision")
    site.write(right)
    assert ran.code == 1, ran.said
    assert site.host.must(["readlink", "/var/lib/tempo-infra/current"]) == before
    site.must("plan --no-diff --detailed-exitcode")


def test_the_timer_is_there_with_the_backups_and_goes_with_them(site: Site) -> None:
    assert site.host.must(["systemctl", "is-active", TIMER]).strip() == "active"
    site.write("")
    site.must("provision")
    assert site.host.exec(["systemctl", "is-active", TIMER]).stdout.strip() == "inactive"
    assert site.sql("show archive_mode") == "off"
    assert site.sql("select count(*) from planted") == "1000"
