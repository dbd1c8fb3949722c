"""What `docker save` wrote: which images are in it, by the digest of their configuration.

Nothing is unpacked: a layer is where it lies in the file. Names are the archive's own; what an image is, its
configuration says, whose digest is computed here. It lists the digests of its layers, which are compared when
they are packed.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeGuard

from tempo_infra import trees
from tempo_infra.archives.tar import Contents, Member, TarError, contents
from tempo_infra.on_host.wire import read_json
from tempo_infra.trees import UnfitError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

MANIFEST: Final = "manifest.json"
MOST_TEXT_BYTES: Final = 4 * 1024 * 1024  # of the manifest, and of a configuration
MOST_LAYERS: Final = 500  # Docker itself takes 127
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,383}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Layer:
    digest: str  # of the uncompressed layer, "sha256:…"
    descriptor: int  # of the archive
    at: Member  # as it lies there, which may be compressed


@dataclass(frozen=True, slots=True)
class Image:
    """An image in an archive, which is open for as long as it is used."""

    content: str  # the digest of its configuration, "sha256:…"
    names: tuple[str, ...]  # "postgres:17", as it was saved
    config: bytes
    layers: tuple[Layer, ...]
    path: Path  # of the archive

    @property
    def bytes(self) -> int:
        """What its layers take in the archive."""
        return sum(one.at.length for one in {one.digest: one for one in self.layers}.values())


class Saved:
    """An open archive."""

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        """Open it and find its images; UnfitError (an InputError) for what is not taken or not there.

        `descriptor`: it is open already, and stays so; `path` is then where its images come from, in words.
        """
        self.path = path
        try:
            with ExitStack() as opening:
                if descriptor is None:
                    descriptor = opening.enter_context(trees.opened(path))
                self.images = _images(descriptor, path)
                self._stack = opening.pop_all()
        except FileNotFoundError:
            raise UnfitError(
                path, "there is no such file", remedy=f"docker save -o {path} NAME:TAG ..."
            ) from None
        except TarError as error:
            remedy = "save it again with `docker save`, and do not compress it: that is done on the way"
            raise UnfitError(path, f"is no archive of images: {error}", remedy=remedy) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def _images(descriptor: int, path: Path) -> tuple[Image, ...]:
    found = contents(descriptor)
    listed = _json(_read(descriptor, found, MANIFEST), MANIFEST)
    if not isinstance(listed, list) or not listed:
        raise TarError(f"its {MANIFEST} names no images")
    return tuple(_image(one, descriptor, found, path) for one in listed)


def _image(one: Any, descriptor: int, found: Contents, path: Path) -> Image:  # noqa: ANN401 - JSON
    config, layers, names = _fields(one)
    text = _read(descriptor, found, config)
    digests = _layers_of(_json(text, config))
    if len(digests) != len(layers):
        raise TarError(f"{config} has {len(digests)} layers, the {MANIFEST} {len(layers)}")
    return Image(
        content=f"sha256:{hashlib.sha256(text).hexdigest()}",
        names=names,
        config=text,
        layers=tuple(
            Layer(digest, descriptor, _member(found, name))
            for digest, name in zip(digests, layers, strict=True)
        ),
        path=path,
    )


def _fields(one: Any) -> tuple[str, list[str], tuple[str, ...]]:  # noqa: ANN401 - JSON
    if not isinstance(one, dict):
        raise TarError(f"its {MANIFEST} is not one of images")
    config, layers, names = one.get("Config"), one.get("Layers"), one.get("RepoTags") or []
    if not isinstance(config, str) or not _words(layers) or not _words(names) or len(layers) > MOST_LAYERS:
        raise TarError(f"its {MANIFEST} is not one of images")
    return config, layers, tuple(name for name in names if _NAME.fullmatch(name))


def _words(found: Any) -> TypeGuard[list[str]]:  # noqa: ANN401 - JSON
    return isinstance(found, list) and all(isinstance(one, str) for one in found)


def _layers_of(config: Any) -> list[str]:  # noqa: ANN401 - JSON
    try:
        digests = config["rootfs"]["diff_ids"]
        if config["rootfs"]["type"] == "layers" and all(_DIGEST.fullmatch(one) for one in digests):
            return list(digests)
    except (LookupError, TypeError):
        pass
    raise TarError("the configuration of an image in it names no layers")


def _json(text: bytes, name: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return read_json(text)
    except (ValueError, RecursionError):
        raise TarError(f"its {name} is no JSON that Docker writes") from None


def _read(descriptor: int, found: Contents, name: str) -> bytes:
    member = _member(found, name)
    if member.length > MOST_TEXT_BYTES:
        raise TarError(f"its {name} is larger than {MOST_TEXT_BYTES >> 20} MiB")
    return os.pread(descriptor, member.length, member.offset)


def _member(found: Contents, name: str) -> Member:
    """Return a file of the archive. Docker before 25 writes a layer once, and names it by a link after that.

    The link is looked up among the archive's own files, once; it leads to nothing else.
    """
    target = found.links.get(name)
    if target is not None:
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    if name not in found.files:
        raise TarError(f"{name[:100]!r} is missing in it")
    return found.files[name]
