"""A secrets file that does not follow from the one before is refused, whoever can open it; others go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyrage
import pytest

from tempo_infra.deploy import origin
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.inspect import Digests, Supply, place_of
from tempo_infra.deploy.options import Options
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.inventory.logins import Login
from tempo_infra.on_host.origin import Origin
from tempo_infra.on_host.state import HostState
from tempo_infra.report.changes import plan_json, plan_lines
from tempo_infra.secrets import SecretStore
from tests.fakes import FakeHosts
from tests.unit.deploy.test_plan import FRESH
from tests.unit.deploy.test_rollout import pushed, trio

BLUE, GREEN = Login.BLUE, Login.GREEN
KNOWN = "KnownToMallory-9fKq2LmXv7Rt4Zp1"
FOLLOWS = "does not follow from the one that this host has confirmed (2026-11-20, run r1, written 2 times)"


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


class Story:
    """Alice and Bob keep a cluster's secrets, Carol once did; Mallory has the repository and no key."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "secrets.age"
        names = ("alice", "bob", "carol", "mallory")
        self.keys = {name: self.store(name, ()).own_identity()[0] for name in names}
        self.listed: tuple[str, ...] = ("alice", "bob", "carol")
        self.state: HostState = FRESH
        self.login = BLUE

    def store(self, name: str, listed: tuple[str, ...] | None = None) -> SecretStore:
        recipients = tuple(self.keys[one] for one in (self.listed if listed is None else listed))
        file = SimpleNamespace(path=self.path, recipients=recipients)
        return SecretStore.open(file, self.folder / name, environ={})

    def content(self, name: str = "alice") -> dict[str, Any]:
        text = (self.folder / name / "identity.txt").read_text().splitlines()[-1]
        key = pyrage.x25519.Identity.from_str(text)
        found: dict[str, Any] = json.loads(pyrage.decrypt(self.path.read_bytes(), [key]))
        return found

    def write(self, document: dict[str, Any]) -> None:
        """Encrypt for the listed ones, as anybody can who reads the inventory."""
        keys = [pyrage.x25519.Recipient.from_str(self.keys[name]) for name in self.listed]
        self.path.write_bytes(pyrage.encrypt(json.dumps(document).encode(), keys))

    def provisioned(self, name: str = "alice") -> None:
        """The hosts have what the file says, and have confirmed it."""
        store = self.store(name)
        store.ensure([self.login.secret])
        found = store.look()
        secrets: dict[str, str | None] = {
            place_of(one): digest(found.secrets[one.secret].value)
            for one in Login
            if one.secret in found.secrets
        }
        known = Origin(found.origin.digests[-1], found.origin.write, "2026-11-20", "r1")
        self.state = replace(FRESH, last_good="g", secrets=secrets, origin=known)

    def against(self, name: str = "alice") -> tuple[str, ...]:
        """What this operator's plan says against the file that lies there now."""
        found = self.store(name).look()
        there = {key: one for key, one in found.secrets.items() if key == self.login.secret}
        supply = Supply(there, found, () if there else (self.login.secret,))
        known = {
            place_of(one): digest(found.secrets[one.secret].value)
            for one in Login
            if one.secret in found.secrets
        }
        wanted = {place_of(self.login): known.get(place_of(self.login), "")}
        return origin.problems(self.state, supply, Digests(wanted, known))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A cluster whose file was written twice."""
    made = Story(tmp_path)
    made.store("alice").ensure([BLUE.secret])
    made.store("alice").rekey()
    made.provisioned()
    return made


def rekeyed_by(name: str) -> Callable[[Story], object]:
    return lambda story: story.store(name).rekey()


def rotating(story: Story) -> None:
    story.store("bob").ensure([GREEN.secret])
    story.login = GREEN


def rotated(story: Story) -> None:
    rotating(story)
    story.store("bob").forget([BLUE.secret])


def twice(story: Story) -> None:
    for _ in range(2):
        rotated(story)
        story.store("carol").rekey()


@pytest.mark.parametrize(
    "legit",
    [lambda _: None, rekeyed_by("alice"), rekeyed_by("bob"), rekeyed_by("carol"), rotating, rotated, twice],
    ids=["as it was", "rekey by alice", "by bob", "by carol", "rotating", "rotated", "many writes"],
)
@pytest.mark.parametrize("reader", ["alice", "bob", "carol"])
def test_what_follows_is_taken_whoever_wrote_it(
    story: Story, legit: Callable[[Story], object], reader: str
) -> None:
    legit(story)
    assert story.against(reader) == ()


def old_format(story: Story) -> None:
    """As p9: the login that is not in use yet, a password that Mallory knows, and her key as an operator."""
    story.login = GREEN
    story.write(
        {
            "version": 1,
            "secrets": {GREEN.secret: KNOWN},
            "operators": [story.keys["mallory"]],
            "recipients": [story.keys["alice"]],
        }
    )


def both_logins(story: Story) -> None:
    story.login = GREEN
    secrets = {GREEN.secret: KNOWN, BLUE.secret: "KnownToMallory-too-9fKq2LmXv7Rt4"}
    story.write({"version": 1, "secrets": secrets, "operators": [], "recipients": []})


def with_keys(write: int) -> Callable[[Story], None]:
    def forge(story: Story) -> None:
        """A whole file of this program's own, with everything in it but what nobody else knows."""
        elsewhere = Story(story.folder / "mallorys")
        elsewhere.path.unlink(missing_ok=True)
        elsewhere.store("mallory").ensure([BLUE.secret, GREEN.secret])
        document = elsewhere.content("mallory")
        document["origin"]["write"] = write
        story.login = GREEN
        story.write(document)

    return forge


def digests_for_keys(story: Story) -> None:
    """What stands on a host is a digest: taken for the key it proves nothing."""
    story.login = GREEN
    known = story.state.origin
    assert known is not None
    keys = {"write": 3, "keys": [known.digest], "generated": {}}
    story.write({"version": 2, "secrets": {GREEN.secret: KNOWN}, "recipients": [], "origin": keys})


@pytest.mark.parametrize(
    "forged",
    [old_format, both_logins, with_keys(2), with_keys(3), with_keys(900_000), digests_for_keys],
    ids=[
        "as before origins",
        "both logins",
        "own, as often",
        "own, newer",
        "own, far ahead",
        "digest as key",
    ],
)
@pytest.mark.parametrize("reader", ["alice", "bob"])
def test_a_file_of_somebody_who_could_not_open_the_last_is_refused(
    story: Story, forged: Callable[[Story], None], reader: str
) -> None:
    (story.folder / "mallorys").mkdir()
    forged(story)
    assert FOLLOWS in story.against(reader)[0] or "is older than the one" in story.against(reader)[0]
    story.store(reader).rekey()  # whoever writes it anew does not make it follow
    assert FOLLOWS in story.against(reader)[0] or "is older than the one" in story.against(reader)[0]


def test_a_file_of_before_the_last_rotation_is_refused_though_it_was_ours(story: Story) -> None:
    """Its password may be the one that was to go."""
    both = {}
    rotating(story)
    both[GREEN] = story.path.read_bytes()
    story.provisioned()
    story.store("bob").forget([BLUE.secret])
    story.provisioned("bob")
    story.path.write_bytes(both[GREEN])
    story.login = BLUE
    [older] = story.against()
    assert "the secrets file is older than the one that this host has confirmed" in older
    assert "written 4 times" in older


def test_who_was_dropped_can_not_make_one_that_follows(story: Story) -> None:
    """Carol kept what she could read, and was dropped since."""
    carols = story.content("carol")
    story.listed = ("alice", "bob")
    story.store("alice").rekey()
    story.provisioned()
    carols["secrets"][GREEN.secret] = KNOWN
    carols["origin"]["keys"].append("ab" * 32)
    carols["origin"]["write"] += 5
    story.write(carols)
    story.login = GREEN
    assert "does not follow from the one" in story.against("bob")[0]


def test_a_next_password_that_somebody_wrote_into_the_true_file_is_refused(story: Story) -> None:
    document = story.content()
    document["secrets"][GREEN.secret] = KNOWN
    story.write(document)
    story.login = GREEN
    [problem] = story.against("bob")
    assert problem.startswith("temporal_db_green in the secrets file was not generated by tempo-infra")
    story.store("bob").rekey()
    assert story.against("bob") == (problem,)


def test_a_seal_of_one_password_fits_no_other(story: Story) -> None:
    rotating(story)
    assert story.against() == ()
    document = story.content()
    document["secrets"][GREEN.secret] = KNOWN
    story.write(document)
    assert "was not generated" in story.against()[0]


def test_a_lost_file_is_not_made_anew_in_silence(story: Story) -> None:
    story.path.unlink()
    [problem] = story.against()
    assert problem.startswith(
        "there is no secrets file that follows from the one that this host has confirmed"
    )
    assert "`tempo-infra secrets recover`" in problem


def of_before(story: Story) -> None:
    """The cluster and its file are as an earlier version left them."""
    document = story.content()
    del document["origin"]
    story.write({**document, "version": 1, "operators": []})
    story.state = replace(story.state, origin=None)


def test_hosts_of_before_compare_passwords(story: Story) -> None:
    of_before(story)
    assert story.against() == ()
    rotating(story)
    assert story.against() == ()  # blue is there, and green was generated
    true = story.path.read_bytes()
    old_format(story)
    [lacks, made] = story.against()
    assert lacks.startswith("the secrets file lacks the password that lies in temporal/db_password here")
    assert made.startswith("temporal_db_green in the secrets file was not generated")
    both_logins(story)
    assert len(story.against()) == 2
    story.path.write_bytes(true)
    assert story.against() == ()


def test_a_fresh_host_takes_the_first_file(story: Story) -> None:
    story.state = FRESH
    assert story.against() == ()
    rotated(story)
    assert story.against() == ()


# Runs over a whole cluster.


def run(
    story: Story, options: Options | None = None, reader: str = "alice"
) -> tuple[FakeHosts, Rollout, Any]:
    cluster, bundles = trio()
    found = story.store(reader).look()
    there = {name: one for name, one in found.secrets.items() if name == story.login.secret}
    supply = Supply(there, found, () if there else (story.login.secret,))
    states = {
        name: replace(state, last_good=state.generation, origin=story.state.origin)
        for name, state in pushed(cluster, bundles).items()
    }
    hosts = FakeHosts(states)
    fleet = Fleet(hosts.open, lambda _: None)
    rollout = Rollout(cluster, bundles, supply, fleet, options or Options())
    plan = rollout.plan(cluster.hosts)
    return hosts, rollout, replace(plan, hosts=tuple(replace(one, secrets=()) for one in plan.hosts))


def test_nothing_to_do_where_hosts_know_the_file(story: Story) -> None:
    _, _, plan = run(story)
    assert plan.changing == ()
    assert plan.problems == []
    assert f"who can open the secrets: {story.keys['alice']} (you)" in " ".join(
        " ".join(plan_lines(plan, diffs=False)).split()
    )
    assert plan_json(plan)["readers"][0] == f"{story.keys['alice']} (you)"


def test_a_file_that_was_written_since_is_remembered_and_nothing_else_is_touched(story: Story) -> None:
    story.listed = ("alice",)
    story.store("alice").rekey()
    hosts, rollout, plan = run(story)
    said = "\n".join(plan_lines(plan, diffs=False))
    assert said.count("~ origin of the secrets file") == 3
    assert "write 2 -> write 3" in said
    outcome = rollout.apply(plan, lambda _: None)
    assert outcome.ok
    assert {step for _, step in hosts.asked} == {"lock", "note", "origin"}
    given = [step.arguments for _, step in hosts.given if step.name == "origin"]
    now = story.store("alice").look().origin
    assert {one["digest"] for one in given} == {now.digests[-1]}
    assert story.state.origin is not None
    assert {(one["write"], one["seen"]) for one in given} == {(3, story.state.origin.digest)}


@pytest.mark.parametrize("forged", [old_format, both_logins])
def test_a_forged_file_ends_a_run_on_every_host(story: Story, forged: Callable[[Story], None]) -> None:
    forged(story)
    _, _, plan = run(story)
    assert {host for host, _ in plan.problems} == {"front-1", "history-1", "db-1"}


def test_take_over_takes_it_and_says_what_that_was(story: Story) -> None:
    story.path.unlink()
    story.store("bob").ensure([BLUE.secret])
    hosts, rollout, plan = run(story, Options(take_over=True))
    assert plan.problems == []
    assert all(FOLLOWS in one.overridden[0] or "older" in one.overridden[0] for one in plan.hosts)
    assert "! taken over, although the secrets file is older" in " ".join(
        " ".join(plan_lines(plan, diffs=False)).split()
    )
    assert rollout.apply(plan, lambda _: None).ok
    assert [step for _, step in hosts.asked].count("origin") == 3


def test_the_end_of_a_rotation_is_remembered_too(story: Story) -> None:
    hosts, rollout, plan = run(story)
    rollout.apply(plan, lambda _: None)
    assert hosts.given == []
    now = story.store("alice").forget([BLUE.secret])
    assert rollout.remember(now) == {}
    assert [step.arguments["digest"] for _, step in hosts.given if step.name == "origin"] == [
        now.digests[-1]
    ] * 3
    assert rollout.remember(now) == {}  # once
    assert len(hosts.given) == 6


def test_a_run_whose_end_could_not_be_remembered_says_so(story: Story) -> None:
    story.store("alice").rekey()
    hosts, rollout, plan = run(story)
    hosts.fails.add(("db-1", "origin"))
    outcome = rollout.apply(plan, lambda _: None)
    assert set(outcome.errors) == {"db-1"}
    assert not outcome.ok
