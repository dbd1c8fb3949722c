"""Bringing the lab up and down: the order of the work. What needs nothing of each other runs side by side."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from lab import container, engine, golang, hosts, images, keys, network, packages, registry
from lab.errors import LabError
from lab.hosts import Host, Lab
from lab.images import Image
from lab.paths import CHECKOUT, Home
from lab.spec import REGISTRY_NAME, HostSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.steps import Step, Steps

T = TypeVar("T")


def catalogue(home: Home) -> dict[str, Image]:
    """All images of the lab, by the name of their folder."""
    server, ui = golang.folder(home, golang.SERVER), golang.folder(home, golang.UI)
    version = golang.SERVER.version.removeprefix("v")
    postgres = Image("postgres", official="postgres:17")
    made = (
        Image("host"),
        Image("registry"),
        postgres,
        Image("postgres-backup", official="tempo-infra/postgres:17", below=postgres),
        Image(
            "temporal-server",
            official=f"temporalio/server:{version}",
            extras={"temporal-server": server / "temporal-server"},
            extras_key=golang.SERVER.key,
        ),
        Image(
            "temporal-admin-tools",
            official=f"temporalio/admin-tools:{version}",
            extras={"temporal": golang.command_line(home)}
            | {name: server / name for name in ("temporal-sql-tool", "tdbg", "schema")},
            extras_key=f"{golang.SERVER.key} {golang.CLI_WHEEL}",
        ),
        Image(
            "temporal-ui",
            official=f"temporalio/ui:{golang.UI.version.removeprefix('v')}",
            extras={name: ui / name for name in ("ui-server", "docker.yaml", "start-ui-server.sh")},
            extras_key=golang.UI.key,
        ),
    )
    return {image.name: image for image in made}


def up(home: Home, specs: Sequence[HostSpec], steps: Steps) -> Lab:
    """Have the whole lab running; return its description, which also goes to lab.json."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it installs packages, runs a Docker engine and binds port 22")
    catalog = catalogue(home)
    with home.locked(), ThreadPoolExecutor(max_workers=60) as pool:
        pushed, racked = _begin(Later(pool, steps), home, specs, catalog)
        for push in pushed:
            push.result()
        rack = tuple(host.result() for host in racked)
        official = tuple(image.official for image in catalog.values() if image.official)
        lab = Lab(home.root, rack, hosts.nofile(rack[0]), REGISTRY_NAME, official)
        keys.write_if_changed(home.description, hosts.describe(lab))
    return lab


def _begin(
    later: Later, home: Home, specs: Sequence[HostSpec], catalog: dict[str, Image]
) -> tuple[list[Future[None]], list[Future[Host]]]:
    """Start every step, each after the ones it needs; what ends last is the pushes and the hosts."""
    tools = later("packages", lambda step: packages.ensure(step, engine.answers()))
    binaries = later("Temporal binaries", partial(golang.build, home), tools)
    command_line = later("Temporal CLI", partial(golang.ensure_command_line, home), tools)
    port = later("keys", lambda _: _make_keys(home, specs), tools)
    daemon = later("Docker engine", partial(engine.ensure, home), tools)
    net = later("network", network.ensure, daemon)
    base = later("base image", images.build_base, daemon)
    built: dict[str, Future[None]] = {}
    for name, image in catalog.items():  # what another is made of stands before it
        needed = [binaries, command_line] if name.startswith("temporal-") else []
        needed += [built[image.below.name]] if image.below else []
        built[name] = later(f"image {name}", partial(images.build, image), base, *needed)
    serve = partial(registry.ensure, home, catalog["registry"])
    served = later("registry", serve, net, port, built["registry"])
    pushed = [
        later(f"push {image.official}", partial(registry.push, home, image), served, built[name])
        for name, image in catalog.items()
        if image.official
    ]
    racked = [
        later(
            f"host {spec.name}", partial(_start, home, spec, port, catalog["host"]), net, port, built["host"]
        )
        for spec in specs
    ]
    return pushed, racked


class Later:
    """Starts steps on a pool, each as soon as the ones it names have ended."""

    def __init__(self, pool: ThreadPoolExecutor, steps: Steps) -> None:
        self.pool, self.steps = pool, steps

    def __call__(self, name: str, work: Callable[[Step], T], *after: Future[Any]) -> Future[T]:
        """A step under `name`; it fails, silently, with any that it waits for."""

        def task() -> T:
            for earlier in after:
                earlier.result()
            with self.steps.step(name) as step:
                return work(step)

        return self.pool.submit(task)


def down(home: Home, purge: bool, steps: Steps) -> None:
    """Remove hosts, registry and network; with `purge`, images and caches as well."""
    with home.locked():
        _take_down(home, purge=purge, steps=steps)


def _take_down(home: Home, *, purge: bool, steps: Steps) -> None:
    if engine.answers():
        with steps.step("hosts") as step:
            step.working("removing")
            container.remove_all()
        with steps.step("registry and network") as step:
            step.working("removing")
            registry.remove(images=purge)
            network.remove()
            home.description.unlink(missing_ok=True)
        if purge:
            with steps.step("images") as step:
                step.working("removing")
                images.remove_all()
    with steps.step("Docker engine") as step:
        if engine.stop(home):
            step.working("stopped")
    if purge:
        shutil.rmtree(home.root, ignore_errors=True)
        link = CHECKOUT / ".lab"
        if link.is_symlink():
            link.unlink()


def _start(home: Home, spec: HostSpec, port: Future[int], image: Image, step: Step) -> Host:
    return hosts.start(home, spec, port.result(), image, step)


def _make_keys(home: Home, specs: Sequence[HostSpec]) -> int:
    """Everything that hosts are given at their start; returns the port for ssh."""
    registry.ensure_ca(home)
    port = hosts.ssh_port(home)
    keys.ensure(home, specs, port)
    return port
