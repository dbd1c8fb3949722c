"""Engines as people have them, put on a host of the lab for real: each is known, refused with what to do, and
no second one is put beside it.

The host gets an empty disk before each of them and at the end; packages come from the distribution.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from shlex import quote

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tests.lab.conftest import Inventory, Variants, containers

pytestmark = pytest.mark.faults
ENGINE = "docker.io docker-cli docker-compose"
STORAGE = """[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
"""
APT = "apt-get -o DPkg::Lock::Timeout=120 -qy"


@pytest.fixture(scope="module")
def _as_before(lab: Lab, inventory: Inventory) -> Iterator[None]:
    """Other tests share the cluster: the host comes back to it."""
    yield
    _host(lab, inventory).reset()
    inventory.provision()


def _host(lab: Lab, inventory: Inventory) -> Host:
    hosts = load(inventory.path).hosts
    return lab.host(next((one for one in hosts if not one.has(Role.POSTGRESQL)), hosts[0]).name)


@pytest.fixture
def host(lab: Lab, inventory: Inventory, _as_before: None) -> Host:
    """A host with nothing on it but its system, Docker and what tests need."""
    found = _host(lab, inventory)
    found.reset()
    return found


def shell(host: Host, text: str) -> str:
    return host.must(["sh", "-ec", text], timeout=500)


def settings(host: Host, text: str) -> None:
    shell(
        host, f"mkdir -p /etc/docker; echo {quote(text)} > /etc/docker/daemon.json; systemctl restart docker"
    )


def podman(host: Host) -> None:
    """With storage that it can use on a lab host's disk: with that of its own it starts there only once."""
    shell(host, f"mkdir -p /etc/containers; printf %s {quote(STORAGE)} > /etc/containers/storage.conf")
    shell(host, f"apt-get update -q; {APT} install --no-install-recommends podman podman-docker")
    shell(host, "systemctl start podman.socket; test -S $(readlink -f /run/docker.sock)")


def podman_asleep(host: Host) -> None:
    podman(host)
    shell(host, "systemctl stop podman.socket podman.service")


def users_mapped(host: Host) -> None:
    settings(host, '{"userns-remap": "default"}')


def no_rules(host: Host) -> None:
    settings(host, '{"iptables": false}')


def no_rules_by_flag(host: Host) -> None:
    folder = "/etc/systemd/system/docker.service.d"
    line = "[Service]\\nExecStart=\\nExecStart=/usr/sbin/dockerd -H fd:// --iptables=false\\n"
    shell(host, f"mkdir -p {folder}; printf '{line}' > {folder}/own.conf; systemctl daemon-reload")
    shell(host, "systemctl restart docker")


def rootless(host: Host) -> None:
    """As dockerd-rootless-setuptool.sh leaves it; the system's own engine is off."""
    shell(host, f"apt-get update -q; {APT} install --no-install-recommends rootlesskit slirp4netns uidmap")
    shell(host, "systemctl disable --now docker.socket docker.service")
    shell(host, f"{APT} remove docker-compose; mkdir -p /root/kept; cp /usr/sbin/dockerd /root/kept/")
    shell(host, "mkdir -p /dev/net; mknod /dev/net/tun c 10 200; chmod 666 /dev/net/tun")
    words = "dockerd-rootless.sh --storage-driver vfs --iptables=false >/tmp/rootless.log 2>&1"
    path = "/usr/share/docker.io/contrib:$PATH:/usr/sbin"
    run = f"export XDG_RUNTIME_DIR=/run/user/$(id -u) PATH={path}; {words}"
    shell(host, "loginctl enable-linger deploy")
    unit = "--unit=rootless --uid=deploy --gid=deploy --setenv=HOME=/home/deploy --collect"
    shell(host, f"systemd-run --quiet {unit} bash -c {quote(run)}")
    appears(host, "/run/user/$(id -u deploy)/docker.sock")


def appears(host: Host, path: str) -> None:
    shell(host, f"for n in $(seq 60); do test -S {path} && exit; sleep 0.5; done; exit 1")


def rootless_in_the_systems_place(host: Host) -> None:
    rootless(host)
    shell(host, "ln -sf /run/user/$(id -u deploy)/docker.sock /run/docker.sock")


SNAP = "/snap/docker/2932/bin"


def snap(host: Host) -> None:
    """Its files, its data and its unit, with Debian's dockerd: the snap itself comes from a store."""
    folders = "--data-root /var/snap/docker/common/var-lib-docker --exec-root /run/snap.docker"
    unit = f"[Service]\\nExecStart={SNAP}/dockerd {folders} --pidfile /run/snap.pid --userland-proxy=false\\n"
    shell(host, f"mkdir -p {SNAP} /snap/bin; cp -L /usr/sbin/dockerd {SNAP}/; cp /usr/bin/docker /snap/bin/")
    shell(host, f"systemctl stop docker.socket docker.service; {APT} purge {ENGINE} >/dev/null")
    shell(host, f"rm -f /run/docker.sock; printf '{unit}' > /etc/systemd/system/snap.docker.dockerd.service")
    shell(host, "systemctl daemon-reload; systemctl start snap.docker.dockerd")
    appears(host, "/run/docker.sock")


def snap_stopped(host: Host) -> None:
    snap(host)
    shell(host, "systemctl stop snap.docker.dockerd; rm -f /run/docker.sock")


def stopped(host: Host) -> None:
    shell(host, "systemctl stop docker.socket docker.service")


def without_its_program(host: Host) -> None:
    shell(host, "mv /usr/bin/docker /root/away")


KINDS: dict[str, tuple[Callable[[Host], object], str, str]] = {
    "podman": (podman, "Podman 5.4.2 answers on Docker's socket", "apt-get remove podman-docker"),
    "podman asleep": (podman_asleep, "(package podman-docker)", "apt-get remove podman-docker"),
    "userns-remap": (users_mapped, "other users (userns-remap)", "take userns-remap out of"),
    "iptables false": (no_rules, '"iptables": false', "or use network: host"),
    "iptables false by a flag": (no_rules_by_flag, '"iptables": false', "or use network: host"),
    "rootless": (
        rootless,
        "Docker is rootless here (dockerd, pid ",
        "dockerd-rootless-setuptool.sh uninstall",
    ),
    "rootless, linked": (rootless_in_the_systems_place, "Docker is rootless here", "setuptool.sh uninstall"),
    "snap": (snap, "Docker is a snap here", "snap remove docker"),
    "snap stopped": (snap_stopped, "Docker is a snap here", "snap remove docker"),
    "stopped": (stopped, "docker.io is installed and does not answer", "systemctl start docker"),
    "without its program": (without_its_program, "root finds no `docker` program", "docker-cli"),
}


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_of_another_kind_is_refused_by_plan_check_and_bootstrap(
    inventory: Inventory, host: Host, kind: str
) -> None:
    put, what, remedy = KINDS[kind]
    put(host)
    packages = shell(host, "dpkg -l | awk '{print $1, $2}'")
    plan = inventory.run("plan", "--no-diff")
    assert (plan.code, what in flat(plan.said), remedy in flat(plan.said)) == (1, True, True), plan.said
    ran = inventory.run("provision", "--bootstrap")
    assert (ran.code, what in flat(ran.said)) == (1, True), ran.said
    assert "nothing was changed" in ran.said
    assert shell(host, "dpkg -l | awk '{print $1, $2}'") == packages
    checked = inventory.run("check-host", "--quick", "--format", "json", "--host", host.name)
    [report] = json.loads(checked.out)["hosts"]
    found = {one["id"]: one for one in report["findings"] if one["outcome"] == "fail"}
    finding = found.get("docker.kind") or found["docker.engine"]
    assert remedy.replace("or use", "use") in finding["remedy"] + finding["found"]
    assert "too old" not in plan.said + ran.said


def test_without_its_rules_containers_have_no_way_out(inventory: Inventory, host: Host) -> None:
    """Why such an engine is refused."""
    image = load(inventory.path).images.reference("postgres:17")
    gateway = shell(host, "ip -4 route show default | awk '{print $3}'").strip()

    def reaches() -> bool:
        """An open port and a closed one answer; where there is no way out it is silent."""
        words = f"timeout 3 bash -c 'echo > /dev/tcp/{gateway}/22'; test $? != 124"
        return host.exec(["docker", "run", "--rm", "--entrypoint", "sh", image, "-c", words]).returncode == 0

    shell(host, f"docker pull -q {image}")
    assert reaches()
    no_rules(host)
    shell(host, "iptables -t nat -F; iptables -F FORWARD; iptables -P FORWARD ACCEPT")  # of the engine before
    assert not reaches()


def test_services_in_their_hosts_network_go_with_an_engine_without_rules(
    inventory: Inventory, variant: Variants, host: Host
) -> None:
    no_rules(host)
    own = variant((r"(?m)^limits:\n", "network: host\n\nlimits:\n"))
    ran = own.run("plan", "--no-diff", "--host", host.name)
    assert (ran.code, "iptables" in ran.said) == (0, False), ran.said


def test_a_context_of_roots_leads_nobody_to_another_engine(inventory: Inventory, host: Host) -> None:
    """`docker` would ask elsewhere than our own client does."""
    shell(host, "docker context create other --docker host=unix:///run/other.sock; docker context use other")
    assert host.exec(["docker", "ps"]).returncode != 0
    ran = inventory.run("plan", "--no-diff", "--host", host.name)
    assert (ran.code, "no `docker compose`" in ran.said) == (0, False), ran.said


def no_engine(host: Host) -> None:
    shell(host, f"{APT} purge {ENGINE} containerd runc >/dev/null; rm -f /run/docker.sock")
    shell(host, "apt-get update -q")


HOLDER = """
import fcntl, os, sys, time
for path in sys.argv[2:]:
    file = open(path, "w")
    fcntl.lockf(file, fcntl.LOCK_EX)
    os.set_inheritable(file.fileno(), True)
    globals().setdefault("kept", []).append(file)
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize(
    "lock", ["/var/lib/dpkg/lock-frontend", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock"]
)
def test_bootstrap_waits_for_whoever_installs_and_says_so(
    inventory: Inventory, lab: Lab, host: Host, lock: str
) -> None:
    no_engine(host)
    plan = inventory.run("plan", "--no-diff", "--host", host.name)
    assert "Docker: not installed; --bootstrap installs the distribution's own" in flat(plan.said)
    words = ["systemd-run", "--quiet", "--collect", "--unit=holder", "python3", "-c", HOLDER, "45", lock]
    host.must(words)
    ran = inventory.run("provision", "--bootstrap")
    assert ran.code == 0, ran.said
    assert re.search(r"waits for process \d+ \(python3\)", flat(ran.said)), ran.said
    assert containers(lab, host.name)


CONTAINERD = """Package: containerd.io
Version: 1.7
Provides: containerd
Conflicts: containerd
Maintainer: x <x@example.org>
Architecture: all
Description: as docker.com has it
"""


def test_bootstrap_takes_no_package_away(inventory: Inventory, host: Host) -> None:
    """A host of Kubernetes has docker.com's containerd, which Debian's Docker would replace."""
    no_engine(host)
    shell(host, f"mkdir -p /root/p/DEBIAN; printf %s {quote(CONTAINERD)} > /root/p/DEBIAN/control")
    shell(host, "dpkg-deb -b /root/p /root/c.deb; dpkg -i /root/c.deb")
    ran = inventory.run("provision", "--bootstrap", "--host", host.name)
    assert shell(host, "dpkg-query -W -f '${Status}' containerd.io") == "install ok installed"
    assert ran.code == 1
    assert "would take packages of this host away: containerd.io" in flat(ran.said)
