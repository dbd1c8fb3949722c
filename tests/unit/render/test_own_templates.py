"""Templates beside the inventory: whose they may be, and what they may change."""

from __future__ import annotations

import os
import re
import resource
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.render import Bundle, own_used, parse, render
from tempo_infra.render.bundle import OwnTemplate
from tempo_infra.render.keys import MOST_NAMED
from tempo_infra.render.templates import built_in
from tempo_infra.sizing import size
from tests.unit.sizing.clusters import solo
from tests.unit.trees.strangers import as_root

LIMITS = "etc/security/limits.d/60-tempo-infra.conf.j2"


def rendered(folder: Path, *accept: str) -> Bundle:
    """The bundle of one host whose inventory lies in the folder."""
    one = replace(solo(), path=folder / "inventory.yaml", accept=frozenset(accept))
    return render(one, size(one))[0]


def own(folder: Path, name: str, *changes: tuple[str, str], more: str = "") -> Path:
    """Write a template as ours is, but for the changes."""
    text = (built_in() / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + more)
    return path


def text(bundle: Bundle, path: str) -> str:
    """Of the file with that path, or its end."""
    return next(file for file in bundle.files if file.path.endswith(path)).content.decode()


def test_a_template_of_the_operator_replaces_ours(tmp_path: Path) -> None:
    own(tmp_path, LIMITS, more="# for the auditors\n")
    assert text(rendered(tmp_path), LIMITS.removesuffix(".j2")).endswith("# for the auditors\n")


@pytest.mark.parametrize("at", ["", "etc", "etc/security/limits.d", LIMITS, "foreign"])
@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_is_no_template(tmp_path: Path, at: str, *, dangling: bool) -> None:
    own(tmp_path, LIMITS)
    link = tmp_path / "templates" / at
    if link.exists():
        link.rename(tmp_path / "elsewhere")
    elif not dangling:
        (tmp_path / "elsewhere").write_text("secret")
    link.symlink_to(tmp_path / ("nowhere" if dangling else "elsewhere"))
    with pytest.raises(InputError, match="is a link, and links are not followed") as told:
        rendered(tmp_path)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("plant", [os.mkfifo, Path.touch])
def test_what_is_no_template_in_the_place_of_the_folder_is_refused(tmp_path: Path, plant: object) -> None:
    assert callable(plant)
    plant(tmp_path / "templates")
    with pytest.raises(InputError, match=r"templates: is a (pipe|file)"):
        rendered(tmp_path)


@pytest.mark.parametrize("at", ["", "etc", "etc/security/limits.d", LIMITS])
def test_a_template_that_others_may_change_is_refused(tmp_path: Path, at: str) -> None:
    own(tmp_path, LIMITS)
    (tmp_path / "templates" / at).chmod(0o666 if at == LIMITS else 0o777)
    with pytest.raises(InputError, match="everybody on this machine may change"):
        rendered(tmp_path)


@as_root
@pytest.mark.parametrize("at", ["", LIMITS])
def test_a_template_of_a_stranger_is_refused(tmp_path: Path, at: str) -> None:
    own(tmp_path, LIMITS)
    os.chown(tmp_path / "templates" / at, 65534, -1)
    with pytest.raises(InputError, match="not to you"):
        rendered(tmp_path)


def test_a_folder_that_leads_to_itself_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "templates").symlink_to("templates")
    with pytest.raises(InputError, match="is a link, and links are not followed"):
        rendered(tmp_path)


@pytest.mark.parametrize("content", [b"x", b"\xff", "\u202e".encode()])
def test_a_templates_name_is_one_line_of_what_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/a\n\x1b[31merror: all is well.j2").write_bytes(content)
    with pytest.raises(InputError, match=r"templates/a error: all is well\.j2:") as told:
        rendered(tmp_path)
    assert "\nerror" not in told.value.what


def test_a_folder_of_something_else_is_not_read_without_end(tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "web"
    folder.mkdir(parents=True)
    for number in range(1001):
        (folder / f"{number}.html").touch()
    with pytest.raises(InputError, match="holds more than 1000 files and folders"):
        rendered(tmp_path)


COMPOSE = "docker-compose.yml.j2"
HEAD = "    init: true\n"
FIRST = f"{HEAD}    read_only: true\n"  # of each service


def composed(more: str) -> tuple[str, str]:
    """A change that adds lines to each service."""
    return FIRST, FIRST + "".join(f"    {line}\n" for line in more.split("\n"))


BEYOND: dict[str, tuple[tuple[str, str], str]] = {
    "privileged": (composed("privileged: true"), "services.history.privileged: true"),
    "a capability": (composed("cap_add: [NET_ADMIN]"), "cap_add"),
    "fewer dropped": (
        ("cap_drop: [ALL]", "cap_drop: [NET_RAW]"),
        r'cap_drop: ."NET_RAW". instead of ."ALL".',
    ),
    "none dropped": (("    cap_drop: [ALL]\n", ""), "services.history.cap_drop is missing"),
    "new privileges": (('["no-new-privileges:true"]', '["no-new-privileges:false"]'), "security_opt"),
    "unconfined": (
        ('["no-new-privileges:true"]', '["no-new-privileges:true", "seccomp:unconfined"]'),
        "security_opt",
    ),
    "writable": ((FIRST, f"{HEAD}    read_only: false\n"), "read_only: false instead of true"),
    "writable by absence": ((FIRST, HEAD), "read_only is missing"),
    "the host's processes": (composed("pid: host"), "pid"),
    "the host's memory": (composed("ipc: host"), "ipc"),
    "the host's name": (composed("uts: host"), "uts"),
    "the host's users": (composed("userns_mode: host"), "userns_mode"),
    "the host's cgroups": (composed("cgroup: host"), "cgroup"),
    "a cgroup's parent": (composed("cgroup_parent: /system.slice"), "cgroup_parent"),
    "the host's network": (composed("network_mode: host"), "network_mode"),
    "a network of others": (composed("networks: [default]"), "networks"),
    "devices": (composed("devices: [/dev/sda]"), "devices"),
    "rules for devices": (composed("device_cgroup_rules: ['a *:* rwm']"), "device_cgroup_rules"),
    "GPUs": (composed("gpus: all"), "gpus"),
    "another runtime": (composed("runtime: sysbox"), "runtime"),
    "groups": (composed("group_add: [docker]"), "group_add"),
    "another image": (
        ("    image: {{ service.image | compose }}", "    image: evil.example/x"),
        "services.*image",
    ),
    "a build": (composed("build: ."), "build"),
    "another user": (("    user: {{ service.user | compose }}", '    user: "0:0"'), 'user: "0:0" instead of'),
    "no user": (("    user: {{ service.user | compose }}\n", ""), "user is missing"),
    "another entrypoint": (composed("entrypoint: [sh, -c, id]"), "entrypoint"),
    "another command": (
        ("[temporal-server, --allow-no-auth, start]", "[sh, -c, id]"),
        "services.history.command",
    ),
    "another health check": (composed("healthcheck: {disable: true}"), "the key is here twice"),
    "a hook": (composed("post_start: [{command: [id], user: root}]"), "post_start"),
    "files of variables": (composed("env_file: /root/.ssh/id_ed25519"), "env_file"),
    "configs": (composed("configs: [{source: a}]"), "configs"),
    "secrets": (composed("secrets: [a]"), "secrets"),
    "extends": (composed("extends: {file: /etc/x.yml, service: a}"), "extends"),
    "volumes of another": (composed("volumes_from: ['container:other']"), "volumes_from"),
    "a host's kernel value": (composed("sysctls: {net.ipv4.ip_forward: 1}"), "sysctls"),
    "no limit of memory": (("    mem_limit: {{ service.memory | compose }}\n", ""), "mem_limit is missing"),
    "more memory": (("    mem_limit: {{ service.memory | compose }}", "    mem_limit: 64g"), "mem_limit"),
    "swap": (("memswap_limit: {{ service.memory | compose }}", "memswap_limit: -1"), "memswap_limit"),
    "no oom killer": (composed("oom_kill_disable: true"), "oom_kill_disable"),
    "more processors": (("    cpus: {{ service.cpus | compose }}", "    cpus: 64"), "cpus: 64 instead of"),
    "no limit of processes": (
        ("    pids_limit: {{ service.pids | compose }}\n", ""),
        "pids_limit is missing",
    ),
    "a writable place for programs": (("/tmp:mode=1777,size=64m", "/tmp:mode=1777,size=64m,exec"), "tmpfs"),
    "another log": (("driver: json-file", "driver: syslog"), 'logging.driver: "syslog" instead of'),
    "logs to elsewhere": (
        ("        max-size:", "        syslog-address: tcp://192.0.2.1\n        max-size:"),
        "syslog-address",
    ),
    "variables of the operator's": (
        ("      PGDATA:", "      LD_PRELOAD: /x.so\n      PGDATA:"),
        "environment.LD_PRELOAD",
    ),
    "variables passed on": (
        ("      PGDATA:", "      AWS_SECRET_ACCESS_KEY:\n      PGDATA:"),
        "AWS_SECRET_ACCESS_KEY: null",
    ),
    "no limit of processors": (("cpus: {{ service.cpus | compose }}", "cpus: 0.001"), "cpus: 0.001"),
    "an end that never comes": (
        ("stop_grace_period: {{ service.stop_grace | compose }}", "stop_grace_period: 9999m"),
        "stop_grace_period",
    ),
    "health that is never asked for": (
        ("      interval: 10s", "      interval: 9999m"),
        "healthcheck.interval",
    ),
    "labels of a proxy": (composed('labels: {"traefik.enable": "true"}'), "labels"),
    "labels of a proxy by one word": (composed("labels: {caddy: example.org}"), "labels"),
    "labels that run programs": (composed('labels: {"ofelia.job-exec.x.command": id}'), "labels"),
    "labels that pull images": (
        composed('labels: {"com.centurylinklabs.watchtower.enable": "true"}'),
        "labels",
    ),
    "labels of Compose": (composed("labels: {com.docker.compose.project: other}"), "labels"),
    "a port of everybody": (("    ports:\n", '    ports:\n      - "9999:9999"\n'), "ports"),
    "a port as a number": (("    ports:\n", "    ports:\n      - 9999\n"), "ports"),
    "a port's long form": (("    ports:\n", "    ports:\n      - {target: 22, published: 22}\n"), "ports"),
    "a port range": (("    ports:\n", '    ports:\n      - "7000-7999:7000-7999"\n'), "ports"),
    "the socket of Docker": (
        ("    volumes:\n", "    volumes:\n      - /var/run/docker.sock:/var/run/docker.sock\n"),
        "volumes",
    ),
    "the host's root": (
        ("    volumes:\n", "    volumes:\n      - {type: bind, source: /, target: /host}\n"),
        "volumes",
    ),
    "data of the image": (
        ("        source: {{ data_folder | compose }}\n", "        source: /tmp/x\n"),
        "volumes",
    ),
    "a folder that may be written": (("        read_only: true\n", ""), "volumes"),
    "a volume that is made": (("        bind: {create_host_path: false}\n", ""), "volumes"),
    "volumes of the project": (("networks:\n", "volumes: {a: {driver: nfs}}\nnetworks:\n"), "^.*volumes: "),
    "secrets of the project": (
        ("networks:\n", "secrets: {a: {file: /etc/shadow}}\nnetworks:\n"),
        "secrets: ",
    ),
    "an include": (("networks:\n", "include: [/tmp/x.yml]\nnetworks:\n"), "include: "),
    "an extension": (("networks:\n", "x-y: 1\nnetworks:\n"), "x-y: 1"),
    "another network": (("networks:\n", "networks:\n  other: {}\n"), "networks.other"),
    "a network of the host": (
        ("  default:\n", "  default:\n    external: true\n"),
        "networks.default.external",
    ),
    "merged lines": (composed("<<: {privileged: true}"), "readers of YAML differ"),
    "YAML's other words": (
        (FIRST, f"{HEAD}    read_only: yes\n"),
        "services: postgresql: read_only: readers of YAML differ",
    ),
    "YAML's old numbers": (composed("oom_score_adj: 010"), "readers of YAML differ"),
    "an anchor": (composed("labels: &a {x: y}"), "an anchor"),
    "a tag": (composed("labels: !!set {x}"), "the tag"),
    "a key twice": ((FIRST, FIRST + FIRST), "the key is here twice"),
}


@pytest.mark.thorough
@pytest.mark.parametrize(("change", "said"), BEYOND.values(), ids=BEYOND)
def test_a_compose_file_says_no_more_than_the_inventory_means(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    own(tmp_path, COMPOSE, change)
    with pytest.raises(InputError, match=said) as told:
        rendered(tmp_path)
    ambiguous = "can't be read" in told.value.what
    assert ambiguous or "accept: [own-compose]" in told.value.remedy
    if ambiguous:
        with pytest.raises(InputError, match=said):
            rendered(tmp_path, "own-compose")
    else:
        found = rendered(tmp_path, "own-compose").own
        assert [one.name for one in found] == [COMPOSE]
        assert re.search(said, "; ".join(found[0].beyond))


FINE: dict[str, tuple[str, str]] = {
    "a comment": (FIRST, f"{FIRST}    # for the auditors\n"),
    "labels": composed("labels: {team: payments, org.opencontainers.image.vendor: us}"),
    "fewer processors": ("    cpus: {{ service.cpus | compose }}", "    cpus: 0.1"),
    "another pace of health": ("      interval: 10s", "      interval: 30s"),
    "larger logs": ("        max-size: {{ service.log_size | compose }}", "        max-size: 50m"),
    "a zone": ("      PGDATA:", "      TZ: Europe/Oslo\n      PGDATA:"),
    "fewer ports": ("{% for port in service.ports %}", "{% for port in service.ports[:1] %}"),
    "another style": ("cap_drop: [ALL]", 'cap_drop:\n      - "ALL"'),
}


@pytest.mark.parametrize("change", FINE.values(), ids=FINE)
def test_what_changes_no_meaning_is_fine(tmp_path: Path, change: tuple[str, str]) -> None:
    own(tmp_path, COMPOSE, change)
    found = rendered(tmp_path)
    assert found.own == (OwnTemplate(COMPOSE),)
    assert own_used([found])[0].line == f"own template {COMPOSE} on solo-1"
    assert own_used([found])[0].risk == ""


def test_what_is_accepted_is_what_the_manifest_says(tmp_path: Path) -> None:
    """What is pulled, shown and compared is the image that runs."""
    own(tmp_path, COMPOSE, ("    image: {{ service.image | compose }}", "    image: registry.example/x:1"))
    found = rendered(tmp_path, "own-compose")
    assert {one.image for one in found.instances.values()} == {"registry.example/x:1"}
    assert own_used([found])[0].risk.startswith(
        "own-compose: more than the inventory means, by the own template"
    )


SERVER = "services/temporal/server.yaml.j2"
DYNAMIC = "services/temporal/dynamic.yaml.j2"
POSTGRESQL = "services/postgresql/postgresql.conf.j2"
HBA = "services/postgresql/pg_hba.conf.j2"
MIGRATE = "services/schema/migrate.sh.j2"
SYSCTL = "etc/sysctl.d/60-tempo-infra.conf.j2"
UNIT = "etc/systemd/system/tempo-infra.service.j2"
WANTS = "etc/systemd/system/multi-user.target.d/60-tempo-infra.conf.j2"
THP = "etc/tmpfiles.d/60-tempo-infra.conf.j2"
NAMESPACES = "namespaces.yaml.j2"
OFF = "synchronous_commit = off\n"
LINE = "{{ setting.name | pgname }} = {{ setting.text | pgconf }}\n"
DATABASE = "databaseName: {{ pool.database | yaml }}"
NO_MORE: dict[str, tuple[str, tuple[str, str], str]] = {
    "a renamed database": (
        SERVER,
        (DATABASE, "databaseName: other"),
        'databaseName: "other" instead of "temporal"',
    ),
    "another host": (
        SERVER,
        ("connectAddr: {{ cluster.database | yaml }}", "connectAddr: evil.example:5432"),
        "connectAddr",
    ),
    "another host by options": (
        SERVER,
        ('connect_timeout: "3"', 'connect_timeout: "3"\n          host: evil.example'),
        "connectAttributes.host",
    ),
    "another login": (SERVER, ("user: {{ pool.user | yaml }}", "user: postgres"), "user"),
    "a password": (SERVER, (DATABASE, f"{DATABASE}\n        password: x"), "password"),
    "a command": (SERVER, ("command: cat", "command: sh"), "passwordCommand.command"),
    "another store": (SERVER, ("    {{ name | yaml }}:\n", "    other{{ name | yaml }}:\n"), "datastores"),
    "more connections": (
        SERVER,
        ("maxConns: {{ pool.connections | yaml }}", "maxConns: 5000"),
        "maxConns: 5000",
    ),
    "other shards": (
        SERVER,
        ("numHistoryShards: {{ cluster.shards | yaml }}", "numHistoryShards: 4"),
        "numHistoryShards",
    ),
    "metrics for all": (
        SERVER,
        ("listenAddress: {{ temporal.metrics | yaml }}", "listenAddress: 0.0.0.0:9000"),
        "listenAddress",
    ),
    "another port": (SERVER, ("grpcPort: {{ service.grpc | yaml }}", "grpcPort: 1"), "grpcPort"),
    "a profiler": (SERVER, ("global:\n", "global:\n  pprof: {port: 7936, host: 0.0.0.0}\n"), "global.pprof"),
    "a template of the server's": (
        SERVER,
        ("log:\n", "# {% raw %}enable-template {{ env }}{% endraw %} x\nlog:\n"),
        "enable-template: the server would run the file",
    ),
    "a template of the server's in a value": (
        SERVER,
        ("log:\n", 'otel: {"# enable-template": 1}\nlog:\n'),
        "enable-template: the server would run the file",
    ),
    "a server's alias": (SERVER, ("log:\n", "namespaceDefaults: &a {}\nlog:\n"), "an anchor"),
    "an unknown key": (
        DYNAMIC,
        ("# {{ managed | comment }}\n", "# {{ managed | comment }}\nno.such: [{value: 1}]\n"),
        "no such key",
    ),
    "another kind of value": (
        DYNAMIC,
        ("# {{ managed | comment }}\n", "# {{ managed | comment }}\nfrontend.rps: [{value: x}]\n"),
        "frontend.rps: must be",
    ),
    "a single value where a mapping belongs": (
        DYNAMIC,
        ("# {{ managed | comment }}\n", "worker.perNamespaceWorkerOptions: [{value: 2}]\n"),
        "worker.perNamespaceWorkerOptions: must be a list or a mapping",
    ),
    "a namespace": (NAMESPACES, ("namespaces:\n", "namespaces:\n  mine: 24h\n"), "namespaces.mine"),
    "another file of rules": (
        POSTGRESQL,
        ("# {{ managed | comment }}\n", "hba_file = '/tmp/x'\n"),
        "hba_file: can't be set",
    ),
    "other addresses": (
        POSTGRESQL,
        (LINE, f"{{% if setting.name != 'listen_addresses' %}}{LINE}{{% endif %}}\n"),
        "listen_addresses is missing",
    ),
    "lost steps": (
        POSTGRESQL,
        (LINE, f"{{% if setting.name == 'synchronous_commit' %}}{OFF}{{% else %}}{LINE}{{% endif %}}\n"),
        "synchronous_commit: off loses steps",
    ),
    "another case": (POSTGRESQL, ("# {{ managed | comment }}\n", "FSYNC = off\n"), "FSYNC"),
    "an included file": (POSTGRESQL, ("# {{ managed | comment }}\n", "include = '/tmp/x'\n"), "include"),
    "another script": (MIGRATE, ("set -eu\n", "set -eu\nid\n"), "more than the inventory means: id"),
    "a branch of the script": (
        MIGRATE,
        ("            ;;\n        esac", "            ;;\n;; x) id ;;\n        esac"),
        "x\\) id",
    ),
    "a program behind a blank of another kind": (
        MIGRATE,
        ("set -eu\n", "\u00a0# nothing || : ; id\nset -eu\n"),
        "nothing .* id",
    ),
    "a word in two": (MIGRATE, ("set -eu\n", "set\\\n-eu\n"), "set -eu is missing"),
    "less of the script": (MIGRATE, ("umask 077\n", ""), "umask 077 is missing"),
    "a kernel value that is none of ours": (
        SYSCTL,
        ("# {{ managed | comment }}\n", "kernel.core_pattern = |/x\n"),
        "kernel.core_pattern: is not a kernel setting",
    ),
    "a kernel value out of its range": (
        SYSCTL,
        ("# {{ managed | comment }}\n", "vm.overcommit_ratio = 100000\n"),
        "vm.overcommit_ratio: must be between",
    ),
    "logins of nobody": (
        LIMITS,
        ("# {{ managed | comment }}\n", "* hard maxlogins 0\n"),
        r"\* hard maxlogins 0",
    ),
    "no files for logins": (
        LIMITS,
        ("# {{ managed | comment }}\n", "root hard nofile 3\n"),
        "root hard nofile 3",
    ),
    "more files than the kernel has": (
        LIMITS,
        ("# {{ managed | comment }}\n", "root hard nofile unlimited\n"),
        "nofile unlimited",
    ),
    "another root": (LIMITS, ("# {{ managed | comment }}\n", "root - chroot /tmp\n"), "chroot"),
    "a program at boot": (
        UNIT,
        ("Type=exec\n", "Type=exec\nExecStartPre=/bin/sh -c id\n"),
        "ExecStartPre=/bin/sh -c id",
    ),
    "another program": (
        UNIT,
        ("--pull never", "--pull never; id"),
        r"pull never; id\".*pull never\" is missing",
    ),
    "a program behind a mark": (UNIT, ('--pull never"', '--pull never # ; id"'), "never # ; id"),
    "a free line in another": (UNIT, ("  exec docker", "Description=x; id; \\\n  exec docker"), "=x; id"),
    "a line that swallows": (UNIT, ("after a boot\n", "after a boot \\\n"), r"after a boot \\"),
    "a line that swallows and hides it": (
        UNIT,
        ("[Service]\n", '[Service]\nDescription=x \\ \nExecStartPre=/bin/sh -c "id"\n'),
        "ExecStartPre=/bin/sh -c",
    ),
    "a line that hides by another blank": (
        UNIT,
        ("[Service]\n", "[Service]\nDescription=x \\\u00a0\nExecStartPre=/bin/id\n"),
        "ExecStartPre=/bin/id",
    ),
    "the same in what is wanted": (
        WANTS,
        ("[Unit]\n", "[Unit]\nDescription=x \\ \nWants=evil.service\n"),
        "Wants=evil.service",
    ),
    "another unit": (
        WANTS,
        ("Wants={{ unit | unit }}", "Wants={{ unit | unit }} evil.service"),
        "evil.service",
    ),
    "a conflict": (WANTS, ("[Unit]\n", "[Unit]\nConflicts=ssh.service\n"), "Conflicts=ssh.service"),
    "a file at boot": (
        THP,
        ("# {{ managed | comment }}\n", "f+ /root/.ssh/authorized_keys 0600 root root - x\n"),
        "authorized_keys",
    ),
    "another place": (
        THP,
        ("# {{ managed | comment }}\n", "w /proc/sys/kernel/core_pattern - - - - x\n"),
        "core_pattern",
    ),
    "a way up": (
        THP,
        (
            "# {{ managed | comment }}\n",
            "w /sys/kernel/mm/transparent_hugepage/../../../../etc/x - - - - x\n",
        ),
        "etc/x",
    ),
}


@pytest.mark.parametrize(("name", "change", "said"), NO_MORE.values(), ids=NO_MORE)
def test_the_other_files_mean_what_the_inventory_means(
    tmp_path: Path, name: str, change: tuple[str, str], said: str
) -> None:
    own(tmp_path, name, change)
    with pytest.raises(InputError, match=said):
        rendered(tmp_path)
    if name != MIGRATE:
        with pytest.raises(InputError, match=said):
            rendered(tmp_path, "own-compose")


def test_an_own_file_of_yaml_is_written_from_what_was_judged(tmp_path: Path) -> None:
    """No comment of it reaches the host, nor any way to write a value that readers may differ in."""
    before = parse.yaml(text(rendered(tmp_path), "/dynamic.yaml"))
    assert isinstance(before, dict)
    own(
        tmp_path,
        DYNAMIC,
        more="\n? frontend.callbackURLMaxLength # why\n: - {'value': 1_0}\n".replace("1_0", "10"),
    )
    found = text(rendered(tmp_path), "/dynamic.yaml")
    assert "# why" not in found
    assert found.endswith("\nfrontend.callbackURLMaxLength:\n  - value: 10\n")
    assert parse.yaml(found) == {**before, "frontend.callbackURLMaxLength": [{"value": 10}]}


def test_of_thousands_of_mistakes_a_few_are_said(tmp_path: Path) -> None:
    own(tmp_path, DYNAMIC, more="".join(f"history.cache{n}Max: [{{value: 1}}]\n" for n in range(2000)))
    with pytest.raises(InputError, match=r"history\.cache0Max: ") as told:
        rendered(tmp_path)
    assert told.value.what.count("history.cache") - told.value.what.count("did you mean") == MOST_NAMED


@pytest.mark.thorough
def test_a_word_without_an_end_takes_two_seconds(tmp_path: Path) -> None:
    own(tmp_path, MIGRATE, more=f"\n: {'a' * 250_000}\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with pytest.raises(InputError, match=r"more than the inventory means|takes more than 2 s"):
        rendered(tmp_path)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 4


def test_a_key_of_compose_is_what_it_looks_like(tmp_path: Path) -> None:
    own(tmp_path, COMPOSE, composed('labels: {"a$$b": x}'))
    with pytest.raises(InputError, match="leaves the \\$ in the key"):
        rendered(tmp_path)


FINE_ELSEWHERE: dict[str, tuple[str, tuple[str, str]]] = {
    "a level": (SERVER, ("level: info", "level: warn")),
    "TLS": (SERVER, (DATABASE, f"{DATABASE}\n        tls: {{enabled: true}}")),
    "fewer connections": (SERVER, ("maxConns: {{ pool.connections | yaml }}", "maxConns: 1")),
    "a dynamic key": (
        DYNAMIC,
        ("# {{ managed | comment }}\n", "frontend.callbackURLMaxLength: [{value: 100, constraints: {}}]\n"),
    ),
    "a list": (
        DYNAMIC,
        ("# {{ managed | comment }}\n", "frontend.allowedExperiments: [{value: [a, b]}]\n"),
    ),
    "a mapping": (
        DYNAMIC,
        ("# {{ managed | comment }}\n", "worker.perNamespaceWorkerOptions: [{value: {a: 2}}]\n"),
    ),
    "a gradual change": (
        DYNAMIC,
        ("# {{ managed | comment }}\n", "matching.enableFairness: [{value: {new: true, old: false}}]\n"),
    ),
    "a parameter": (POSTGRESQL, ("# {{ managed | comment }}\n", "deadlock_timeout = 2s\n")),
    "a comment in the script": (MIGRATE, ("set -eu\n", "# and stop\n\nset -eu\n")),
    "a kernel value": (SYSCTL, ("# {{ managed | comment }}\n", "net.core.rmem_max = 8388608\n")),
    "a limit": (LIMITS, ("# {{ managed | comment }}\n", "@ops - nproc unlimited\n")),
    "a description": (UNIT, ("Description=", "Description=ours: ")),
    "a pause": (UNIT, ("RestartSec=5s", "RestartSec=30s")),
    "huge pages": (
        THP,
        (
            "# {{ managed | comment }}\n",
            "w /sys/kernel/mm/transparent_hugepage/defrag - - - - defer+madvise\n",
        ),
    ),
    "fewer clients": (HBA, ("{{ cluster.logins | hba }}", "{{ cluster.login | hba }}")),
    "a client that is kept out": (HBA, ("host    {{", "host all all 10.1.0.0/16 reject # why\nhost    {{")),
}


@pytest.mark.parametrize(("name", "change"), FINE_ELSEWHERE.values(), ids=FINE_ELSEWHERE)
def test_what_is_meant_to_be_changed_can_be(tmp_path: Path, name: str, change: tuple[str, str]) -> None:
    own(tmp_path, name, change)
    assert rendered(tmp_path).own == (OwnTemplate(name),)


def test_clients_behind_tls_need_a_template_of_the_servers_too(tmp_path: Path) -> None:
    own(tmp_path, HBA, ("host    {{ database | hba }}", "hostssl {{ database | hba }}"))
    with pytest.raises(InputError, match="temporal_blue, as which Temporal logs in from"):
        rendered(tmp_path)
    own(tmp_path, SERVER, (DATABASE, f"{DATABASE}\n        tls: {{enabled: true}}"))
    assert {one.name for one in rendered(tmp_path).own} == {HBA, SERVER}


@pytest.mark.parametrize("method", ["reject", "scram-sha-256"])
def test_an_own_pg_hba_keeps_none_of_our_logins_out(tmp_path: Path, method: str) -> None:
    own(tmp_path, HBA, line(f"local all postgres {method}"))
    place = rf"{HBA}: line 7 of what it renders: local all postgres {method}: postgres, as which"
    with pytest.raises(InputError, match=place):
        rendered(tmp_path, "own-access")


OUTWARD: dict[str, tuple[str, str, str]] = {
    "a command": (POSTGRESQL, "archive_command = 'cp %p /x/%f'\n", "archive_command = cp %p /x/%f can run"),
    "a library": (POSTGRESQL, "session_preload_libraries = 'evil'\n", "session_preload_libraries = evil"),
    "a place for libraries": (POSTGRESQL, "dynamic_library_path = '/tmp'\n", "dynamic_library_path = /tmp"),
    "a passphrase": (POSTGRESQL, "ssl_passphrase_command = 'id'\n", "ssl_passphrase_command = id"),
    "another server": (POSTGRESQL, "primary_conninfo = 'host=evil'\n", "primary_conninfo = host=evil"),
    "logs over data": (POSTGRESQL, "log_filename = 'PG_VERSION'\n", "log_filename = PG_VERSION"),
    "where it calls": (
        DYNAMIC,
        "component.callbacks.allowedAddresses: [{value: [{Pattern: '*', AllowInsecure: true}]}]\n",
        "component.callbacks.allowedAddresses: .*Pattern.* can run programs",
    ),
    "where others call": (
        DYNAMIC,
        "component.nexusoperations.callback.endpoint.template: [{value: 'https://evil.example/'}]\n",
        "endpoint.template: .*evil.example.* can run programs",
    ),
    "traces": (SERVER, "otel: {exporters: []}\n", "otel: .* can run programs"),
    "an archive": (SERVER, "archival: {history: {state: enabled}}\n", "archival: .* can run programs"),
    "an archive by default": (SERVER, "namespaceDefaults: {archival: {}}\n", "namespaceDefaults: "),
}


@pytest.mark.parametrize(("name", "more", "said"), OUTWARD.values(), ids=OUTWARD)
def test_what_leads_out_is_a_risk_to_accept_that_is_shown(
    tmp_path: Path, name: str, more: str, said: str
) -> None:
    own(tmp_path, name, more=f"\n{more}")
    for accepted in ((), ("own-compose",)):
        with pytest.raises(InputError, match=said) as told:
            rendered(tmp_path, *accepted)
        assert "accept: [commands-and-exports]" in told.value.remedy
    found = rendered(tmp_path, "commands-and-exports")
    (use,) = own_used([found])
    assert use.risk.startswith(
        f"commands-and-exports: more than the inventory means, by the own template {name}"
    )
    assert re.search(said, use.risk)


FOREIGN = "jwtKeyProvider: {keySourceURIs: ['https://keys.evil.example/jwks']}"
METRICS = "  # Inside the container only, no port of the host"
EVERYBODY = "host all all 0.0.0.0/0 scram-sha-256"
MANAGED = "# {{ managed | comment }}\n"
FIRST_OF_HBA = "local   all                             postgres"


def line(text: str) -> tuple[str, str]:
    return FIRST_OF_HBA, f"{text}\n{FIRST_OF_HBA}"


LET_IN: dict[str, tuple[str, tuple[str, str], str]] = {
    "keys of tokens": (
        SERVER,
        (METRICS, f"  authorization: {{authorizer: default, {FOREIGN}}}\n{METRICS}"),
        "global.authorization: .*keys.evil.example/jwks",
    ),
    "certificates": (
        SERVER,
        (METRICS, f"  tls: {{frontend: {{server: {{clientCaData: [x]}}}}}}\n{METRICS}"),
        "global.tls: .*clientCaData",
    ),
    "the database's certificate": (
        SERVER,
        (DATABASE, f"{DATABASE}\n        tls: {{enabled: true, caData: x}}"),
        "persistence.datastores.default.sql.tls: .*caData",
    ),
    "everybody": (HBA, line(EVERYBODY), EVERYBODY),
    "everybody by IPv6": (HBA, line("host all all ::/0 scram-sha-256"), "host all all ::/0 scram"),
    "all": (HBA, line("hostssl all all all cert clientcert=verify-full"), "hostssl all all all cert"),
    "another client": (HBA, line("host all auditor 10.1.0.0/16 scram-sha-256 # audit"), "all auditor 10.1"),
    "a wider network": (HBA, line("host temporal temporal_blue 10.0.0.0/8 scram-sha-256"), "10.0.0.0/8"),
    "another database": (
        HBA,
        line("host postgres temporal_blue 10.20.0.11/32 scram-sha-256"),
        "host postgres",
    ),
    "the superuser": (HBA, line("host temporal postgres 10.20.0.11/32 scram-sha-256"), "temporal postgres"),
    "commands across namespaces": (
        DYNAMIC,
        (MANAGED, f"{MANAGED}system.enableCrossNamespaceCommands: [{{value: true}}]\n"),
        "system.enableCrossNamespaceCommands: .* lets callers do or see more",
    ),
    "headers of callers": (
        DYNAMIC,
        (MANAGED, f"{MANAGED}component.nexusoperations.disallowedHeaders: [{{value: []}}]\n"),
        "nexusoperations.disallowedHeaders: .* lets callers do or see more",
    ),
    "large objects": (
        POSTGRESQL,
        (MANAGED, f"{MANAGED}lo_compat_privileges = on\n"),
        "lo_compat_privileges = on lets callers",
    ),
    "the log": (HBA, line("local replication postgres peer"), "local replication postgres peer"),
    "more on the socket": (HBA, line("local all auditor peer"), "local all auditor peer"),
}


@pytest.mark.parametrize(("name", "change", "said"), LET_IN.values(), ids=LET_IN)
def test_whom_a_template_lets_in_or_believes_is_a_risk_to_accept_that_is_shown(
    tmp_path: Path, name: str, change: tuple[str, str], said: str
) -> None:
    own(tmp_path, name, change)
    for accepted in ((), ("own-compose", "commands-and-exports")):
        with pytest.raises(InputError, match=said) as told:
            rendered(tmp_path, *accepted)
        assert "accept: [own-access]" in told.value.remedy
    (use,) = own_used([rendered(tmp_path, "own-access")])
    assert use.risk.startswith(f"own-access: more than the inventory means, by the own template {name}")
    assert re.search(said, use.risk)


def test_a_file_may_take_two_risks_and_needs_both(tmp_path: Path) -> None:
    tokens = (METRICS, f"  authorization: {{{FOREIGN}}}\n{METRICS}")
    own(tmp_path, SERVER, tokens, more="\notel: {exporters: []}\n")
    with pytest.raises(InputError, match=r"otel: .*global\.authorization: ") as both:
        rendered(tmp_path)
    assert "accept: [commands-and-exports, own-access]" in both.value.remedy
    with pytest.raises(InputError, match=r"means: global\.authorization: ") as one:
        rendered(tmp_path, "commands-and-exports")
    assert "accept: [own-access]" in one.value.remedy
    (use,) = own_used([rendered(tmp_path, "commands-and-exports", "own-access")])
    assert use.risk.startswith("commands-and-exports, own-access: more than")
    assert re.search(r"otel: .*global\.authorization: ", use.risk)


@pytest.mark.parametrize("length", [60, 5000])
def test_what_is_accepted_is_told_from_what_begins_like_it(tmp_path: Path, length: int) -> None:
    """A plan that was agreed to shows that another thing is in it, where no more than its end is another."""
    seen = set()
    for command in ("cp %p /x/%f", "cp %p /y/%f"):
        own(tmp_path, POSTGRESQL, more=f"\narchive_command = '/x {'x' * min(length, 300)} {command}'\n")
        own(tmp_path, MIGRATE, more=f": {'x' * length} {command}\n")
        seen |= {use.risk for use in own_used([rendered(tmp_path, "commands-and-exports", "own-compose")])}
    assert len(seen) == 4
    assert all(len(risk) < 700 for risk in seen)


def test_what_is_never_taken_is_not_taken_with_that_either(tmp_path: Path) -> None:
    own(tmp_path, POSTGRESQL, more="\narchive_command = '/bin/true'\nhba_file = '/tmp/x'\n")
    with pytest.raises(InputError, match=r"archive_command = /bin/true is refused|hba_file: can't be set"):
        rendered(tmp_path, "commands-and-exports")


LINES = {
    'host all all 0.0.0.0/0 "trust"': "plain fields only",
    "host all all 0.0.0.0/0 \\\n trust": "one with the next line",
    "# a comment \\": "one with the next line",
    "include /var/lib/postgresql/data/x": "begins with one of",
    "include_if_exists x": "begins with one of",
    "INCLUDE_DIR x y z": "begins with one of",
    "@/etc/x": "plain fields only",
    "host @users all 10.0.0.0/8 scram-sha-256": "plain fields only",
    "host all /^.*$ 10.0.0.0/8 scram-sha-256": "plain fields only",
    "host all /admin 10.0.0.0/8 scram-sha-256": "names only",
    "host /db all 10.0.0.0/8 scram-sha-256": "names only",
    "host all all 0.0.0.0/0 TRUST": "the method TRUST is refused",
    "host all all 0.0.0.0/0 Trust": "the method Trust is refused",
    "host all all 0.0.0.0 0.0.0.0 trust": "no network",
    "host\tall\tall\t0.0.0.0/0\ttrust": "the method trust",
    "host all,all all 0.0.0.0/0 trust": "the method trust",
    "host all, all 0.0.0.0/0 trust": "no blank in a list",
    "host all ,all 0.0.0.0/0 trust": "no blank in a list",
    "host all all 0.0.0.0/0 ldap ldapserver=evil.example": "the method ldap",
    "host all all 0.0.0.0/0 pam": "the method pam",
    "host all all 0.0.0.0/0 scram-sha-256 trust": "options are",
    "local all all": "a field is missing",
    "local all all trust": "the method trust",
    "local": "a field is missing",
    "host all all evil.example scram-sha-256": "no network",
    "host all\u00a0all all 10.0.0.0/8 trust": "plain fields only",
    "host all all 10.0.0.0/8 scram-sha-256 # \x1b[2K": "an invisible character, U\\+001B",
    "host all all 10.0.0.0/8 scram-sha-256 # \u202etsurt": "an invisible character, U\\+202E",
}


@pytest.mark.parametrize(("line", "said"), LINES.items())
@pytest.mark.parametrize("first", [True, False])
def test_who_may_log_in_is_said_in_plain_lines(tmp_path: Path, line: str, said: str, *, first: bool) -> None:
    path = own(tmp_path, HBA)
    path.write_text(f"{line}\n{path.read_text()}" if first else f"{path.read_text()}{line}")
    with pytest.raises(InputError, match=said):
        rendered(tmp_path)


@pytest.mark.parametrize("name", [COMPOSE, LIMITS, MIGRATE, UNIT])
@pytest.mark.parametrize("sign", ["\x1b[2J", "\u202e", "\u200b", "\r#", "\x85"])
def test_nothing_that_people_can_not_see_is_rendered(tmp_path: Path, name: str, sign: str) -> None:
    own(tmp_path, name, more=f"# {sign}\n")
    with pytest.raises(InputError, match="an invisible character, U"):
        rendered(tmp_path)


def test_nor_by_a_value_of_the_template(tmp_path: Path) -> None:
    own(tmp_path, MIGRATE, ("set -eu\n", "set -eu {{ '\\u202e' | sh }}\n"))
    with pytest.raises(InputError, match=r"j2: it renders an invisible character, U\+202E"):
        rendered(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["docker-compose.yaml.j2", "services/histroy/server.yaml.j2", "server.yaml.j2", "services/ui/x.j2"],
)
def test_a_template_that_replaces_nothing_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "templates" / name).parent.mkdir(parents=True)
    (tmp_path / "templates" / name).write_text("x")
    (tmp_path / "templates/README.md").write_bytes(b"\xff")
    with pytest.raises(InputError, match=rf"templates/{name}: replaces nothing"):
        rendered(tmp_path)


def test_a_template_of_one_service_is_judged_by_the_one_that_it_shares(tmp_path: Path) -> None:
    shared = own(tmp_path, SERVER, ("level: info", "level: debug"))
    single = tmp_path / "templates/services/history/server.yaml.j2"
    single.parent.mkdir()
    shared.rename(single)
    assert rendered(tmp_path).own == (OwnTemplate("services/history/server.yaml.j2"),)
    single.write_text(single.read_text().replace(DATABASE, "databaseName: other"))
    with pytest.raises(
        InputError, match=r"history/server\.yaml\.j2: more than the inventory means: .*databaseName"
    ):
        rendered(tmp_path)


BOMB = "x0: &a0 [l,l,l,l,l,l,l,l,l]\n" + "".join(
    f"x{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 13)
)


@pytest.mark.thorough
@pytest.mark.parametrize("name", [COMPOSE, SERVER, DYNAMIC, NAMESPACES])
@pytest.mark.parametrize("bomb", [BOMB, f"a: {'[' * 5000}", "a: [" + "1," * 30_000 + "]"])
def test_yaml_that_grows_is_refused_before_it_does(tmp_path: Path, name: str, bomb: str) -> None:
    own(tmp_path, name, more=f"\n{bomb}\n")
    began = time.process_time()
    with pytest.raises(InputError, match=r"an anchor|nested deeper|more than 20000 values"):
        rendered(tmp_path)
    assert time.process_time() - began < 3
