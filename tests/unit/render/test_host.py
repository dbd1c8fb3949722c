"""What a host's files say, read as the programs there read them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from tempo_infra.checks.expected import Expected
from tempo_infra.components import COMPONENTS, port
from tempo_infra.errors import InputError
from tempo_infra.inventory import subnets
from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Role
from tempo_infra.inventory.logins import Login
from tempo_infra.on_host.users import OF_IMAGES, OWN, Users
from tempo_infra.render import Bundle, parse, render
from tempo_infra.render import host as host_module
from tempo_infra.sizing import size
from tests.unit.sizing.clusters import ALL, cluster, host, solo, trio

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.inventory.cluster import Cluster


def bundle(one: Cluster, name: str) -> Bundle:
    return next(found for found in render(one, size(one)) if found.host == name)


def compose(found: Bundle) -> dict[str, Any]:
    document = parse.compose(found.file("docker-compose.yml").content.decode())
    assert isinstance(document, dict)
    return document


def text(found: Bundle, service: str, name: str) -> str:
    end = f"/{name}"
    path = next(
        f.path for f in found.files if f.path.startswith(f"services/{service}-") and f.path.endswith(end)
    )
    return found.file(path).content.decode()


def temporal(found: Bundle, role: str) -> dict[str, Any]:
    document = parse.yaml(text(found, role, "server.yaml"))
    assert isinstance(document, dict)
    return document


def test_one_bundle_a_host_in_the_inventorys_order() -> None:
    assert [found.host for found in render(trio(), size(trio()))] == ["front-1", "history-1", "db-1"]


def test_every_sized_setting_reaches_its_file() -> None:
    one = solo()
    sized = size(one).host("solo-1")
    found = bundle(one, "solo-1")
    conf = parse.pgconf(text(found, "postgresql", "postgresql.conf"))
    assert conf == {setting.name: setting.text for setting in sized.postgresql}
    sysctl = parse.sysctl(found.file("etc/sysctl.d/60-tempo-infra.conf").content.decode())
    assert sysctl == {setting.name: str(setting.value) for setting in sized.sysctl}
    for role in TEMPORAL_ROLES:
        dynamic = parse.yaml(text(found, role, "dynamic.yaml"))
        assert dynamic == {s.name: [{"value": s.scalar}] for s in sized.temporal[role].dynamic}


def test_every_limit_reaches_the_compose_file() -> None:
    one = solo()
    services = compose(bundle(one, "solo-1"))["services"]
    for container in size(one).host("solo-1").containers:
        service = services[container.name]
        assert service["mem_limit"] == f"{container.memory_bytes // 1024**2}m"
        assert (service["cpus"], service["pids_limit"]) == (container.cpus, container.pids)
        assert service["ulimits"]["nofile"] == {"soft": container.nofile, "hard": container.nofile}
        assert service["stop_grace_period"] == f"{container.stop_grace_s}s"
        if container.gomemlimit_bytes is not None:
            expected = f"{container.gomemlimit_bytes // 1024**2}MiB"
            assert service["environment"]["GOMEMLIMIT"] == expected


def test_every_container_is_hardened() -> None:
    for service in _services_of(OWN).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
        assert not {"privileged", "network_mode", "cap_add", "pid", "ipc"} & service.keys()


def _services_of(users: Users) -> dict[str, Any]:
    [made] = render(solo(), size(solo()), users=users)
    services: dict[str, Any] = compose(made)["services"]
    return services


@pytest.mark.parametrize(
    ("users", "names"),
    [(OWN, {"passwd"}), (OF_IMAGES, set()), (Users(999, OWN.temporal, OWN.ui), {"passwd"})],
)
def test_each_container_runs_as_its_user_and_knows_its_name(users: Users, names: set[str]) -> None:
    [made] = render(solo(), size(solo()), users=users)
    assert {file.path.rpartition("/")[2] for file in made.files if "/accounts-" in file.path} == names
    for name, service in _services_of(users).items():
        uid = {"postgresql": users.postgresql, "ui": users.ui, "admin-tools": users.ui}.get(
            name, users.temporal
        )
        assert service["user"] == f"{uid}:{uid}"
        mounted = [one for one in service.get("volumes", ()) if one["target"] == "/etc/passwd"]
        assert len(mounted) == (uid in OWN.numbers)
        assert all(one["read_only"] for one in mounted)
    assert made.users == users
    assert json.loads(made.manifest.text)["users"] == asdict(users)


def test_secrets_are_mounted_where_their_reader_runs_alone() -> None:
    """Whoever owns the password's folder on the host is who reads it; no other container has it."""
    for service in _services_of(OWN).values():
        reads = any(one["target"] == "/run/secrets/tempo-infra" for one in service.get("volumes", ()))
        assert reads == (service["user"] == f"{OWN.temporal}:{OWN.temporal}")


def test_process_1_is_an_init_and_no_health_check_has_a_shell() -> None:
    """A shell that is ended at the timeout leaves its child to process 1."""
    for service in compose(bundle(solo(), "solo-1"))["services"].values():
        assert service["init"] is True
        kind, program, *_ = service.get("healthcheck", {"test": ["CMD", "none"]})["test"]
        assert (kind, program in {"sh", "bash", "dash", "env"}) == ("CMD", False)


def test_ports_are_published_on_the_internal_address_only() -> None:
    services = compose(bundle(solo(), "solo-1"))["services"]
    published = {name: service.get("ports", []) for name, service in services.items()}
    assert published.pop("ui") == ["127.0.0.1:8080:8080"]
    ports = [port for of_service in published.values() for port in of_service]
    assert len(ports) == 9
    assert all(port.startswith("10.0.0.10:") for port in ports)


def test_nothing_is_swapped_out_or_dumped_to_a_disk() -> None:
    for service in compose(bundle(solo(), "solo-1"))["services"].values():
        assert service["memswap_limit"] == service["mem_limit"]  # both together: no swap
        assert service["ulimits"]["core"] == 0


@pytest.mark.parametrize(("asked", "http"), [(False, None), (True, 7243)])
def test_http_is_answered_only_where_the_inventory_asks_for_it(asked: bool, http: int | None) -> None:
    one = trio()
    one = replace(one, temporal=replace(one.temporal, http_api=asked))
    found = bundle(one, "front-1")
    assert temporal(found, "frontend")["services"]["frontend"]["rpc"].get("httpPort") == http
    published = compose(found)["services"]["frontend"]["ports"]
    assert ("10.0.0.11:7243:7243" in published) is asked
    expected = Expected.for_host(one.host("front-1"), one)
    assert (7243 in expected.ports) is asked


def test_jobs_never_start_by_themselves() -> None:
    found = bundle(solo(), "solo-1")
    for name, service in compose(found)["services"].items():
        job = name in {"schema", "admin-tools"}
        assert service.get("profiles") == (["tools"] if job else None)
        assert service["restart"] == ("no" if job else "unless-stopped")
        assert ("healthcheck" in service) is not job
    assert {name for name, one in found.instances.items() if one.job} == {"schema", "admin-tools"}


def test_mounts_are_folders_that_must_be_there() -> None:
    for service in compose(bundle(solo(), "solo-1"))["services"].values():
        for volume in service.get("volumes", []):
            assert volume["bind"] == {"create_host_path": False}
            data = volume["target"] == "/var/lib/postgresql/data"
            assert volume["source"].startswith("/var/lib/tempo-infra/")
            assert (volume["source"] == "/var/lib/tempo-infra/pgdata") is data
            assert volume.get("read_only", False) is not data


def test_each_reader_sees_its_own_secrets() -> None:
    services = compose(bundle(solo(), "solo-1"))["services"]
    folders = {
        name: [v["source"].rpartition("/")[2] for v in service.get("volumes", []) if "secrets" in v["source"]]
        for name, service in services.items()
    }
    assert folders.pop("ui") == folders.pop("admin-tools") == folders.pop("postgresql") == []
    assert set(map(tuple, folders.values())) == {("temporal",)}


def test_the_membership_is_the_same_everywhere_but_for_the_own_address() -> None:
    one = trio()
    documents = [
        (found.host, role, temporal(found, role))
        for found in render(one, size(one))
        for role in one.host(found.host).temporal_roles
    ]
    assert len(documents) == 4
    for name, role, document in documents:
        prometheus = document["global"].pop("metrics")["prometheus"]
        assert prometheus["listenAddress"] == f"127.0.0.1:{port(role, 'metrics')}"  # no port of the host
        assert document["global"]["membership"].pop("broadcastAddress") == one.host(name).internal
        assert "publicClient" not in document  # frontends are found among the members
        assert document["clusterMetadata"]["clusterInformation"]["active"]["rpcAddress"] == "127.0.0.1:7233"
        assert document["persistence"]["datastores"]["default"]["sql"]["connectAddr"] == "10.0.0.13:5432"
    assert all(document == documents[0][2] for _, _, document in documents)


def two_frontends(*, internal: str = "10.0.0.9") -> Cluster:
    return cluster(*trio().hosts, host("front-2", Role.FRONTEND, Role.UI, internal=internal))


def test_ui_and_command_line_reach_every_frontend_where_there_are_several() -> None:
    """Round robin over the addresses of one name. Compose before 2.24 keeps the last one: the host's own."""
    one = two_frontends()
    behind = {"front-1": ["10.0.0.9", "10.0.0.11"], "front-2": ["10.0.0.11", "10.0.0.9"]}
    for name, addresses in behind.items():
        services = compose(bundle(one, name))["services"]
        for service in ("ui", "admin-tools"):
            assert services[service]["environment"]["TEMPORAL_ADDRESS"] == "dns:///frontends:7233"
            assert services[service]["extra_hosts"] == [f"frontends:{address}" for address in addresses]
        assert "extra_hosts" not in services["frontend"]


def test_namespaces_may_be_made_from_every_frontend() -> None:
    found = render(two := two_frontends(), size(two))
    texts = {
        each.host: each.file("namespaces.yaml").content
        for each in found
        if any(file.path == "namespaces.yaml" for file in each.files)
    }
    assert set(texts) == {"front-1", "front-2"}
    assert len(set(texts.values())) == 1


def test_metrics_take_no_port_that_a_service_listens_on() -> None:
    """Also where services share the host's network."""
    taken = [port.number for one in COMPONENTS for port in one.ports]
    assert len(taken) == len(set(taken))


def test_all_services_are_listed_with_their_ports() -> None:
    services = temporal(bundle(trio(), "history-1"), "history")["services"]
    assert set(services) == {role.value for role in TEMPORAL_ROLES}
    for role in TEMPORAL_ROLES:
        rpc = services[role.value]["rpc"]
        assert (rpc["grpcPort"], rpc["membershipPort"]) == (port(role, "grpc"), port(role, "membership"))
        assert "httpPort" not in rpc
        assert rpc["bindOnIP"] == "0.0.0.0"


def test_pools_are_as_sized_and_never_churn() -> None:
    one = trio()
    stores = temporal(bundle(one, "history-1"), "history")["persistence"]["datastores"]
    sized = size(one).host("history-1").temporal[Role.HISTORY]
    for store, connections in (("default", sized.max_conns), ("visibility", sized.visibility_max_conns)):
        sql = stores[store]["sql"]
        assert sql["maxConns"] == sql["maxIdleConns"] == connections
        assert sql["connectAttributes"] == {"connect_timeout": "3"}
        assert "password" not in sql
        assert sql["passwordCommand"]["args"] == ["/run/secrets/tempo-infra/db_password"]


def test_who_may_reach_the_database() -> None:
    lines = parse.words(text(bundle(trio(), "db-1"), "postgresql", "pg_hba.conf"))
    databases, logins = "temporal,temporal_visibility", "temporal,temporal_blue,temporal_green"
    assert lines == [
        ["local", "all", "postgres", "peer"],
        ["local", databases, "temporal_local", "peer", "map=tempo-infra"],
        ["host", databases, logins, "10.0.0.11/32", "scram-sha-256"],
        ["host", databases, logins, "10.0.0.12/32", "scram-sha-256"],
        ["host", databases, logins, "172.30.0.0/24", "scram-sha-256"],
        ["local", "all", "all", "reject"],
        ["host", "all", "all", "0.0.0.0/0", "reject"],
        ["host", "all", "all", "::/0", "reject"],
    ]


def test_our_own_login_is_who_is_the_containers_user() -> None:
    found = bundle(trio(), "db-1")
    assert parse.words(text(found, "postgresql", "pg_ident.conf")) == [
        ["tempo-infra", "postgres", "temporal_local"]
    ]
    assert "ident_file=/etc/tempo-infra/pg_ident.conf" in compose(found)["services"]["postgresql"]["command"]


def test_the_compose_network_avoids_the_hosts_addresses() -> None:
    one = cluster(host("solo-1", *ALL, memory_gib=8, internal="172.30.0.9"))
    found = bundle(one, "solo-1")
    assert compose(found)["networks"]["default"]["ipam"]["config"] == [{"subnet": "172.29.0.0/24"}]
    assert "172.29.0.0/24" in text(found, "postgresql", "pg_hba.conf")


def test_addresses_in_every_candidate_network_are_refused() -> None:
    others = [
        host(f"f-{n}", Role.FRONTEND, internal=address)
        for n, address in enumerate(("172.30.0.9", "172.29.0.9", "192.168.230.9"))
    ]
    one = cluster(host("solo-1", *ALL, memory_gib=8), *others)
    with pytest.raises(InputError, match="internal addresses lie in each of"):
        render(one, size(one))


def test_logins_get_the_limit_and_root_too() -> None:
    one = replace(trio(), nofile=16384)
    lines = parse.words(
        bundle(one, "db-1").file("etc/security/limits.d/60-tempo-infra.conf").content.decode()
    )
    assert [line[0] for line in lines] == ["*", "*", "root", "root"]
    assert {line[3] for line in lines} == {"16384"}


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"shards": 128}, {"history", "matching", "worker", "frontend"}),
        ({"history_gib": 5}, {"history"}),
        ({"database_gib": 5}, {"postgresql"}),
    ],
)
def test_a_service_is_renamed_exactly_when_its_own_files_change(
    change: dict[str, int], changed: set[str]
) -> None:
    def folders(one: Cluster) -> set[str]:
        found = render(one, size(one))
        return {
            file.path.split("/")[1] for b in found for file in b.files if file.path.startswith("services/")
        }

    renamed = folders(trio()) ^ folders(trio(**change))
    assert {name.rpartition("-")[0] for name in renamed} == changed


def test_the_compose_file_names_the_folders_that_are_there() -> None:
    found = bundle(solo(), "solo-1")
    folders = {
        "/".join(file.path.split("/")[:2]) for file in found.files if file.path.startswith("services/")
    }
    mounted = {
        volume["source"].removeprefix("/var/lib/tempo-infra/")
        for service in compose(found)["services"].values()
        for volume in service.get("volumes", [])
        if "/services/" in volume["source"]
    }
    mounted = {one.removesuffix("/passwd") for one in mounted}
    assert mounted == folders
    assert len(folders) == 7  # the six of services, and the names of users


def test_files_are_sorted_owned_by_root_and_not_writable_by_others() -> None:
    for found in render(trio(), size(trio())):
        paths = [file.path for file in found.files]
        assert paths == sorted(paths)
        assert {(file.mode, file.uid) for file in found.files} == {(0o644, 0)}
        assert all(file.effect and "{" not in file.effect for file in found.files)


def test_a_digest_from_the_inventory_pins_the_image() -> None:
    digest = f"sha256:{'a' * 64}"
    one = trio().pinned({"postgres:17": digest})
    found = bundle(one, "db-1")
    assert compose(found)["services"]["postgresql"]["image"] == f"registry.example:5000/postgres:17@{digest}"
    assert f"registry.example:5000/postgres:17@{digest}" in found.images


def test_the_operators_template_replaces_one_file(tmp_path: Path) -> None:
    own = tmp_path / "templates" / "etc" / "sysctl.d"
    own.mkdir(parents=True)
    (own / "60-tempo-infra.conf.j2").write_text("# {{ managed | comment }}\nvm.swappiness = 7\n")
    one = replace(trio(), path=tmp_path / "inventory.yaml")
    found = bundle(one, "db-1")
    assert found.file("etc/sysctl.d/60-tempo-infra.conf").content.endswith(b"\nvm.swappiness = 7\n")
    assert found.file("docker-compose.yml") == bundle(trio(), "db-1").file("docker-compose.yml")


def test_the_operators_template_of_one_service_goes_before_the_shared_one(tmp_path: Path) -> None:
    own = tmp_path / "templates" / "services" / "history"
    own.mkdir(parents=True)
    (own / "dynamic.yaml.j2").write_text("limit.maxIDLength:\n  - value: 200\n")
    one = replace(solo(), path=tmp_path / "inventory.yaml")
    found = bundle(one, "solo-1")
    assert "value: 200" in text(found, "history", "dynamic.yaml")
    assert "value: 255" in text(found, "matching", "dynamic.yaml")


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("docker-compose.yml.j2", "name: tempo-infra\nservices: {}\n", "services differ"),
        ("docker-compose.yml.j2", "name: other\n", "name must be"),
        ("services/postgresql/postgresql.conf.j2", "port = 1\nport = 2\n", "stands there twice"),
        ("services/postgresql/postgresql.conf.j2", "{{ cluster.path | pgconf }}\n", "no attribute 'path'"),
    ],
)
def test_a_bad_template_is_named(tmp_path: Path, name: str, source: str, message: str) -> None:
    own = tmp_path / "templates" / name
    own.parent.mkdir(parents=True)
    own.write_text(source)
    one = replace(trio(), path=tmp_path / "inventory.yaml")
    sound: list[str] = []
    with pytest.raises(InputError, match=f"templates/{name}.*{message}"):
        render(one, size(one), lambda: sound.append("hosts may be contacted"))
    assert sound == []


def test_with_our_own_templates_nothing_is_wrong_any_more_before_anything_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An own template is looked at first, a good one too."""
    order: list[str] = []
    made = host_module.bundle

    def bundle(*words: Any) -> Bundle:
        order.append("bundle")
        return made(*words)

    monkeypatch.setattr(host_module, "bundle", bundle)
    render(solo(), size(solo()), lambda: order.append("sound"))
    (tmp_path / "templates").mkdir()
    one = replace(solo(), path=tmp_path / "inventory.yaml")
    render(one, size(one), lambda: order.append("sound"))
    assert order == ["sound", "bundle", "bundle", "sound"]


def test_an_inventory_that_leaves_no_network_free_is_not_sound() -> None:
    sound: list[str] = []
    addresses = [str(ip_network(one)[9]) for one in subnets.CANDIDATES]
    hosts = [replace(trio().hosts[0], name=f"h-{i}", internal=one) for i, one in enumerate(addresses)]
    one = replace(trio(), hosts=(*trio().hosts, *hosts))
    with pytest.raises(InputError, match="internal addresses lie in each of"):
        render(one, size(trio()), lambda: sound.append("hosts may be contacted"))
    assert sound == []


def test_no_path_of_this_machine_is_rendered(tmp_path: Path) -> None:
    here = render(replace(trio(), path=tmp_path / "inventory.yaml"), size(trio()))
    assert here == render(trio(), size(trio()))
    assert not any(str(tmp_path).encode() in file.content for b in here for file in b.files)


def test_the_other_login_changes_the_user_and_the_folder_and_leaves_postgresql_alone() -> None:
    blue = trio()
    green = replace(blue, secrets=replace(blue.secrets, login=Login.GREEN))
    history = text(bundle(green, "history-1"), "history", "server.yaml")
    assert history.count("user: temporal_green") == 2
    mounts = [one["source"] for one in compose(bundle(green, "history-1"))["services"]["history"]["volumes"]]
    assert "/var/lib/tempo-infra/secrets/temporal-green" in mounts
    before, after = (compose(bundle(one, "db-1"))["services"] for one in (blue, green))
    assert before["postgresql"] == after["postgresql"]
    assert after["schema"]["environment"]["SQL_USER"] == "temporal_green"


def test_a_unit_waits_for_the_hosts_own_address_and_holds_up_no_boot() -> None:
    found = bundle(trio(), "db-1").file("etc/systemd/system/tempo-infra.service").content.decode()
    assert "ip -o address show up to 10.0.0.13 " in found
    assert "Type=exec" in found
    assert "--no-recreate --pull never" in found
