"""What a generation is: its files and the containers that read them. `render` writes it, both sides read it.

The text is canonical JSON, and its sha256 is the generation's name: what is equal has the same bytes.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Mapping, Optional, Tuple

from tempo_infra.on_host import format_1, health
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.users import OF_IMAGES, OWN, Users

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.health import Health
    from tempo_infra.on_host.layout import Layout

NAME = "manifest.json"
KEY = "material.key"  # beside it: that of its digests of material
FORMAT, WITHOUT_INSTANCES = 3, 1  # that is written; those from there on are read as well
OWNED = "etc/"
SERVICES, LEAST_PARTS = "services", 3  # "services/history-3f2a…/server.yaml"
LARGEST_UID = 2**32 - 2  # the one above it stands for nobody
CONTENT = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
MODE = re.compile(r"0[0-7]{3}", re.ASCII)
WORD = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}", re.ASCII)  # of a path of material
CLUSTER, HOST = "cluster", "host"  # the same on all hosts, or each has its own
SIGNALS = ("", "HUP")


class ManifestError(StepError, ValueError):
    """A manifest that can't be read."""

    def __init__(self, why: object) -> None:
        back = "`tempo-infra rollback` goes to the generation before"
        super().__init__(f"the manifest can't be read: {why}", remedy=back)


@dataclass(frozen=True)
class Entry:
    """A file of a generation."""

    sha256: str
    mode: int = 0o644
    uid: int = 0  # owner; the group is the same number
    effect: str = ""  # what its change does: "restarts history"
    live: bool = False  # its service reloads it: it is written into the folder of the running service


@dataclass(frozen=True)
class Instance:
    """A container of the compose project."""

    component: str  # "history"
    image: str  # full reference
    job: bool = False  # runs once when asked, is not kept running
    shares_network: bool = False  # with its host: it publishes nothing, and listens by itself
    listens: "Tuple[str, ...]" = ()  # address:port of its host
    mounts: "Tuple[str, ...]" = ()  # what it has of its host, by path
    health: "Optional[Health]" = None  # a job is not asked
    data: "Mapping[str, str]" = field(default_factory=dict)  # what its first start has fixed: "shards"
    content: str = ""  # of an image that is brought here, the digest of its configuration: "sha256:…"


@dataclass(frozen=True)
class Material:
    """What is secret or signed: one file for one reader. Its value stands in no manifest."""

    name: str  # the file's: "echo_token"
    reader: str  # who has its folder mounted: "echo"; of a login's password, the folder of that login
    uid: int  # whose it is
    digest: str = ""  # of its value, keyed (decision 27); empty where nobody has opened the secrets
    scope: str = CLUSTER
    reloaded: bool = False  # by its reader: it lies in a folder that stays, beside the one of its generation
    signal: str = ""  # that its reader is sent when it is another
    not_after: str = ""  # of a certificate, in UTC: "2027-03-01T00:00:00Z"

    @property
    def label(self) -> str:
        """What it is called whatever its content."""
        return f"{self.reader}/{self.name}"

    def is_login(self, path: str) -> bool:
        """Whether it lies in a folder that is not named by its content: a database login's does not."""
        return path == self.label

    def live(self, path: str) -> str:
        """Return where its reader has it, below the secrets; `path`: where its generation keeps it."""
        return f"{reloaded_folder(self.reader)}/{self.name}" if self.reloaded else path


def reloaded_folder(reader: str) -> str:
    """Return the folder of what a reader reloads, which stays."""
    return f"{reader}-reloaded"


@dataclass(frozen=True)
class Manifest:
    """The files of a generation by path, and its containers by name."""

    format: int = FORMAT
    host: str = ""
    cluster: str = ""  # the inventory's name for it; empty: an older program made it
    users: Users = OWN  # whom its containers run as
    files: "Mapping[str, Entry]" = field(default_factory=dict)
    instances: "Mapping[str, Instance]" = field(default_factory=dict)
    material: "Mapping[str, Material]" = field(default_factory=dict)  # by path below the folder of secrets
    networks: "Mapping[str, Tuple[str, ...]]" = field(default_factory=dict)  # name -> pinned subnets
    kernel: "Mapping[str, str]" = field(default_factory=dict)  # values that its files set, by path

    @property
    def owned(self) -> "dict[str, Entry]":
        """The files that are installed below /etc."""
        return {path: one for path, one in self.files.items() if path.startswith(OWNED)}

    @property
    def live(self) -> "dict[str, Entry]":
        """The files that a switch writes into folders of containers that may run."""
        return {path: one for path, one in self.files.items() if one.live}

    @property
    def kept(self) -> "list[str]":
        """The containers that are kept running, sorted."""
        return sorted(name for name, one in self.instances.items() if not one.job)

    @property
    def contents(self) -> "dict[str, str]":
        """What images that are brought here must be: reference -> digest of the configuration."""
        return {one.image: one.content for one in self.instances.values() if one.content}

    def questions(self, host: str) -> "dict[str, Health]":
        """Return how each container is asked whether it serves; `host`: its internal address."""
        return {name: health.at(one.health, host) for name, one in self.instances.items() if one.health}

    @property
    def text(self) -> bytes:
        body = {
            "format": FORMAT,
            "cluster": self.cluster,
            "host": self.host,
            "users": asdict(self.users),
            "files": {path: _entry_json(one) for path, one in self.files.items()},
            "instances": {name: _instance_json(one) for name, one in self.instances.items()},
            "material": {path: _material_json(one) for path, one in self.material.items()},
            "networks": dict(self.networks),
            "kernel": dict(self.kernel),
        }
        return (json.dumps(body, indent=1, sort_keys=True) + "\n").encode()


NONE = Manifest()


def _entry_json(entry: Entry) -> "dict[str, Any]":
    found = {"sha256": entry.sha256, "mode": f"{entry.mode:04o}", "uid": entry.uid, "effect": entry.effect}
    return {**found, "live": True} if entry.live else found


def _instance_json(one: Instance) -> "dict[str, Any]":
    found = {
        "component": one.component,
        "image": one.image,
        "job": one.job,
        "shares_network": one.shares_network,
        "listens": one.listens,
        "mounts": one.mounts,
        "health": health.as_json(one.health) if one.health else None,
        "data": dict(one.data),
        "content": one.content,
    }
    return {name: value for name, value in found.items() if value}


def _material_json(one: Material) -> "dict[str, Any]":
    found = {"name": one.name, "reader": one.reader, "uid": one.uid, "digest": one.digest, "scope": one.scope}
    more = {"reloaded": one.reloaded, "signal": one.signal, "not_after": one.not_after}
    return {**found, **{name: value for name, value in more.items() if value}}


def parse(text: "bytes | str") -> Manifest:
    """Read a manifest of any format so far; ManifestError."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{type(error).__name__}: {error}") from error
    return of(body)


def of(body: Any) -> Manifest:  # noqa: ANN401 - JSON
    """Return the manifest that JSON values mean; ManifestError.

    One that names no users is from before there were numbers of our own.
    """
    try:
        version = _known(body.get("format", WITHOUT_INSTANCES))
        users = body.get("users")
        instances = (
            {_word(name): _older(name, one) for name, one in body.get("services", {}).items()}
            if version == WITHOUT_INSTANCES
            else {_word(name): _instance(one) for name, one in body["instances"].items()}
        )
        return Manifest(
            format=version,
            host=_word(body.get("host", "")),
            cluster=_word(body.get("cluster", "")),
            users=OF_IMAGES if users is None else Users(**{key: _number(one) for key, one in users.items()}),
            files={_path(path): _entry(one) for path, one in body["files"].items()},
            instances=instances,
            material={_place(path): _material(path, one) for path, one in body.get("material", {}).items()},
            networks={_word(name): _words(one) for name, one in body.get("networks", {}).items()},
            kernel={_word(name): _word(one) for name, one in body.get("kernel", {}).items()},
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestError(f"{type(error).__name__}: {error}") from error


def _known(version: object) -> int:
    if type(version) is int and WITHOUT_INSTANCES <= version <= FORMAT:  # `true` is 1 as well
        return version
    raise ValueError(f"it has format {str(version)[:20]}: a later version wrote it")


def _older(name: str, one: "dict[str, Any]") -> Instance:
    component, job = _word(one.get("role", name)), _flag(one["job"])
    return Instance(component, _word(one["image"]), job, health=format_1.health(name, job=job))


def _instance(one: "dict[str, Any]") -> Instance:
    return Instance(
        component=_word(one["component"]),
        image=_word(one["image"]),
        job=_flag(one.get("job", False)),
        shares_network=_flag(one.get("shares_network", False)),
        listens=_words(one.get("listens", [])),
        mounts=_words(one.get("mounts", [])),
        health=health.of(one["health"]) if "health" in one else None,
        data={_word(name): _word(value) for name, value in one.get("data", {}).items()},
        content=_content(one.get("content", "")),
    )


def _material(path: str, one: "dict[str, Any]") -> Material:
    scope, signal = _word(one["scope"]), _word(one.get("signal", ""))
    name, reader = _word(one["name"]), _word(one["reader"])
    folder, _, file = path.partition("/")
    if file != name or not f"{folder}-".startswith(f"{reader}-") or scope not in (CLUSTER, HOST):
        raise ValueError(f"{path[:80]!r} is not where {name[:40]!r} of {reader[:40]!r} can lie")
    if signal not in SIGNALS:
        raise ValueError(f"{signal[:20]!r} is no signal that is sent")
    return Material(
        name,
        reader,
        _number(one["uid"]),
        _word(one["digest"]),
        scope,
        _flag(one.get("reloaded", False)),
        signal,
        _word(one.get("not_after", "")),
    )


def _place(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return the path of material: a reader's folder and a file in it."""
    parts = _word(value).split("/")
    if len(parts) != 2 or not all(map(WORD.fullmatch, parts)):  # noqa: PLR2004 - folder and file
        raise ValueError(f"{value[:80]!r} is no path of a secret")
    return str(value)


def _entry(one: "dict[str, Any]") -> Entry:
    return Entry(
        _word(one["sha256"]),
        _mode(one.get("mode", "0644")),
        _number(one.get("uid", 0)),
        _word(one.get("effect", "")),
        _flag(one.get("live", False)),
    )


def _word(value: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:20]!r} is no text")
    return value


def _content(value: Any) -> str:  # noqa: ANN401 - JSON
    if _word(value) and not CONTENT.fullmatch(value):
        raise ValueError(f"{value[:80]!r} is no digest of an image's configuration")
    return str(value)


def _path(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a file's path in the generation; those of services lie in a folder of their own."""
    parts = _word(value).split("/")
    if not {"", ".", ".."}.isdisjoint(parts) or (parts[0] == SERVICES and len(parts) < LEAST_PARTS):
        raise ValueError(f"{value[:80]!r} is no path of a file")
    return str(value)


def _words(value: Any) -> "Tuple[str, ...]":  # noqa: ANN401 - JSON
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{str(value)[:20]!r} is no list")
    return tuple(_word(one) for one in value)


def _number(value: Any) -> int:  # noqa: ANN401 - JSON
    """Return a user's number; `true` and 1.0 are none, and -1 would leave a file to whoever has it."""
    if type(value) is not int or not 0 <= value <= LARGEST_UID:
        raise TypeError(f"{str(value)[:20]!r} is no number of a user")
    return value


def _mode(value: Any) -> int:  # noqa: ANN401 - JSON
    """Return a mode as it is written: three digits, and none that makes a file run as its owner."""
    text = _word(value)
    if not MODE.fullmatch(text):
        raise ValueError(f"{text[:20]!r} is no mode of a file")
    return int(text, 8)


def _flag(value: Any) -> bool:  # noqa: ANN401 - JSON
    if not isinstance(value, bool):
        raise TypeError(f"{str(value)[:20]!r} is neither true nor false")
    return value


def read(folder: Path) -> Manifest:
    """Read that of a generation's folder. OSError, ManifestError."""
    found = parse((folder / NAME).read_bytes())
    return replace(found, kernel=format_1.kernel(folder)) if found.format == WITHOUT_INSTANCES else found


def of_generation(layout: Layout, generation: str) -> Manifest:
    """Read that of a generation by its name; nothing for generation 0. OSError, ManifestError."""
    return NONE if generation == ZERO else read(layout.generations / generation)


def current(layout: Layout) -> Manifest:
    """Read that of the current generation; nothing where there is none. OSError, ManifestError."""
    try:
        return read(layout.current)
    except FileNotFoundError:
        return NONE


def leaving(layout: Layout) -> Manifest:
    """Read that of the current generation to go away from it: the way out of a damaged one must be open.

    Where it can't be read, the files that lie in the generation say which of them are installed, and what
    they set. OSError.
    """
    try:
        return read(layout.current)
    except (FileNotFoundError, ManifestError):
        return _of_files(layout.current) if layout.current.is_symlink() else NONE


def _of_files(folder: Path) -> Manifest:
    found = (path for path in (folder / OWNED).rglob("*") if path.is_file() and not path.is_symlink())
    digests = {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in found}
    owned = {path: Entry(digest) for path, digest in sorted(digests.items())}
    return Manifest(format=WITHOUT_INSTANCES, files=owned, kernel=format_1.kernel(folder))


def is_damaged(layout: Layout, generation: str) -> bool:
    """Whether a generation lies here and nobody can read what it is. OSError."""
    try:
        of_generation(layout, generation)
    except (FileNotFoundError, ManifestError):
        return (layout.generations / generation).is_dir()
    return False
