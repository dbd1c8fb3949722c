"""The lab's images, keyed by what goes into them: same content, same key, nothing to build."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from lab.errors import LabError
from lab.paths import IMAGES
from lab.process import run
from lab.spec import KEY_LABEL, LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.steps import Step

SUITE = "trixie"
BUILD_ENV = {"DOCKER_BUILDKIT": "0", "DOCKER_CLI_HINTS": "false"}


@dataclass(frozen=True)
class Image:
    """One image: the folder of its Dockerfile, and things from outside that are put beside it.

    `extras` maps a name in the build context to a file or folder; `extras_key` stands for their content, so
    that the key is known before they exist.
    """

    name: str
    official: str = ""
    extras: Mapping[str, Path] = field(default_factory=dict)
    extras_key: str = ""
    below: Image | None = None  # another image of the lab that it is made of, beside the base

    @property
    def key(self) -> str:
        """Names the content: the folder, the extras and the base below."""
        below = (self.below.key,) if self.below else ()
        return digest(base_key(), folder_key(IMAGES / self.name), self.extras_key, *below)

    @property
    def tag(self) -> str:
        return f"{LABEL}/{self.name}:{self.key}"


def digest(*parts: str) -> str:
    """A short name for a sequence of texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def folder_key(folder: Path) -> str:
    """A short name for what a folder holds: paths, whether executable, bytes. Owner and time don't count."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            mode = "x" if os.access(path, os.X_OK) else "-"
            total.update(f"{path.relative_to(folder).as_posix()}\0{mode}\0{path.stat().st_size}\0".encode())
            total.update(path.read_bytes())
    return total.hexdigest()[:12]


def base_key() -> str:
    """Names the content of the base image."""
    return digest(SUITE, folder_key(IMAGES / "base"))


def base_tag() -> str:
    """The local name of the base image."""
    return f"{LABEL}/base:{base_key()}"


def present(tag: str) -> bool:
    """Whether the machine's engine has the image."""
    return run(["docker", "image", "inspect", "--format", "ok", tag], check=False).returncode == 0


def build_base(step: Step) -> None:
    """The Debian that all images stand on, made from packages: no image registry is needed."""
    if present(base_tag()):
        return
    step.working(f"Debian {SUITE} by mmdebstrap")
    script = [str(IMAGES / "base" / "build.sh"), SUITE, debian_mirror()]
    changes = [f"--change=LABEL {LABEL}=1", f"--change=LABEL {KEY_LABEL}={base_key()}"]
    with tempfile.TemporaryFile() as log:
        maker = subprocess.Popen(["sh", *script], stdout=subprocess.PIPE, stderr=log)
        try:
            run(["docker", "import", *changes, "-", base_tag()], stdin=maker.stdout, timeout=600)
        finally:
            if maker.stdout:
                maker.stdout.close()
            failed = maker.wait(timeout=60)
        log.seek(0)
        if failed:
            run(["docker", "image", "rm", base_tag()], check=False)
            raise LabError(f"mmdebstrap failed:\n{log.read().decode(errors='replace')[-2000:]}")


def debian_mirror() -> str:
    """The mirror that the machine itself uses, unless DEBIAN_MIRROR names another."""
    if chosen := os.environ.get("DEBIAN_MIRROR"):
        return chosen
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"]
    found = run([*ask, "Created-By: Packages", "Origin: Debian", "Component: main"]).stdout.splitlines()
    mirrors = [line.split()[0] for line in found if "security" not in line]
    if not mirrors:
        raise LabError("the machine's apt sources name no Debian mirror: set DEBIAN_MIRROR to one")
    return mirrors[0]


def build(image: Image, step: Step) -> None:
    """Build `image` unless the engine has it."""
    if present(image.tag):
        return
    step.working(f"building {image.name}")
    with tempfile.TemporaryFile() as context:
        write_context(image, context)
        context.seek(0)
        labels = ["--label", f"{LABEL}=1", "--label", f"{KEY_LABEL}={image.key}"]
        arguments = ["--build-arg", f"BASE={base_tag()}", *_proxies()]
        arguments += ["--build-arg", f"BELOW={image.below.tag}"] if image.below else []
        argv = [
            "docker",
            "build",
            "--network",
            "host",
            "--force-rm",
            *labels,
            *arguments,
            "-t",
            image.tag,
            "-",
        ]
        run(argv, stdin=context, timeout=900, env=BUILD_ENV)


def write_context(image: Image, out: IO[bytes]) -> None:
    """The build context as a tar stream: the image's folder and its extras, owned by root."""
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(IMAGES / image.name, arcname=".", filter=_as_root)
        for name, path in image.extras.items():
            tar.add(path, arcname=name, filter=_as_root)


def remove_all() -> None:
    """Remove every image of the lab, found by its label."""
    found = run(["docker", "image", "ls", "-aq", "--filter", f"label={LABEL}"]).stdout.split()
    if found:
        run(["docker", "image", "rm", "-f", *dict.fromkeys(found)], timeout=120, check=False)


def _as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = "root"
    return entry


def _proxies() -> list[str]:
    """Hand the machine's proxy settings to the build, where there are any."""
    names = [name for name in ("http_proxy", "https_proxy", "no_proxy") if os.environ.get(name)]
    return [word for name in names for word in ("--build-arg", name)]
