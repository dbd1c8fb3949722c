"""Images that this machine brings to hosts: which each one lacks, and where they are.

All of it happens before a host is armed: one whose link is cut, or whose engine hangs, is what it was.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Self

from tempo_infra.deploy.feeding import Feed
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from tempo_infra.archives import Image, Packing, Saved
    from tempo_infra.inventory.cluster import Cluster, Images
    from tempo_infra.on_host.state import HostState
    from tempo_infra.render.bundle import Bundle

SHOWN = 19  # characters of a digest in messages


@dataclass(frozen=True, slots=True)
class Bring:
    """What a host lacks, and what is to be done about that."""

    contents: Mapping[str, str] = field(default_factory=dict)  # to be sent: reference -> digest
    bytes: int = 0  # of their layers where they are now: what is sent is compressed, and less
    names: Mapping[str, str] = field(default_factory=dict)  # contents that are there, under another name

    def __bool__(self) -> bool:
        return bool(self.contents or self.names)


NOTHING = Bring()


class Stock:
    """The images that this machine has, opened when one is asked for."""

    def __init__(self, images: Images) -> None:
        self._images, self._stack = images, ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @cached_property
    def saved(self) -> tuple[Saved, ...]:
        """The archives of the inventory; InputError for one that can't be read."""
        from tempo_infra.archives import Saved  # most plans bring no image

        return tuple(self._stack.enter_context(Saved(path)) for path in self._images.archives)

    @cached_property
    def by_content(self) -> Mapping[str, Image]:
        return {image.content: image for one in reversed(self.saved) for image in one.images}

    @cached_property
    def _packing(self) -> Packing:
        from tempo_infra.archives import Packing

        packing = Packing()
        self._stack.callback(packing.close)
        return packing

    def bring(self, bundle: Bundle, state: HostState) -> tuple[Bring, tuple[str, ...]]:
        """Return what to bring to a host for a generation, and what speaks against that. InputError.

        The images of the generation that is current are brought, too: it is what the host goes back to.
        """
        wanted, there = bundle.manifest.contents, state.brought
        lacks = {name: one for name, one in wanted.items() if name not in (*state.images, *there.others)}
        lacks |= there.gone
        names = {name: lacks[name] for name in there.nameless if name in lacks}
        lacks = {name: content for name, content in lacks.items() if name not in names}
        have = (
            {name: content for name, content in lacks.items() if content in self.by_content} if lacks else {}
        )
        layers = {
            layer.digest: layer for content in have.values() for layer in self.by_content[content].layers
        }
        size = sum(layer.at.length for layer in layers.values())
        nowhere = (_nowhere(name, content) for name, content in sorted(lacks.items()) if name not in have)
        return Bring(have, size, names), (*map(_another, there.others), *nowhere)

    def feed(self, bring: Bring, stopped: Callable[[], bool] = lambda: False) -> Feed | None:
        """Pack it, which takes a while; None for nothing. InputError for a damaged archive."""
        if not bring.contents:
            return None
        images = {name: self.by_content[content] for name, content in bring.contents.items()}
        return Feed(self._packing.parcel(images), stopped)


def contents_of(cluster: Cluster) -> dict[str, str]:
    """Return the digests that brought images have in the inventory's archives, by name; InputError.

    In an archive an image has the name that it was saved by, with any registry before it.
    """
    with Stock(cluster.images) as stock:
        return {name: _content_of(name, stock, cluster) for name in cluster.brought}


def _content_of(name: str, stock: Stock, cluster: Cluster) -> str:
    found = {
        image.content: image
        for image in stock.by_content.values()
        if any(one == name or one.endswith(f"/{name}") for one in image.names)
    }
    if len(found) > 1:
        paths = ", ".join(f"{one.path} ({content[:SHOWN]}…)" for content, one in found.items())
        raise InputError(
            f"images.archives have several images of the name {name}: {paths}", remedy="keep one"
        )
    if not found:
        place = cluster.place("images", "archives")
        remedy = f"docker pull {name}; docker save -o images.tar {name} (and the others), and name it there"
        raise InputError(f"{place}: none of images.archives has {name}", remedy=remedy)
    return next(iter(found))


def _another(name: str) -> str:
    return (
        f"{name} is another content on this host than the inventory's: somebody has named it so; "
        f"find out who, then `docker rmi {name}` there"
    )


def _nowhere(name: str, content: str) -> str:
    return (
        f"{name} ({content[:SHOWN]}…) is not on this host, and in none of the inventory's images.archives: "
        "`docker save` it where it is, and name that file there"
    )
