"""A host is the old one or the new one, whatever happens in between; tests/lab/invariants.py looks.

They run on the lab's cluster with history-1 as the host that changes, or on any inventory and host of it:
TEMPO_LAB_TRANSACTION=inventory.yaml:host.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from lab.hosts import Host, Lab
from lab.relay import Relay
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.rollout import Options, Outcome, Rollout
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.render import render
from tempo_infra.render.bundle import Bundle
from tempo_infra.secrets import TEMPORAL_DB, SecretStore
from tempo_infra.sizing import size
from tests.lab import invariants
from tests.lab.conftest import COMMAND, DEADLINE_S, Inventory, Ran, Variants

pytestmark = pytest.mark.faults

SYSCTL = "etc/sysctl.d/60-tempo-infra.conf"
DECIDED_S = 180.0  # a host decides after 60 s of silence, and putting back takes its time


@dataclass
class Bed:
    """A provisioned cluster, the host that changes, and what must outlive every test."""

    lab: Lab
    inventory: Inventory
    host: Host
    database: Host
    rows: int = 0
    foreign: str = ""
    made: list[Path] = field(default_factory=list)

    def generation(self) -> str:
        return self.host.must(["readlink", "/var/lib/tempo-infra/current"]).strip().rpartition("/")[2]

    def psql(self, statement: str) -> None:
        id_ = self.database.must(
            ["docker", "ps", "-q", "-f", "label=com.docker.compose.service=postgresql"]
        ).strip()
        self.database.must(["docker", "exec", id_, "psql", "-XqU", "postgres", "-c", statement])

    def foreign_started(self) -> str:
        return self.host.must(["docker", "inspect", "-f", "{{.Id}} {{.State.StartedAt}}", "foreign"]).strip()

    def whole(self, *, rebooted: bool = False) -> None:
        """Insist on the invariants of both hosts."""
        assert invariants.problems(self.host.container) == []
        rows = self.rows if self.database.name == self.host.name else None
        assert invariants.problems(self.database.container, rows) == []
        assert rebooted or self.foreign_started() == self.foreign

    def decided(self) -> None:
        """Wait until the host has decided by itself."""
        end = time.monotonic() + DECIDED_S
        while self.host.exec(["test", "-e", "/var/lib/tempo-infra/armed.json"]).returncode == 0:
            assert time.monotonic() < end, "the host did not decide"
            time.sleep(0.5)

    def changed(self, variant: Variants, *more: tuple[str, str]) -> Inventory:
        """The inventory with less memory for the host: its services are made anew."""
        internal = re.escape(self.host.internal_address)
        return variant((rf"(internal: {internal}\n(?:.*\n)*?.*memory: )4GiB", r"\g<1>3GiB"), *more)

    def edited(self, *changes: tuple[str, str], options: Options | None = None) -> Outcome:
        """Push rendered files changed by hand, as a wrong template or setting would make them."""

        def edit(bundle: Bundle) -> Bundle:
            texts = {file.path: file.content.decode() for file in bundle.files}
            for pattern, replacement in changes if bundle.host == self.host.name else ():
                texts = {path: re.sub(pattern, replacement, text) for path, text in texts.items()}
            edited = (replace(file, content=texts[file.path].encode()) for file in bundle.files)
            return Bundle(bundle.host, tuple(edited), bundle.services)

        cluster = load(self.inventory.path)
        secrets = SecretStore.open(cluster.secrets).ensure([TEMPORAL_DB])
        bundles = [edit(bundle) for bundle in render(cluster, size(cluster))]
        with Fleet(lambda host: open_session(host, Sudo()), lambda _: None) as fleet:
            rollout = Rollout(cluster, bundles, secrets, fleet, options or Options())
            plan = rollout.plan(cluster.hosts)
            assert not plan.problems
            return rollout.apply(plan, lambda _: None)


@pytest.fixture(scope="module")
def own(lab: Lab) -> Inventory | None:
    """An inventory named by the environment; None: the lab's."""
    named = os.environ.get("TEMPO_LAB_TRANSACTION")
    return Inventory(Path(named.rpartition(":")[0])) if named else None


@pytest.fixture
def inventory(own: Inventory | None, lab: Lab) -> Inventory:
    return own or Inventory(lab.key.with_name("inventory.yaml"))


@pytest.fixture
def bed(request: pytest.FixtureRequest, own: Inventory | None, lab: Lab) -> Iterator[Bed]:
    """The cluster as its inventory says, with a committed row and a foreign container."""
    named = os.environ.get("TEMPO_LAB_TRANSACTION", ":history-1").rpartition(":")[2]
    inventory: Inventory = own or request.getfixturevalue("cluster")
    if own:
        inventory.provision()
    cluster = load(inventory.path)
    database = cluster.with_role(Role.POSTGRESQL)[0].name
    bed = Bed(lab, inventory, lab.host(named), lab.host(database))
    bed.psql("create table if not exists marker (); insert into marker default values")
    bed.rows = 1
    image = bed.host.must(["docker", "images", "-q"]).split()[0]
    words = ["docker", "run", "-d", "--name", "foreign", "--entrypoint", "sleep", image, "infinity"]
    bed.host.exec(["docker", "rm", "-f", "foreign"])  # of a test run that was ended
    bed.host.must(words)
    bed.foreign = bed.foreign_started()
    yield bed
    bed.host.exec(["docker", "rm", "-f", "foreign"])


@contextmanager
def when(host: Host, step: str, act: Callable[[], object], result: str = "done") -> Iterator[threading.Event]:
    """Do something as soon as the host's journal says that a step of this run has begun or ended."""
    seen = invariants.Seen(host.container)
    before, stop, acted = len(invariants.journal(seen)), threading.Event(), threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            if any(
                entry["step"] == step and entry["result"] == result
                for entry in invariants.journal(seen)[before:]
            ):
                act()
                acted.set()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield acted
    finally:
        stop.set()
        thread.join()


def through(bed: Bed, relay: Relay, variant: Variants) -> Inventory:
    """The changed inventory, with the host reached through a relay."""
    known = bed.lab.known_hosts.with_name("known_hosts-transaction")
    known.write_text(bed.lab.known_hosts.read_text() + bed.host.pinned(relay.address, relay.port) + "\n")
    address = re.escape(bed.host.ssh_address)
    return bed.changed(
        variant,
        (r"known_hosts: .*", f"known_hosts: {known}"),
        (rf"address: {address}\n", f"address: {relay.address}\n    ssh: {{port: {relay.port}}}\n"),
    )


def started(inventory: Inventory, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, "provision", "-i", inventory.path, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> Ran:
    out, _ = process.communicate(timeout=DEADLINE_S)
    return Ran(process.returncode, out, "")


def run_id(text: str) -> str:
    found = re.search(r"resume ([0-9a-f]{8})", text)
    assert found is not None, text
    return found[1]


CRASHES = (r"(?m)^(  (?:history|frontend):\n(?:    .*\n)*?    command: )\[.*\]$", r'\1["sh", "-c", "exit 3"]')
OTHER_SYSCTL = (r"(?m)^(vm\.swappiness\s*=\s*).*$", r"\g<1>37")


def test_a_new_container_that_does_not_stay_up_is_put_back(bed: Bed) -> None:
    before, swappiness = bed.generation(), bed.host.must(["sysctl", "-n", "vm.swappiness"])
    outcome = bed.edited(CRASHES, OTHER_SYSCTL)
    assert not outcome.ok
    assert "ended 5 times" in outcome.errors[bed.host.name].what
    assert outcome.now[bed.host.name] == f"back on {before[:12]}"
    assert bed.generation() == before
    assert bed.host.must(["sysctl", "-n", "vm.swappiness"]).strip() == swappiness.strip()
    bed.whole()


def test_a_failed_host_can_be_held_for_a_person_and_the_next_run_goes_on_from_there(bed: Bed) -> None:
    before = bed.generation()
    outcome = bed.edited(CRASHES, options=Options(on_failure="hold"))
    assert outcome.now[bed.host.name].startswith("held on ")
    assert bed.generation() != before
    assert bed.host.exec(["systemctl", "is-active", "tempo-infra-boot.service"]).returncode != 0
    bed.inventory.provision()
    assert bed.generation() == before
    bed.whole()


@pytest.mark.parametrize("step", ["arm", "switch", "serving"])
def test_a_link_cut_between_arming_and_confirmation_is_decided_by_the_host(
    bed: Bed, variant: Variants, step: str
) -> None:
    """Healthy, it keeps the new generation; else it is back on the old one. Nobody is asked."""
    before = bed.generation()
    with Relay(bed.host.ssh_address, bed.host.ssh_port) as relay:
        changed = through(bed, relay, variant)
        with when(bed.host, step, relay.break_all) as cut:
            ran = changed.run("provision")
            assert cut.is_set()
    assert ran.code == 3, ran.said
    assert f"{bed.host.name}: lost the connection in step" in ran.said
    resumed = bed.inventory.run(f"resume {run_id(ran.said)}")
    bed.decided()
    bed.whole()
    kept = bed.generation() != before
    assert resumed.code == (0 if kept else 1), resumed.said
    assert ("confirmed" if kept else f"rolled back to {before[:12]}") in resumed.out
    bed.inventory.provision()
    bed.whole()


def test_an_operator_who_falls_silent_is_not_waited_for(bed: Bed, variant: Variants) -> None:
    """The connection stays open and nothing comes: a suspended laptop, a dropped route."""
    process = started(bed.changed(variant))
    with when(bed.host, "switch", lambda: process.send_signal(signal.SIGSTOP)) as stopped:
        assert stopped.wait(90)
        bed.decided()
    process.send_signal(signal.SIGCONT)
    assert ended(process).code in (1, 3)
    bed.whole()


@pytest.mark.parametrize("step", ["arm", "up", "healthy"])
def test_an_operator_killed_in_the_middle_leaves_a_host_that_decides(
    bed: Bed, variant: Variants, step: str
) -> None:
    process = started(bed.changed(variant))
    with when(bed.host, step, process.kill) as killed:
        assert killed.wait(90)
    ended(process)
    bed.decided()
    bed.whole()


def test_a_dead_process_on_the_host_is_noticed_by_its_timer(bed: Bed, variant: Variants) -> None:
    """What works on the host is killed with all that it has started, in the middle of a step."""
    before = bed.generation()

    def kill() -> None:
        bed.host.must(["sh", "-c", "systemctl kill -s KILL 'tempo-infra-run-*.scope'"])

    with when(bed.host, "switch", kill) as killed:
        ran = bed.changed(variant).run("provision")
        assert killed.is_set(), ran.said
    assert ran.code == 3, ran.said
    bed.decided()
    assert bed.generation() == before
    bed.whole()


@pytest.mark.parametrize(("step", "event"), [("switch", "power_cut"), ("healthy", "reboot")])
def test_a_boot_between_switch_and_confirmation_leads_back_to_the_old_generation(
    bed: Bed, variant: Variants, step: str, event: str
) -> None:
    before = bed.generation()
    with when(bed.host, step, getattr(bed.host, event)) as booted:
        ran = bed.changed(variant).run("provision")
        assert booted.wait(60), ran.said
    assert ran.code in (1, 3), ran.said
    bed.decided()
    assert bed.generation() == before
    bed.whole(rebooted=True)


def test_two_operators_never_meet_on_a_host(bed: Bed, variant: Variants) -> None:
    process = started(bed.changed(variant))
    with when(bed.host, "stage", lambda: None) as staged:
        assert staged.wait(60)
        other = bed.inventory.run("provision")
    first = ended(process)
    assert first.code == 0, first.said
    assert other.code != 0 or "0 changed" in other.out, other.said
    bed.whole()
    waited = bed.inventory.run("provision", "--lock-wait", "60")
    assert waited.code == 0, waited.said
    bed.whole()


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_once_ends_the_run_in_order_and_twice_leaves_it_to_the_hosts(
    bed: Bed, variant: Variants, signals: int
) -> None:
    before = bed.generation()
    process = started(bed.changed(variant))

    def interrupt() -> None:
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)

    with when(bed.host, "switch", interrupt) as done:
        assert done.wait(90)
    ran = ended(process)
    bed.decided()
    assert ran.code == 1, ran.said
    assert ("left to the hosts (run " if signals == 2 else f"back on {before[:12]}") in ran.said
    bed.whole()


def test_a_plan_is_refused_when_a_host_moved_since(bed: Bed, variant: Variants, tmp_path: Path) -> None:
    changed = bed.changed(variant)
    kept = str(tmp_path / "plan.json")
    assert changed.run("plan", "--out", kept).code == 0
    before = bed.generation()
    service = bed.host.must(["docker", "ps", "-q", "-f", invariants.PROJECT]).split()[0]
    bed.host.must(["docker", "stop", service])
    ran = changed.run("provision", "--plan", kept)
    assert ran.code == 1
    assert f"{bed.host.name}: the host moved since the plan was made: containers" in ran.said
    bed.host.must(["docker", "start", service])
    assert changed.run("provision", "--plan", kept).code == 0
    assert bed.generation() != before
    bed.whole()


def test_an_edited_owned_file_is_shown_refused_and_taken_over_only_when_asked(
    bed: Bed, variant: Variants
) -> None:
    bed.host.must(["sh", "-c", f"echo '# mine' >> /{SYSCTL}"])
    drift = bed.inventory.run("diff")
    assert drift.code == 1
    assert "+# mine" in drift.out
    before = bed.generation()
    ran = bed.changed(variant).run("provision")
    assert ran.code == 1
    assert f"/{SYSCTL} was changed on the host" in ran.said
    assert bed.generation() == before
    bed.inventory.provision("--take-over")
    copies = bed.host.must(["sh", "-c", f"cat /var/lib/tempo-infra/taken-over/*/{SYSCTL}"])
    assert copies.endswith("# mine\n")
    assert bed.inventory.run("diff").code == 0
    bed.whole()


def test_a_setting_that_postgresql_does_not_start_with_is_refused_before_anything_is_touched(
    bed: Bed,
) -> None:
    """Its own check takes it: the memory is asked for at the start only."""
    if bed.database.name != bed.host.name:
        bed.host = bed.database
    before = bed.generation()
    running = invariants.containers(invariants.Seen(bed.host.container))["postgresql"]["State"]["StartedAt"]
    outcome = bed.edited(
        (r"(?m)^shared_buffers = .*$", "shared_buffers = 900GB"),
        (r"postgresql-[0-9a-f]{12}", "postgresql-bad000000000"),
    )
    assert "trial-start: PostgreSQL does not start" in outcome.errors[bed.host.name].what
    assert outcome.now == {}
    assert bed.host.name in outcome.not_started
    now = invariants.containers(invariants.Seen(bed.host.container))["postgresql"]["State"]["StartedAt"]
    assert (bed.generation(), now) == (before, running)


def test_a_full_disk_in_the_middle_of_a_run_leads_back(bed: Bed, variant: Variants) -> None:
    """The state folder gets a file system of its own, filled as soon as the host is armed."""
    state, before = "/var/lib/tempo-infra", bed.generation()
    script = (
        "mkdir /mnt/state && mount -t tmpfs -o size=640m tmpfs /mnt/state && "
        f"cp -a {state}/. /mnt/state/ && mount --bind /mnt/state {state} && umount /mnt/state"
    )
    bed.host.must(["sh", "-c", script])
    try:
        with when(
            bed.host, "arm", lambda: bed.host.exec(["dd", "if=/dev/zero", f"of={state}/fill", "bs=1M"])
        ) as full:
            ran = bed.changed(variant).run("provision")
            assert full.is_set(), ran.said
        bed.host.must(["rm", "-f", f"{state}/fill"])
        bed.decided()
        assert ran.code in (0, 1), ran.said
        assert (bed.generation() == before) == (ran.code == 1)
        bed.whole()
    finally:
        bed.host.exec(["umount", "-l", state])
        bed.host.exec(["rmdir", "/mnt/state"])
        bed.host.power_cut()  # containers let go of the file system that is gone
        bed.host.exec(["docker", "compose", "-f", f"{state}/current/docker-compose.yml", "up", "-d"])


def test_going_back_by_hand_and_forward_again(bed: Bed, variant: Variants) -> None:
    before = bed.generation()
    bed.changed(variant).provision()
    assert bed.generation() != before
    ran = bed.inventory.run("rollback", "--host", bed.host.name)
    assert ran.code == 0, ran.said
    assert bed.generation() == before
    bed.whole()
    assert "rolled back by hand" in bed.inventory.run("history").out
    assert bed.inventory.run("plan", "--detailed-exitcode").code == 0
