"""What stands in the way is found before anything is changed, and said with what to do."""

from __future__ import annotations

from lab import faults
from lab.hosts import Lab
from tests.lab.conftest import OVER_BOTH, OVER_BOTH_LONG, Inventory, Variants, containers, starts

OWNED = "/etc/sysctl.d/60-tempo-infra.conf"


@OVER_BOTH_LONG
def test_another_shard_count_is_refused_once_the_cluster_has_started(
    cluster: Inventory, lab: Lab, variant: Variants
) -> None:
    """Temporal would go on with the old count and a line in its log."""
    before = starts(lab)
    ran = variant((r"shards: 64", "shards: 128")).run("provision")
    assert ran.code == 1
    assert "temporal.shards is fixed at first start: the cluster has 64, the inventory says 128" in ran.said
    assert "nothing was changed on any host" in ran.said
    assert starts(lab) == before


def test_a_host_of_another_cluster_is_refused(cluster: Inventory, lab: Lab, variant: Variants) -> None:
    """Until its old name is said; then nothing restarts, and the old inventory is the stranger."""
    before = starts(lab)
    renamed = variant((r"cluster: lab", "cluster: bergen"), name="renamed")
    for words in ("plan", "provision", "remove --confirm-remove bergen", "rollback --host front-1"):
        ran = renamed.run(*words.split())
        assert ran.code in {1, 3}, ran.said
        assert "this host belongs to the cluster lab, not to bergen" in " ".join(ran.said.split())
    assert starts(lab) == before
    assert renamed.run("provision", "--rename-from", "trondheim").code == 1
    try:
        assert renamed.run("provision", "--rename-from", "lab").code == 0
        assert "this host belongs to the cluster bergen" in " ".join(cluster.run("plan").said.split())
    finally:
        assert cluster.run("provision", "--rename-from", "bergen").code == 0
    assert starts(lab) == before


@OVER_BOTH
def test_an_engine_without_its_program_is_not_taken_for_none(cluster: Inventory, lab: Lab) -> None:
    """What answers on the socket counts, not a word on the path: a second engine beside it would be harm."""
    host = lab.host("front-1")
    host.must(["mv", "/usr/bin/docker", "/usr/bin/docker.away"])
    try:
        ran = cluster.run("provision")
    finally:
        host.must(["mv", "/usr/bin/docker.away", "/usr/bin/docker"])
    assert ran.code == 1
    assert "front-1: the engine answers, and root finds no `docker` program" in " ".join(ran.said.split())
    assert "--bootstrap" not in ran.said


@OVER_BOTH_LONG
def test_a_stopped_engine_is_named(cluster: Inventory, lab: Lab) -> None:
    with faults.docker_stopped(lab.host("front-1")):
        ran = cluster.run("plan")
    assert ran.code == 1
    assert "front-1" in ran.out
    assert "Cannot connect to the Docker daemon" in " ".join(ran.out.split())


@OVER_BOTH_LONG
def test_an_owned_file_that_an_admin_changed_is_not_overwritten(
    cluster: Inventory, lab: Lab, variant: Variants
) -> None:
    host = lab.host("db-1")
    shipped = host.must(["cat", OWNED])
    host.must(["sh", "-c", f"echo 'vm.swappiness = 60' >> {OWNED}"])
    edited = host.must(["cat", OWNED])
    try:
        ran = cluster.run("provision")
        assert ran.code == 1
        assert f"db-1: {OWNED} was changed on the host since the last push" in ran.said
        assert host.must(["cat", OWNED]) == edited
    finally:
        host.exec(["tee", OWNED], input=shipped)
    assert cluster.run("plan", "--detailed-exitcode").code == 0


@OVER_BOTH_LONG
def test_an_internal_address_that_is_not_up_is_refused(
    cluster: Inventory, lab: Lab, variant: Variants
) -> None:
    ran = variant((r"internal: 10\.99\.0\.12", "internal: 10.99.0.99")).run("plan", "--no-diff")
    assert ran.code == 1
    assert "internal address 10.99.0.99 is not up on this host (it has: " in ran.out


@OVER_BOTH_LONG
def test_data_that_has_gone_is_never_initialised_anew(cluster: Inventory, lab: Lab) -> None:
    """An unmounted volume looks like an empty folder."""
    host = lab.host("db-1")
    id_ = containers(lab, "db-1")["postgresql"]["Id"]
    host.must(["docker", "stop", "-t", "30", id_])
    host.must(["mv", "/srv/tempo/postgres", "/srv/tempo/away"])
    try:
        ran = cluster.run("provision")
        assert ran.code == 1
        assert "is its volume mounted?" in ran.said
    finally:
        host.must(["mv", "/srv/tempo/away", "/srv/tempo/postgres"])
    cluster.provision()
    assert "postgresql" in containers(lab, "db-1")


@OVER_BOTH_LONG
def test_a_new_namespace_restarts_nothing(cluster: Inventory, lab: Lab, variant: Variants) -> None:
    before = starts(lab)
    more = variant((r"(- \{name: billing, retention: 72h\})", r"\1\n    - {name: shipping, retention: 5d}"))
    more.provision()
    assert starts(lab) == before
    describe = ["temporal", "operator", "namespace", "describe", "-n", "shipping", "-o", "json"]
    compose = [
        "docker",
        "compose",
        "-f",
        "/var/lib/tempo-infra/current/docker-compose.yml",
        "--profile",
        "tools",
    ]
    answer = lab.host("front-1").must([*compose, "run", "--rm", "-T", "admin-tools", *describe])
    assert '"432000s"' in answer
    cluster.provision()
