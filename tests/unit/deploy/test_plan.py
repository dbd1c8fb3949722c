from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.deploy.plan import Action, plan_host
from tempo_infra.deploy.preconditions import Allowed
from tempo_infra.inventory.cluster import Disk, Host, InstanceClass, Resources, Role, Ssh
from tempo_infra.on_host.condition import Container
from tempo_infra.on_host.engine_here import Unfit
from tempo_infra.on_host.manifest import Instance, Material
from tempo_infra.on_host.state import Docker, HostState
from tempo_infra.render.bundle import Bundle, File

HOST = Host(
    "db-1",
    Ssh("192.0.2.1", "deploy", 22, (), Path("known_hosts")),
    "10.0.0.13",
    InstanceClass("High-RAM", "", "memory", {}),
    Resources(4, 8 << 30, Disk("nvme", 80 << 30)),
    (Role.POSTGRESQL,),
    {},
)
COMPOSE = (
    "services:\n  postgresql: {image: postgres:17, volumes: [services/postgresql-%s]}\n  ui: {image: ui}\n"
)
STOPPED = Unfit("docker-ce is stopped", "systemctl start docker")
PODMAN = Unfit("Podman answers", "apt-get remove podman-docker")
OWNED = "etc/sysctl.d/60-tempo-infra.conf"


def bundle(conf: str = "a = 1\n", digest: str = "aaaaaaaaaaaa", sysctl: str = "k = 1\n") -> Bundle:
    files = (
        File("docker-compose.yml", (COMPOSE % digest).encode(), 0o644, 0, "recreates"),
        File(OWNED, sysctl.encode(), 0o644, 0, "applied by sysctl"),
        File(f"services/postgresql-{digest}/postgresql.conf", conf.encode(), 0o644, 0, "restarts postgresql"),
    )
    instances = {
        "postgresql": Instance("postgresql", "postgres:17", data={"major": "17"}),
        "ui": Instance("ui", "ui"),
        "schema": Instance("postgresql", "admin-tools", job=True),
    }
    return Bundle("db-1", files, instances)


def container(service: str, *, running: bool = True) -> Container:
    image = {"postgresql": "postgres:17"}.get(service, service)
    state = "running" if running else "exited"
    return Container(service, f"id-{service}", running, "2026-11-20T10:00:00Z", image, state=state)


FRESH = HostState(
    hostname="db-1", boot_id="b", os_id="debian-13", python="3.13.5", service_manager=True,
    docker=Docker("28.1.0", "2.35.0"), generation=None, confirmed=None, manifest="", installed={OWNED: None},
    texts={}, secrets={}, containers=[], addresses=["127.0.0.1", "10.0.0.13"], state_free_bytes=50 << 30,
    state_free_inodes=100_000, data_version=None,
)  # fmt: skip


def after(made: Bundle) -> HostState:
    """The state of a host to which a bundle was pushed."""
    return replace(
        FRESH,
        generation=made.digest,
        confirmed=made.digest,
        manifest=made.manifest.text.decode(),
        installed={OWNED: made.file(OWNED).sha256},
        containers=[container("postgresql"), container("ui")],
        data_version="17",
        system_identifier="7712",
    )


def seen_from(state: HostState, old: Bundle, new: Bundle) -> HostState:
    """What the host answers when it is asked about a new bundle: the texts that differ."""
    wanted = {file.path: file.sha256 for file in new.files}
    texts = {file.path: file.content.decode() for file in old.files if wanted.get(file.path) != file.sha256}
    return replace(state, texts=texts)


def test_nothing_changed_is_nothing_to_do() -> None:
    plan = plan_host(HOST, bundle(), after(bundle()), {})
    assert plan.is_noop
    assert plan.problems == ()


def test_a_host_of_another_cluster_is_refused_until_its_old_name_is_said() -> None:
    old, new = replace(bundle(), cluster="bergen"), replace(bundle(), cluster="oslo")
    [problem] = plan_host(HOST, new, after(old), {}).problems
    assert problem.startswith("this host belongs to the cluster bergen, not to oslo: `tempo-infra remove`")
    assert plan_host(HOST, new, after(old), {}, Allowed(renamed_from="trondheim")).problems == (problem,)
    assert plan_host(HOST, new, after(old), {}, Allowed(take_over=True)).problems == (problem,)
    plan = plan_host(HOST, new, after(old), {}, Allowed(renamed_from="bergen"))
    assert (plan.problems, plan.restarts, plan.notes) == (
        (),
        (),
        ("the cluster bergen is called oslo from now on",),
    )
    assert not plan.keeps_generation  # else the host would never hear of it


def test_a_host_of_an_older_program_gets_the_clusters_name_with_its_next_change() -> None:
    old, new = bundle(), replace(bundle(), cluster="oslo")
    plan = plan_host(HOST, new, after(old), {})
    assert (plan.problems, plan.is_noop) == ((), True)
    assert '"cluster": "oslo"' in new.manifest.text.decode()


def test_a_fresh_host_gets_everything_and_restarts_nothing() -> None:
    plan = plan_host(HOST, with_login("d"), FRESH, ASKED)
    assert [(change.path, change.action) for change in plan.changes] == [
        ("docker-compose.yml", Action.CREATE),
        (OWNED, Action.CREATE),
        ("services/postgresql/postgresql.conf", Action.CREATE),
    ]
    assert (plan.starts, plan.restarts) == (("postgresql", "ui"), ())
    assert [one.name for one in plan.secrets] == ["temporal/db_password"]


def test_a_changed_file_restarts_its_own_service_only() -> None:
    old, new = bundle(), bundle("a = 2\n", "bbbbbbbbbbbb")
    plan = plan_host(HOST, new, seen_from(after(old), old, new), {})
    assert [(one.service, one.why) for one in plan.restarts] == [("postgresql", "postgresql.conf changes")]
    assert "-a = 1\n+a = 2\n" in next(c.diff for c in plan.changes if c.path.endswith("postgresql.conf"))


def test_an_init_that_a_service_gets_is_explained() -> None:
    old, new = bundle(), bundle("a = 2\n", "bbbbbbbbbbbb")
    text = new.files[0].content.replace(b"postgres:17,", b"postgres:17, init: true, healthcheck: {},")
    new = replace(new, files=(replace(new.files[0], content=text), *new.files[1:]))
    plan = plan_host(HOST, new, seen_from(after(old), old, new), {})
    [restart] = plan.restarts
    assert restart.why == (
        "postgresql.conf changes; an init becomes its process 1, so that no stray process in the container "
        "can disturb it; its healthcheck changes"
    )


def test_a_changed_kernel_setting_restarts_nothing() -> None:
    old, new = bundle(), bundle(sysctl="k = 2\n")
    plan = plan_host(HOST, new, seen_from(after(old), old, new), {})
    assert [change.path for change in plan.changes] == [OWNED]
    assert plan.restarts == ()


@pytest.mark.parametrize(
    ("state", "field", "expected"),
    [
        (replace(after(bundle()), containers=[container("ui")]), "starts", ("postgresql",)),
        (
            replace(after(bundle()), containers=[container("ui"), container("postgresql", running=False)]),
            "starts",
            ("postgresql",),
        ),
        (
            replace(after(bundle()), containers=[container(name) for name in ("old", "postgresql", "ui")]),
            "stops",
            ("old",),
        ),
        (
            replace(after(bundle()), confirmed=None),
            "notes",
            ("the last run was not confirmed: its steps are done again",),
        ),
        (replace(after(bundle()), installed={OWNED: None}), "starts", ()),
    ],
)
def test_what_is_not_as_it_was_left_is_something_to_do(
    state: HostState, field: str, expected: tuple[str, ...]
) -> None:
    plan = plan_host(HOST, bundle(), state, {})
    assert not plan.is_noop
    assert getattr(plan, field) == expected


LOGIN = "temporal/db_password"
ASKED = {LOGIN: ""}  # whatever is wanted there


def with_login(digest: str) -> Bundle:
    return replace(bundle(), material={LOGIN: Material("db_password", "temporal", 60902, digest)})


def with_material(token: str, seal: str) -> Bundle:
    """A host whose UI reads a token once, and a seal that it reloads."""
    compose = COMPOSE.replace("{image: ui}", f"{{image: ui, volumes: [secrets/ui-{token}]}}")
    files = tuple(
        replace(file, content=(compose % "aaaaaaaaaaaa").encode())
        if file.path == "docker-compose.yml"
        else file
        for file in bundle().files
    )
    material = {
        f"ui-{token}/token": Material("token", "ui", 60902, f"{token} and more"),
        f"ui-reloaded-{seal}/seal": Material("seal", "ui", 60902, f"{seal} and more", reloaded=True),
    }
    return replace(bundle(), files=files, material=material)


def asked(made: Bundle) -> dict[str, str]:
    return {place: one.digest for path, one in made.material.items() for place in (path, one.live(path))}


def holding(made: Bundle, **changed: str | None) -> HostState:
    """The state of a host whose secrets are as its manifest says, but for these, by the path's end."""
    there = {path: changed.get(path.rpartition("/")[2], digest) for path, digest in asked(made).items()}
    return replace(after(made), secrets=there)


def told(made: Bundle, state: HostState) -> list[tuple[str, str | None, str | None, str]]:
    plan = plan_host(HOST, made, state, asked(made))
    return [(one.name, one.old, one.new, one.effect) for one in plan.secrets]


def test_a_secret_that_differs_is_named_and_not_shown() -> None:
    state = replace(after(bundle()), secrets={LOGIN: "old"})
    assert [one.name for one in plan_host(HOST, with_login("new"), state, ASKED).secrets] == [LOGIN]
    state = replace(after(bundle()), secrets={LOGIN: "same"})  # from before secrets were listed
    assert plan_host(HOST, with_login("same"), state, ASKED).is_noop


def test_another_secret_recreates_its_reader_and_one_that_is_reloaded_does_not() -> None:
    old = with_material("aa", "bb")
    assert plan_host(HOST, old, holding(old), asked(old)).is_noop
    new = with_material("cc", "bb")
    state = seen_from(holding(old), old, new)
    plan = plan_host(HOST, new, state, asked(new))
    assert told(new, state) == [("ui/token", "aa and more", "cc and more", "recreates ui")]
    assert [(one.service, one.why) for one in plan.restarts] == [("ui", "its secret token changes")]
    assert plan.problems == ()

    new = with_material("aa", "dd")
    state = seen_from(holding(old), old, new)
    plan = plan_host(HOST, new, state, asked(new))
    assert told(new, state) == [("ui/seal", "bb and more", "dd and more", "reloaded by ui")]
    assert (plan.restarts, [(one.service, one.files) for one in plan.reloads]) == ((), [("ui", ("seal",))])
    assert not plan.files_only


def test_one_that_is_generated_when_the_run_begins_has_no_digest_yet() -> None:
    old, new = with_material("aa", "bb"), with_material("cc", "bb")
    [(path, _)] = [(path, one) for path, one in new.material.items() if path.endswith("/token")]
    unknown = replace(new, material={**new.material, path: replace(new.material[path], digest="")})
    assert told(unknown, holding(old)) == [("ui/token", "aa and more", "generated", "recreates ui")]
    assert told(unknown, FRESH)[1] == ("ui/token", None, "generated", "recreates ui")


def test_one_that_nothing_reads_any_more_is_said() -> None:
    old = with_material("aa", "bb")
    seal = {path: one for path, one in old.material.items() if one.reloaded}
    assert told(replace(old, material=seal), holding(old)) == [("ui/token", "aa and more", None, "")]


@pytest.mark.parametrize("found", [None, "another"])
def test_a_secret_that_somebody_changed_on_the_host_is_written_again(found: str | None) -> None:
    made = with_material("aa", "bb")
    plan = plan_host(HOST, made, holding(made, token=found), asked(made))
    assert [(one.name, one.old, one.new) for one in plan.secrets] == [("ui/token", found, "aa and more")]
    assert [(one.service, one.why) for one in plan.restarts] == [
        ("ui", "a secret of it was changed on the host")
    ]
    assert (plan.recreates, plan.problems) == (("ui",), ())
    plan = plan_host(HOST, made, holding(made, seal=found), asked(made))
    assert [one.name for one in plan.secrets] == ["ui/seal"]
    assert (plan.restarts, plan.problems) == ((), ())


def test_only_the_kept_copy_of_a_reloaded_one_was_changed() -> None:
    made = with_material("aa", "bb")
    state = holding(made)
    state = replace(state, secrets={**state.secrets, "ui-reloaded-bb/seal": "another"})
    assert [one[0] for one in told(made, state)] == ["ui/seal"]


def test_a_password_that_somebody_changed_on_the_host_is_mended_without_being_asked() -> None:
    made = with_login("the digest")
    state = replace(after(made), last_good="d", secrets={LOGIN: "another"})
    plan = plan_host(HOST, made, state, ASKED)
    assert ([one.name for one in plan.secrets], plan.problems, plan.restarts) == ([LOGIN], (), ())


def test_going_back_compares_manifests_and_asks_for_no_secret() -> None:
    old, new = with_material("aa", "bb"), with_material("cc", "bb")
    plan = plan_host(HOST, old, seen_from(replace(after(new), secrets={}), new, old), {})
    assert [(one.name, one.new) for one in plan.secrets] == [("ui/token", "aa and more")]
    before = replace(bundle(), material={})  # lists no secrets
    assert plan_host(HOST, before, seen_from(after(new), new, before), {}).secrets == ()


@pytest.mark.parametrize(
    ("kept", "secrets", "take_over", "refused"),
    [
        pytest.param("d", {"temporal/db_password": "old"}, False, True, id="under running services"),
        pytest.param("d", {"temporal/db_password": "old"}, True, False, id="as asked for"),
        pytest.param("d", {"temporal/db_password": None}, False, False, id="the first of a login"),
        pytest.param(None, {"temporal/db_password": "old"}, False, False, id="of a first run that failed"),
    ],
)
def test_a_password_is_not_changed_under_services_that_use_it(
    kept: str | None, secrets: dict[str, str | None], take_over: bool, refused: bool
) -> None:
    """Another cluster's secrets file, or a new one because this one's was lost."""
    state = replace(after(bundle()), last_good=kept, secrets=secrets)
    allowed = Allowed(take_over=take_over)
    plan = plan_host(HOST, with_login("new"), state, ASKED, allowed)
    said = [one for one in plan.problems if "another password than" in one]
    assert bool(said) is refused
    assert all("secrets recover" in one and "secrets rotate" in one for one in said)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"service_manager": False}, "no systemd"),
        (
            {"addresses": ["127.0.0.1", "10.0.0.99"]},
            r"10\.0\.0\.13 is not up on this host \(it has: 10\.0\.0\.99\)",
        ),
        ({"state_free_bytes": 1 << 20}, "1 MiB are free"),
        ({"state_free_inodes": 10}, "only 10 inodes"),
        ({"state_free_inodes": 0}, "only 0 inodes"),
        ({"docker": Docker(None, None)}, "not installed; --bootstrap installs"),
        ({"docker": Docker(None, None), "os_id": "rocky-9"}, "not installed; install docker-ce"),
        ({"docker": Docker(None, None, [STOPPED])}, r"^docker-ce is stopped; systemctl start docker$"),
        ({"docker": Docker("5.4.2", None, [PODMAN])}, r"^Podman answers; apt-get remove podman-docker$"),
        ({"docker": Docker("20.10.24", "2.35.0")}, "20.10.24 is too old"),
        ({"docker": Docker("28.0.0", None), "os_id": "debian-12"}, "no `docker compose` on debian-12"),
        ({"docker": Docker("28.0.0", "2.19.9")}, "2.19.9 on"),
        ({"data_version": "15"}, "data directory is PostgreSQL 15's"),
        ({"data_version": None, "system_identifier": None}, "holds no database, but PostgreSQL has run here"),
        ({"installed": {OWNED: "an admin's edit"}}, "was changed on the host since the last push"),
    ],
)
def test_what_stands_in_the_way_is_said_before_anything_is_changed(
    change: dict[str, object], words: str
) -> None:
    state = replace(after(bundle()), **change)  # type: ignore[arg-type]  # one field a row, of its own type
    [problem] = plan_host(HOST, bundle(), state, {}).problems
    assert re.search(words, problem)


def server(shards: int) -> Bundle:
    text = f"persistence:\n  numHistoryShards: {shards}\n"
    file = File("services/history-aaaaaaaaaaaa/server.yaml", text.encode(), 0o644, 0, "restarts history")
    history = Instance("history", "server", data={"shards": str(shards)})
    return replace(
        bundle(), files=(*bundle().files, file), instances={**bundle().instances, "history": history}
    )


@pytest.mark.parametrize("older", [False, True])
def test_the_shard_count_of_a_cluster_that_has_started_is_fixed(*, older: bool) -> None:
    """A manifest of format 1 does not say it: then the file does."""
    old, new = server(512), server(1024)
    state = seen_from(after(old), old, new)
    if older:
        body = json.loads(state.manifest)
        services = {
            name: {"role": one["component"], "image": one["image"], "job": one.get("job", False)}
            for name, one in body.pop("instances").items()
        }
        state = replace(state, manifest=json.dumps({**body, "format": 1, "services": services}))
    [problem] = plan_host(HOST, new, state, {}).problems
    assert problem == "temporal.shards is fixed at first start: the cluster has 512, the inventory says 1024"
    assert plan_host(HOST, new, replace(FRESH, data_version=None), {}).problems == ()


def test_only_an_empty_data_directory_will_be_initialised() -> None:
    assert plan_host(HOST, bundle(), FRESH, {}).new_data
    assert not plan_host(HOST, bundle(), after(bundle()), {}).new_data


def test_docker_may_be_missing_when_it_will_be_installed() -> None:
    state = replace(FRESH, docker=Docker(None, None))
    assert plan_host(HOST, bundle(), state, {}, Allowed(bootstrap=True)).problems == ()
    [problem] = plan_host(
        HOST, bundle(), replace(state, os_id="debian-12"), {}, Allowed(bootstrap=True)
    ).problems
    assert "debian-12's own packages hold no engine >= 24" in problem


@pytest.mark.parametrize(
    ("docker", "says"),
    [
        (
            Docker(None, None, [STOPPED]),
            "systemctl start docker; --bootstrap puts no second engine beside it",
        ),
        (Docker("5.4.2", None, [PODMAN]), "Podman answers; apt-get remove podman-docker"),
    ],
)
def test_no_second_engine_is_put_beside_one_that_is_there(docker: Docker, says: str) -> None:
    state = replace(FRESH, docker=docker)
    [problem] = plan_host(HOST, bundle(), state, {}, Allowed(bootstrap=True)).problems
    assert says in problem


def test_the_plan_holds_no_file_twice_after_a_service_folder_got_a_new_name() -> None:
    old, new = bundle(), bundle("a = 2\n", "bbbbbbbbbbbb")
    plan = plan_host(HOST, new, seen_from(after(old), old, new), {})
    paths = [change.path for change in plan.changes]
    assert len(paths) == len(set(paths))
    assert json.loads(old.manifest.text)["files"].keys() != json.loads(new.manifest.text)["files"].keys()
