"""What `explain` says is in force: every value that it names, of each kind, read from what runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lab.hosts import Host, Lab
from tempo_infra.inventory import load, parameters
from tempo_infra.inventory.cluster import Cluster, Role
from tempo_infra.report import explain
from tempo_infra.report.explain import Line
from tempo_infra.sizing import size
from tempo_infra.sizing.tables import table_settings
from tempo_infra.topology import instances
from tests.lab.conftest import Inventory, containers
from tests.lab.test_namespaces import RUN

MIB = 1024 * 1024
SHOWN = "select lower(name), coalesce(reset_val, ''), coalesce(unit, '') from pg_settings"
OPTIONS = "select relname, array_to_string(reloptions, ',') from pg_class where reloptions is not null"
PLANS = "select array_to_string(attoptions, ',') from pg_attribute where attname = 'workflow_id'"
PLANS += " and attrelid = 'public.executions'::regclass"


class Running:
    """A host and its containers, by service."""

    def __init__(self, lab: Lab, cluster: Cluster, name: str) -> None:
        self.host: Host = lab.host(name)
        self.cluster, self.containers = cluster, containers(lab, name)

    def psql(self, database: str, query: str) -> list[list[str]]:
        id_ = self.containers["postgresql"]["Id"]
        words = [
            "docker",
            "exec",
            id_,
            "psql",
            "-XqAt",
            "-F",
            "\t",
            "-U",
            "postgres",
            "-d",
            database,
            "-c",
            query,
        ]
        return [line.split("\t") for line in self.host.must(words).splitlines()]

    def inside(self, service: str, path: str) -> str:
        """A file as the service's main process sees it."""
        pid = self.containers[service]["State"]["Pid"]
        return self.host.must(["cat", f"/proc/{pid}/root{path}"])

    def dynamic(self, service: str) -> dict[str, str]:
        """What the server says that it has loaded, key by key in small letters."""
        log = self.host.must(["docker", "logs", self.containers[service]["Id"]], timeout=60)
        found = re.findall(r"key: ([\w.]+) oldValue: .*? newValue: \{.*?value: (.*?) \}", log)
        return dict(found)


def told(lab: Lab, cluster: Inventory) -> Iterator[tuple[Running, Line]]:
    """Every line of `explain`, with the host that it is about."""
    found = load(cluster.path)
    hosts = {host.name: Running(lab, found, host.name) for host in found.hosts}
    for line in explain.lines(size(found)):
        yield hosts[line.host], line


def of(lab: Lab, cluster: Inventory, *files: str) -> list[tuple[Running, Line]]:
    found = [(running, line) for running, line in told(lab, cluster) if line.file in files]
    assert found, files
    return found


def test_every_kind_of_value_is_looked_at(lab: Lab, cluster: Inventory) -> None:
    """A new one needs its test here."""
    kinds = {line.file for _, line in told(lab, cluster)}
    services = {"history", "matching", "worker", "frontend"}
    assert kinds - services == {"postgresql", "table", "sysctl", "tmpfiles", "limits", "compose"}


def test_postgresql_runs_with_every_line(lab: Lab, cluster: Inventory) -> None:
    lines = of(lab, cluster, "postgresql")
    running, version = lines[0][0], int(lines[0][0].cluster.postgres.version)
    shown = {name: (value, unit) for name, value, unit in running.psql("postgres", SHOWN)}
    wrong = []
    for _, line in lines:
        name, (value, unit) = line.setting.name.casefold(), shown[line.setting.name.casefold()]
        known = parameters.postgresql(version)[name]
        if known.kind in {"integer", "real"}:
            same = parameters.in_base(version, name, line.text) == parameters.in_base(
                version, name, f"{value}"
            )
        else:
            same = parameters.checked(version, name, line.text) == value
        wrong += [] if same else [(name, line.text, value + unit)]
    assert wrong == []


def test_tables_have_their_storage_parameters(lab: Lab, cluster: Inventory) -> None:
    [(running, line)] = of(lab, cluster, "table")
    [[plans]] = running.psql("temporal", PLANS)
    assert f"n_distinct={line.text}" in plans.split(",")
    for one in table_settings(running.cluster):
        options = dict(running.psql(one.database, OPTIONS))
        assert {f"{name}={value}" for name, value in one.values} == set(options[one.table].split(","))


def test_servers_have_loaded_every_value(lab: Lab, cluster: Inventory) -> None:
    """Static ones by the file that the process reads; dynamic ones by the server's own log."""
    wrong = []
    for running, line in of(lab, cluster, "history", "matching", "worker", "frontend"):
        name = line.setting.name
        loaded = running.dynamic(line.file)
        if "." in name and not name.endswith("maxConns"):
            live = loaded.get(name.casefold(), "not loaded")
        else:
            file = running.inside(line.file, "/etc/tempo-infra/server.yaml")
            store, _, key = name.rpartition(".")
            part = file.partition(f"{store}:")[2] if store else file
            found = re.search(rf"\b{key}: *\"?([\w.]+)", part)
            live = found[1] if found else "not there"
        if live != line.text:
            wrong.append((line.host, line.name, line.text, live))
    assert wrong == []


def test_no_server_warns_of_its_dynamic_configuration(lab: Lab, cluster: Inventory) -> None:
    for running, line in of(lab, cluster, "history", "matching", "worker", "frontend"):
        log = running.host.must(["docker", "logs", running.containers[line.file]["Id"]], timeout=60)
        assert "dynamic config warning" not in log


def test_the_kernel_has_every_value(lab: Lab, cluster: Inventory) -> None:
    wrong = []
    for running, line in of(lab, cluster, "sysctl", "tmpfiles"):
        if line.file == "sysctl":
            live = running.host.must(["sysctl", "-n", line.setting.name]).strip()
        else:
            live = re.findall(r"\[(\w+)\]", running.host.must(["cat", line.setting.name]))[0]
        wrong += [] if live == line.text else [(line.host, line.name, line.text, live)]
    assert wrong == []


def test_a_new_login_may_open_that_many_files(lab: Lab, cluster: Inventory) -> None:
    for running, line in of(lab, cluster, "limits"):
        assert running.host.must(["su", "-l", "ops", "-c", "ulimit -Hn"]).strip() == line.text


def test_containers_have_every_limit(lab: Lab, cluster: Inventory) -> None:
    """By their control group and their process's limits; what is neither, by the engine."""
    wrong, seen = [], 0
    for running, line in of(lab, cluster, "compose"):
        service, _, name = line.setting.name.partition(".")
        if service in running.containers:  # jobs have ended
            seen += 1
            live = limit(running, service, name)
            wrong += [] if live == number(line) else [(line.host, line.name, line.text, live)]
    assert wrong == []
    assert seen > 20


def number(line: Line) -> float:
    value = float(line.setting.value)
    return value * MIB if line.setting.unit in {"MiB", "m"} else value


def of_group(host: Host, pid: int, name: str) -> float:
    """A limit of a process's control group, of either version."""
    groups = dict(line.split(":")[1:3] for line in host.must(["cat", f"/proc/{pid}/cgroup"]).splitlines())
    if "memory" not in groups:
        file = {"mem_limit": "memory.max", "cpus": "cpu.max", "pids_limit": "pids.max"}[name]
        found = host.must(["cat", f"/sys/fs/cgroup{groups['']}/{file}"]).split()
        return float(found[0]) / (float(found[1]) if name == "cpus" else 1)

    def read(controller: str, file: str) -> float:
        return float(host.must(["cat", f"/sys/fs/cgroup/{controller}{groups[controller]}/{file}"]))

    if name == "cpus":
        return read("cpu", "cpu.cfs_quota_us") / read("cpu", "cpu.cfs_period_us")
    return read("memory", "memory.limit_in_bytes") if name == "mem_limit" else read("pids", "pids.max")


def limit(running: Running, service: str, name: str) -> float:
    found: dict[str, Any] = running.containers[service]
    pid, host = found["State"]["Pid"], found["HostConfig"]
    if name in {"mem_limit", "cpus", "pids_limit"}:
        return of_group(running.host, pid, name)
    if name == "ulimits.nofile":
        limits = running.host.must(["cat", f"/proc/{pid}/limits"])
        [(soft, hard)] = re.findall(r"Max open files +(\d+) +(\d+)", limits)
        assert soft == hard
        return float(soft)
    if name in {"GOMEMLIMIT", "GOGC"}:
        environment = running.host.must(["sh", "-c", f"tr '\\0' '\\n' </proc/{pid}/environ"])
        [text] = re.findall(rf"^{name}=(.*)$", environment, re.MULTILINE)
        return float(text.removesuffix("MiB")) * (MIB if text.endswith("MiB") else 1)
    return {
        "stop_grace_period": lambda: float(found["Config"]["StopTimeout"]),
        "logging.max-size": lambda: float(host["LogConfig"]["Config"]["max-size"].removesuffix("m")) * MIB,
        "shm_size": lambda: float(host["ShmSize"]),
    }[name]()


def test_namespaces_keep_workflows_as_long_as_they_should(lab: Lab, cluster: Inventory) -> None:
    found = load(cluster.path)
    front = lab.host(instances(found, Role.FRONTEND)[0].host.name)
    for one in found.temporal.namespaces:
        said = json.loads(front.must([*RUN, "describe", "-n", one.name, "-o", "json"]))
        assert said["config"]["workflowExecutionRetentionTtl"] == f"{one.retention_hours * 3600}s"
