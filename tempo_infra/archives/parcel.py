"""What a host is sent: one archive of the images that it lacks, each layer once, compressed.

A layer is compressed once a run, whichever hosts get it, into a file without a name: it is gone with this
program, however that ends. The same images make the same bytes, so that a transfer that was cut goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import tempfile
import threading
import zlib
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tempo_infra.archives.saved import Image, Layer

# Measured on four images, 718 MB of layers (docs/decisions/0028): level 1 makes 302 MB of them, 3 292, 6 278;
# the processor's time is 13, 16 and 32 s.
LEVEL: Final = 3
READ_BYTES: Final = 1 << 20
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
GZIP_WINDOW: Final = 31  # zlib's number for a gzip header, too
MOST_UNPACKED_BYTES: Final = 64 * 1024**3  # of a layer: no image is so large, and a bomb is


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that lie in a file, or that are here."""

    length: int
    data: bytes = b""
    descriptor: int = -1
    offset: int = 0

    def read(self, offset: int, count: int) -> bytes:
        if self.descriptor < 0:
            return self.data[offset : offset + count]
        return os.pread(self.descriptor, min(count, self.length - offset), self.offset + offset)


@dataclass(frozen=True, slots=True)
class Parcel:
    """An archive for `docker load`, in pieces; it is never in memory."""

    pieces: tuple[Piece, ...]
    contents: Mapping[str, str]  # reference -> digest of the configuration
    unpacked: int  # bytes of its layers on the host
    sha256: str

    @property
    def length(self) -> int:
        return sum(one.length for one in self.pieces)

    def read(self, offset: int, count: int) -> bytes:
        """Return so many bytes from there, fewer at the end."""
        found, ends = [], list(accumulate(one.length for one in self.pieces))
        for one, end in zip(self.pieces, ends, strict=True):
            while count and offset < end:
                part = one.read(offset - (end - one.length), count)
                if not part:
                    raise InputError("an archive of images got shorter while it was read")
                found.append(part)
                offset, count = offset + len(part), count - len(part)
        return b"".join(found)


@dataclass(frozen=True, slots=True)
class _Packed:
    piece: Piece
    unpacked: int


class Packing:
    """The layers that are packed so far."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="tempo-infra-")  # noqa: SIM115 - closed with this
        self._packed: dict[str, _Packed] = {}  # digest of the layer -> where it is
        self._parcels: dict[tuple[tuple[str, str], ...], Parcel] = {}
        self._end = 0
        self._at_work = threading.Lock()

    def close(self) -> None:
        self._file.close()

    def parcel(self, images: Mapping[str, Image]) -> Parcel:
        """Return what has to be sent for these: reference -> image. InputError for a damaged archive."""
        contents = {name: images[name].content for name in sorted(images)}
        key = tuple(contents.items())
        with self._at_work:
            if key not in self._parcels:
                self._parcels[key] = self._parcel(images, contents)
            return self._parcels[key]

    def _parcel(self, images: Mapping[str, Image], contents: Mapping[str, str]) -> Parcel:
        ordered = [images[name] for name in contents]
        layers = {layer.digest: self._pack(layer, image) for image in ordered for layer in image.layers}
        pieces = tuple(_archive(contents, ordered, layers))
        digest = hashlib.sha256()
        for one in pieces:
            for at in range(0, one.length, READ_BYTES):
                digest.update(one.read(at, READ_BYTES))
        return Parcel(pieces, contents, sum(one.unpacked for one in layers.values()), digest.hexdigest())

    def _pack(self, layer: Layer, image: Image) -> _Packed:
        """Compress a layer and compare its digest; one that is compressed already stays as it is."""
        if known := self._packed.get(layer.digest):
            return known
        start, packer = self._end, zlib.compressobj(LEVEL, wbits=GZIP_WINDOW)
        head = os.pread(layer.descriptor, len(ZSTD), layer.at.offset)
        if head.startswith(ZSTD):
            raise InputError(
                f"{image.path}: a layer is compressed with zstd; save it with an engine of its own"
            )
        compressed, digest, unpacked = head.startswith(GZIP), hashlib.sha256(), 0
        for part in _unpacked(layer) if compressed else _raw(layer):
            digest.update(part)
            unpacked += len(part)
            if not compressed:
                self._write(packer.compress(part))
        if f"sha256:{digest.hexdigest()}" != layer.digest:
            raise InputError(
                f"{image.path}: it is damaged: a layer is not what {image.content[:19]} says",
                remedy="save the image again",
            )
        if compressed:
            piece = Piece(layer.at.length, descriptor=layer.descriptor, offset=layer.at.offset)
        else:
            self._write(packer.flush())
            piece = Piece(self._end - start, descriptor=self._file.fileno(), offset=start)
        self._packed[layer.digest] = _Packed(piece, unpacked)
        return self._packed[layer.digest]

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            count = os.pwrite(self._file.fileno(), rest, self._end)
            self._end, rest = self._end + count, rest[count:]


def _raw(layer: Layer) -> Iterator[bytes]:
    at, end = layer.at.offset, layer.at.offset + layer.at.length
    while at < end and (part := os.pread(layer.descriptor, min(READ_BYTES, end - at), at)):
        yield part
        at += len(part)


def _unpacked(layer: Layer) -> Iterator[bytes]:
    opener, left = zlib.decompressobj(wbits=GZIP_WINDOW), MOST_UNPACKED_BYTES
    for packed in _raw(layer):
        part = packed
        while part and not opener.eof:
            try:
                found = opener.decompress(part, READ_BYTES)
            except zlib.error:
                return  # its digest is not the one then
            left -= len(found)
            if left < 0:
                return
            yield found
            part = opener.unconsumed_tail


def _archive(
    contents: Mapping[str, str], images: Sequence[Image], layers: Mapping[str, _Packed]
) -> Iterator[Piece]:
    """Yield an archive as Docker 1.10 and every later one reads it: its manifest, configurations, layers."""
    listed = [
        {
            "Config": _of_config(image),
            "RepoTags": [name],
            "Layers": [_of_layer(layer.digest) for layer in image.layers],
        }
        for name, image in zip(contents, images, strict=True)
    ]
    texts = {"manifest.json": json.dumps(listed, sort_keys=True).encode()}
    texts |= {_of_config(image): image.config for image in images}
    for name, text in texts.items():
        yield from _entry(name, Piece(len(text), text))
    for digest, one in layers.items():
        yield from _entry(_of_layer(digest), one.piece)
    yield Piece(2 * tarfile.BLOCKSIZE, bytes(2 * tarfile.BLOCKSIZE))


def _entry(name: str, content: Piece) -> Iterator[Piece]:
    entry = tarfile.TarInfo(name)
    entry.size = content.length
    header = entry.tobuf(tarfile.GNU_FORMAT)
    yield Piece(len(header), header)
    yield content
    if rest := -content.length % tarfile.BLOCKSIZE:
        yield Piece(rest, bytes(rest))


def _of_config(image: Image) -> str:
    return f"{image.content.removeprefix('sha256:')}.json"


def _of_layer(digest: str) -> str:
    return f"{digest.removeprefix('sha256:')}/layer.tar"
