"""A component that only the tests have goes the whole way on hosts, by the commands of a copy that has it.

Two hosts of their own, named by TEMPO_LAB_BROUGHT (extra-3,extra-4 if it is not set); the first has the
database, the second the component. `python3 -m lab up --hosts 7` starts them. About ten minutes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from lab import images, registry
from lab.hosts import Host, Lab
from lab.paths import Home
from lab.process import run
from lab.spec import LABEL
from tempo_infra.inventory.cluster import SecretsFile
from tempo_infra.inventory.logins import Login
from tempo_infra.on_host.garbage import KEEP
from tempo_infra.secrets import SecretStore
from tests.brought_along import ROOT, RUN, copied
from tests.lab.conftest import DEADLINE_S, Ran, claim, containers, running_lab
from tests.lab.test_hosts_come_and_go import ENTRY, TEMPORAL

pytestmark = pytest.mark.faults

NAMES = os.environ.get("TEMPO_LAB_BROUGHT", "extra-3,extra-4").split(",")
FIRST, SECOND = NAMES
IMAGE, TAG = "example/echo", "1.0"
PORT = 8990
STATE = "/var/lib/tempo-infra"
SECRETS = f"{STATE}/secrets"
OWN_TEMPLATE = "templates/services/echo/server.yaml.j2"
DIGESTS = "  digests: # `tempo-infra images pin` writes them\n"


@dataclass(frozen=True)
class Site:
    """The cluster's folder, and the program that knows the component."""

    lab: Lab
    program: Path  # a copy of the package lies there
    folder: Path
    digest: str  # of the component's image

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.yaml"

    def write(self, *, roles: str = "matching, echo", somaxconn: int = 4096) -> None:
        """Write the inventory, with these roles on the second host; the number is a change of files alone."""
        head = (self.lab.root / "inventory.yaml").read_text().partition("\nhosts:")[0]
        assert head.count(DIGESTS) == 1
        pin = f"    {IMAGE}:{TAG}: {self.digest}\n" if "echo" in roles else ""
        text = head.replace("cluster: lab", "cluster: brought").replace(DIGESTS, DIGESTS + pin)
        text += "\nrollout: {decide_after: 20s, soak: 1s}\n"
        text += f"\noverrides:\n  sysctl: {{net.core.somaxconn: {somaxconn}}}\n\nhosts:\n"
        text += ENTRY.format(name=FIRST, host=self.host(FIRST), roles=f"postgresql, {TEMPORAL}, ui")
        self.inventory.write_text(text + ENTRY.format(name=SECOND, host=self.host(SECOND), roles=roles))

    def run(self, command: str, *words: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-c", RUN, *command.split(), "-i", self.inventory, *words],
            cwd=self.program,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def must(self, command: str, *words: str) -> str:
        ran = self.run(command, *words)
        assert ran.code == 0, ran.said
        return ran.out

    def says(self, *lines: str) -> None:
        """Let an operator's own template have these lines in the component's file."""
        own = self.folder / OWN_TEMPLATE
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text("".join(f"{line}\n" for line in lines))

    def host(self, name: str) -> Host:
        return self.lab.host(name)

    @property
    def store(self) -> SecretStore:
        return SecretStore.open(SecretsFile(self.folder / "secrets.age", (), Login.BLUE))

    @property
    def token(self) -> str:
        """What the component's container reads."""
        return self.container_has("/run/secrets/own/echo_token")

    @property
    def seal(self) -> str:
        return self.container_has("/run/secrets/reloaded/echo_seal")

    def container_has(self, path: str) -> str:
        source = {one["Destination"]: one["Source"] for one in containers(self.lab, SECOND)["echo"]["Mounts"]}
        folder, _, file = path.rpartition("/")
        return self.host(SECOND).must(["cat", f"{source[folder]}/{file}"])

    def secret_folders(self) -> set[str]:
        return set(self.host(SECOND).must(["ls", SECRETS]).split())

    def sets(self, name: str, value: str) -> None:
        """Write a secret into the file, as a person does who edits it."""
        store = self.store
        old = store._load()
        store._write(old, {**old.values, name: value})

    def answer(self, token: str, path: str = "/greeting") -> tuple[int, str]:
        """What the component says to whoever reaches it on its internal address."""
        with closing(HTTPConnection(self.host(SECOND).internal_address, PORT, timeout=10)) as connection:
            connection.request("GET", path, headers={"X-Token": token})
            answer = connection.getresponse()
            return answer.status, answer.read(100).decode()

    def sealed(self) -> str:
        """The sum of the bytes of the seal that the running component has read."""
        return self.answer("", "/seal")[1]

    def started(self) -> dict[tuple[str, str], str]:
        """(host, service) -> container and its start: equal means that nothing was restarted."""
        return {
            (name, service): f"{one['Id']} {one['State']['StartedAt']}"
            for name in NAMES
            for service, one in containers(self.lab, name).items()
        }

    def findings(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """What check-host says of containers, ports and the component: by host, check and subject."""
        only = (word for one in ("container", "net.port", "echo") for word in ("--only", one))
        ran = self.run("check-host --quick --format json", *only)
        return {
            (host["name"], one["id"], one["subject"]): one
            for host in json.loads(ran.out)["hosts"]
            for one in host["findings"]
        }

    def nothing_to_do(self) -> None:
        self.must("plan --no-diff --detailed-exitcode")


def words(text: str) -> str:
    """The text in one line, as it was before it was wrapped."""
    return " ".join(text.split())


def sum_of(text: str) -> str:
    return str(sum(text.encode()))


def pushed() -> str:
    """Build the component's image on the lab's Debian, push it to the lab's registry; its digest there."""
    target = f"{registry.PUSH}/{IMAGE}:{TAG}"
    options = ["--network", "none", "--label", f"{LABEL}=1", "--build-arg", f"BASE={images.base_tag()}"]
    folder = str(ROOT / "tests/data/component/image")
    run(["docker", "build", *options, "-t", target, folder], env=images.BUILD_ENV, timeout=300)
    run(["docker", "push", "-q", target], timeout=300)
    run(["docker", "rmi", target], check=False)
    return registry.manifest_digest(Home.locate(), IMAGE, TAG)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Two hosts with empty disks, an inventory, and the copy of the package."""
    lab = running_lab("python3 -m lab up --hosts 7")
    claim(lab.root, NAMES)
    lab.reset(NAMES)
    folder = tmp_path_factory.mktemp("brought")
    for name in ("id_ed25519", "known_hosts"):
        shutil.copy(lab.root / name, folder)
    made = Site(lab, copied(tmp_path_factory.mktemp("copy")), folder, pushed())
    made.write()
    return made


def test_it_is_rendered_planned_and_provisioned(site: Site) -> None:
    rendered = site.must("render --stdout", "--host", SECOND)
    assert f'image: "registry.lab:5000/{IMAGE}:{TAG}@{site.digest}"' in rendered
    assert "\ngreeting: hello\n" in rendered
    assert "greeting: hello" not in site.must("render --stdout", "--host", FIRST)
    plan = words(site.must("plan --no-diff"))
    assert "+ secrets/echo/echo_token none -> generated" in plan
    assert "+ secrets/echo/echo_seal none -> generated" in plan
    assert "starts matching, echo" in plan
    site.must("provision")
    site.nothing_to_do()

    found = containers(site.lab, SECOND)
    assert found.keys() == {"matching", "echo"}
    echo = found["echo"]
    assert echo["Config"]["Image"] == f"registry.lab:5000/{IMAGE}:{TAG}@{site.digest}"
    assert echo["Config"]["User"] == "60902:60902"
    address = site.host(SECOND).internal_address
    assert echo["HostConfig"]["PortBindings"] == {f"{PORT}/tcp": [{"HostIp": address, "HostPort": str(PORT)}]}
    assert echo["HostConfig"]["Memory"] >= 48 << 20
    assert echo["HostConfig"]["PidsLimit"] == 64
    assert "echo" not in containers(site.lab, FIRST)


def test_its_secrets_lie_on_its_own_host_for_its_own_reader_alone(site: Site) -> None:
    folders = site.secret_folders()
    assert {re.sub(r"-[0-9a-f]{12}$", "-*", one) for one in folders} == {
        "temporal",
        "echo-*",
        "echo-reloaded",
        "echo-reloaded-*",
    }
    for folder in folders - {"temporal"}:
        [file] = site.host(SECOND).must(["ls", f"{SECRETS}/{folder}"]).split()
        words = ["stat", "-c", "%a %u", f"{SECRETS}/{folder}", f"{SECRETS}/{folder}/{file}"]
        assert site.host(SECOND).must(words).split() == ["700", "60902", "400", "60902"]
    assert site.host(FIRST).must(["ls", SECRETS]).split() == ["temporal"]
    assert (len(site.token), len(site.seal)) == (43, 43)
    assert site.answer(site.token) == (200, "hello")
    assert site.answer("") == (403, "")
    assert site.sealed() == sum_of(site.seal)


def test_it_is_shown_and_checked_with_the_others(site: Site) -> None:
    [echo] = [line for line in site.must("status", "--host", SECOND).splitlines() if " echo " in line]
    assert "✓ echo" in echo
    found = site.findings()
    for check in ("container.state", "container.image", "container.files"):
        assert found[SECOND, check, "echo"]["outcome"] == "pass"
        assert (FIRST, check, "echo") not in found
    port, own = found[SECOND, "net.port", ""], found[SECOND, "echo.greeting", ""]
    assert (port["outcome"], port["evidence"]["ports"]) == ("pass", [6935, 7235, PORT])
    assert (own["outcome"], own["found"]) == ("pass", "hello")
    assert found[FIRST, "echo.greeting", ""]["outcome"] == "skip"


def test_its_check_sees_that_it_is_stopped_and_provision_starts_it(site: Site) -> None:
    site.host(SECOND).must(["docker", "stop", "tempo-infra-echo-1"])
    found = site.findings()
    assert found[SECOND, "echo.greeting", ""]["outcome"] == "unknown"
    assert found[SECOND, "container.state", "echo"]["outcome"] == "fail"
    assert found[SECOND, "net.port", ""]["found"] == f"closed: {PORT} (echo)"
    assert site.run("status").code == 1
    assert "starts echo" in site.must("plan --no-diff")
    site.must("provision")
    assert site.answer(site.token) == (200, "hello")


def test_another_file_restarts_it_alone_and_rollback_takes_that_back(site: Site) -> None:
    before = site.started()
    site.says("greeting: hei")
    plan = words(site.must("plan"))
    assert "+greeting: hei" in plan
    assert "restarts echo: " in plan
    assert "nobody hears an echo" in plan
    assert "1 service restarts" in plan
    site.must("provision")
    assert site.answer(site.token) == (200, "hei")
    after = site.started()
    assert {one for one in before if before[one] != after[one]} == {(SECOND, "echo")}

    site.must("rollback")
    assert site.answer(site.token) == (200, "hello")
    back = site.started()
    assert {one for one in before if before[one] != back[one]} == {(SECOND, "echo")}
    shutil.rmtree(site.folder / "templates")
    site.nothing_to_do()


def test_what_does_not_serve_goes_back_by_itself_and_is_named(site: Site) -> None:
    before = site.started()
    site.says("greeting: hei", "broken: true")
    ran = site.run("provision")
    assert ran.code == 1
    at = f"{site.host(SECOND).internal_address}:{PORT}"
    assert (
        f"echo does not answer at {at} after 60 s: HTTP status 500; its log ends: greets with hei"
        in words(ran.said)
    )
    assert site.answer(site.token) == (200, "hello")
    assert before.keys() == site.started().keys()
    shutil.rmtree(site.folder / "templates")
    site.nothing_to_do()


# What is too short for the component is long enough for the file.
NEW_TOKEN, BAD_TOKEN = "quiet-harbour-5172-lamp", "short-97531-xZqw"
NEW_SEAL = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUFz\n-----END CERTIFICATE-----\n"
BAD_SEAL = "short-86420-yZqw"


def test_another_secret_recreates_its_reader_alone_and_rollback_takes_that_back(site: Site) -> None:
    before, old = site.started(), site.token
    site.sets("echo_token", NEW_TOKEN)
    plan = words(site.must("plan"))
    assert "~ secrets/echo/echo_token" in plan
    assert "(recreates echo)" in plan
    assert "restarts echo: its secret echo_token changes" in plan
    assert NEW_TOKEN not in plan
    site.must("provision")
    assert site.token == NEW_TOKEN
    assert site.answer(NEW_TOKEN) == (200, "hello")
    assert site.answer(old) == (403, "")
    after = site.started()
    assert {one for one in before if before[one] != after[one]} == {(SECOND, "echo")}
    site.nothing_to_do()

    site.must("rollback")
    assert (site.token, site.answer(old)) == (old, (200, "hello"))
    back = site.started()
    assert {one for one in before if before[one] != back[one]} == {(SECOND, "echo")}
    site.must("provision")
    assert site.answer(NEW_TOKEN) == (200, "hello")


def test_a_wrong_secret_is_put_back_with_its_generation(site: Site) -> None:
    site.sets("echo_token", BAD_TOKEN)
    ran = site.run("provision")
    assert ran.code == 1
    assert "its token makes no sense" in words(ran.said)
    assert BAD_TOKEN not in ran.said
    assert site.token == NEW_TOKEN
    assert site.answer(NEW_TOKEN) == (200, "hello")
    site.sets("echo_token", NEW_TOKEN)
    before = site.started()
    site.must("provision")
    assert site.started() == before
    site.nothing_to_do()


def test_what_is_reloaded_is_another_while_its_container_runs_on(site: Site) -> None:
    before, old = site.started(), site.seal
    name = f"echo_seal.{SECOND}"
    site.sets(name, NEW_SEAL)
    plan = words(site.must("plan"))
    assert "~ secrets/echo/echo_seal" in plan
    assert "reloads echo: echo_seal; it runs on" in plan
    assert "restarts echo" not in plan
    site.must("provision")
    assert site.seal == NEW_SEAL
    assert site.sealed() == sum_of(NEW_SEAL)
    assert site.started() == before
    site.nothing_to_do()

    site.must("rollback")
    assert (site.seal, site.sealed()) == (old, sum_of(old))
    assert site.started() == before

    site.sets(name, BAD_SEAL)  # with it, the component says that it is not well
    ran = site.run("provision")
    assert ran.code == 1
    assert "echo does not answer" in words(ran.said)
    assert BAD_SEAL not in ran.said
    assert (site.seal, site.sealed()) == (old, sum_of(old))
    assert site.started() == before
    site.sets(name, NEW_SEAL)
    site.must("provision")
    assert (site.sealed(), site.started()) == (sum_of(NEW_SEAL), before)


@pytest.mark.parametrize("kind", ["own", "reloaded"])
def test_a_secret_that_somebody_changed_on_the_host_is_seen_and_mended(site: Site, kind: str) -> None:
    path = {"own": "/run/secrets/own/echo_token", "reloaded": "/run/secrets/reloaded/echo_seal"}[kind]
    right, before = site.container_has(path), site.started()
    source = {one["Destination"]: one["Source"] for one in containers(site.lab, SECOND)["echo"]["Mounts"]}
    folder, _, file = path.rpartition("/")
    at = f"{source[folder]}/{file}"
    site.host(SECOND).exec(["tee", at], input="edited-by-hand-0123456789")
    found = json.loads(site.run("check-host --quick --format json --only files.drift").out)
    said = json.dumps([one for host in found["hosts"] if host["name"] == SECOND for one in host["findings"]])
    assert at in said
    assert "edited-by-hand" not in said
    plan = words(site.must("plan"))
    assert f"~ secrets/echo/{file}" in plan
    assert ("a secret of it was changed on the host" in plan) is (kind == "own")
    site.must("provision")
    assert site.container_has(path) == right
    assert site.answer(site.token) == (200, "hello")
    assert site.sealed() == sum_of(site.seal)
    after = site.started()
    assert {one for one in before if before[one] != after[one]} == (
        {(SECOND, "echo")} if kind == "own" else set()
    )
    site.nothing_to_do()


def test_no_secret_is_seen_on_its_host_outside_of_its_folder(site: Site) -> None:
    values = [one for one in (site.token, *site.seal.splitlines()) if "-----" not in one]
    places = "/var/lib/tempo-infra /etc /tmp /var/tmp /run /root /home /var/log"
    marks = "/mnt/marks"
    site.host(SECOND).exec(["tee", marks], input="\n".join(values))
    script = f"find {places} -xdev -type f -exec grep -slF -f {marks} {{}} +"
    found = set(site.host(SECOND).exec(["sh", "-c", script], timeout=120).stdout.split())
    site.host(SECOND).must(["rm", marks])
    assert found
    assert all(place.startswith(f"{SECRETS}/echo") for place in found), found
    texts = [json.dumps(containers(site.lab, SECOND)), site.host(SECOND).must(["journalctl", "-o", "cat"])]
    assert [value for value in values for text in texts if value in text] == []


def test_without_its_role_it_is_stopped_and_can_be_gone_back_to(site: Site) -> None:
    token = site.token
    site.write(roles="matching")
    plan = site.must("plan --no-diff")
    assert "stops echo" in plan
    assert "1 host changes, 1 service restarts" in words(plan)
    before = site.started()
    site.must("provision")
    after = site.started()
    assert before.keys() - after.keys() == {(SECOND, "echo")}
    # Its neighbour gets the memory that is free then; the other host is left alone.
    assert {one for one in after if before[one] != after[one]} == {(SECOND, "matching")}
    assert site.host(SECOND).exec(["docker", "inspect", "tempo-infra-echo-1"]).returncode == 1
    with pytest.raises(ConnectionRefusedError):
        site.answer(token)
    site.nothing_to_do()

    site.must("rollback")
    assert site.answer(token) == (200, "hello")
    site.must("provision")
    assert (SECOND, "echo") not in site.started()


def test_its_secrets_are_taken_away_when_no_generation_can_be_gone_back_to_that_has_them(site: Site) -> None:
    assert {one for one in site.secret_folders() if one.startswith("echo-")}
    for number in range(KEEP):
        site.write(roles="matching", somaxconn=4097 + number)
        site.must("provision")
    assert site.secret_folders() == {"temporal"}


def test_nothing_of_it_is_left_where_the_cluster_was_removed(site: Site) -> None:
    site.must("remove", "--confirm-remove", "brought")
    assert site.started() == {}
    assert site.host(SECOND).must(["ls", "-A", STATE]).split() == []
    assert site.host(FIRST).must(["cat", "/srv/tempo/postgres/data/PG_VERSION"]).strip() == "17"
