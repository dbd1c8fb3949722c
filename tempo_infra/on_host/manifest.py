"""What a generation is: its files and the containers that read them. `render` writes it, both sides read it.

The text is canonical JSON, and its sha256 is the generation's name: what is equal has the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Mapping

from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.users import OF_IMAGES, OWN, Users

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

NAME = "manifest.json"
FORMAT = 1
OWNED, SERVICES = "etc/", "services/"


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
    live: bool = False  # its service reads it anew: it is written into the folder of the running service


@dataclass(frozen=True)
class Instance:
    """A container of the compose project."""

    component: str  # "history"
    image: str  # full reference
    job: bool = False  # runs once when asked, is not kept running


@dataclass(frozen=True)
class Manifest:
    """The files of a generation by path, and its containers by name."""

    host: str = ""
    cluster: str = ""  # the inventory's name for it; empty: an older program made it
    users: Users = OWN  # whom its containers run as
    files: "Mapping[str, Entry]" = field(default_factory=dict)
    instances: "Mapping[str, Instance]" = field(default_factory=dict)

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
    def text(self) -> bytes:
        files = {path: _as_json(one) for path, one in self.files.items()}
        services = {
            name: {"role": one.component, "image": one.image, "job": one.job}
            for name, one in self.instances.items()
        }
        body = {
            "format": FORMAT,
            "cluster": self.cluster,
            "host": self.host,
            "users": asdict(self.users),
            "files": files,
            "services": services,
        }
        return (json.dumps(body, indent=1, sort_keys=True) + "\n").encode()


NONE = Manifest()


def _as_json(entry: Entry) -> "dict[str, Any]":
    found = {"sha256": entry.sha256, "mode": f"{entry.mode:04o}", "uid": entry.uid, "effect": entry.effect}
    return {**found, "live": True} if entry.live else found


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
        _must_be_known(body.get("format", FORMAT))
        users = body.get("users")
        return Manifest(
            host=_word(body.get("host", "")),
            cluster=_word(body.get("cluster", "")),
            users=OF_IMAGES if users is None else Users(**{key: _number(one) for key, one in users.items()}),
            files={_word(path): _entry(one) for path, one in body["files"].items()},
            instances={
                _word(name): Instance(_word(one.get("role", name)), _word(one["image"]), _flag(one["job"]))
                for name, one in body.get("services", {}).items()
            },
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestError(f"{type(error).__name__}: {error}") from error


def _must_be_known(version: object) -> None:
    if version != FORMAT:
        raise ValueError(f"it has format {str(version)[:20]}: a later version wrote it")


def _entry(one: "dict[str, Any]") -> Entry:
    return Entry(
        _word(one["sha256"]),
        int(_word(one.get("mode", "0644")), 8),
        int(one.get("uid", 0)),
        _word(one.get("effect", "")),
        _flag(one.get("live", False)),
    )


def _word(value: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:20]!r} is no text")
    return value


def _number(value: Any) -> int:  # noqa: ANN401 - JSON
    if not isinstance(value, int):
        raise TypeError(f"{str(value)[:20]!r} is no number")
    return value


def _flag(value: Any) -> bool:  # noqa: ANN401 - JSON
    if not isinstance(value, bool):
        raise TypeError(f"{str(value)[:20]!r} is neither true nor false")
    return value


def read(folder: Path) -> Manifest:
    """Read that of a generation's folder. OSError, ManifestError."""
    return parse((folder / NAME).read_bytes())


def of_generation(layout: Layout, generation: str) -> Manifest:
    """Read that of a generation by its name; nothing for generation 0. OSError, ManifestError."""
    return NONE if generation == ZERO else read(layout.generations / generation)


def current(layout: Layout) -> Manifest:
    """Read that of the current generation; nothing where there is none. OSError, ManifestError."""
    try:
        return read(layout.current)
    except FileNotFoundError:
        return NONE
