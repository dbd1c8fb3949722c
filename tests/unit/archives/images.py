"""Archives as `docker save` writes them, small, and by hand where no program writes such ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BASE = b"base" * 20_000


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Made:
    """An archive in the making: files by name, and what its manifest lists."""

    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)

    def image(self, name: str, *layers: bytes, packed: bool = False) -> str:
        """Add an image of these layers; the digest of its configuration."""
        config = json.dumps(
            {"os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in layers]}}
        ).encode()
        content = digest(config)
        paths = [f"blobs/sha256/{digest(one)[7:]}" for one in layers]
        self.files |= {
            path: gzip.compress(one) if packed else one for path, one in zip(paths, layers, strict=True)
        }
        self.files[f"blobs/sha256/{content[7:]}"] = config
        self.listed.append({"Config": f"blobs/sha256/{content[7:]}", "RepoTags": [name], "Layers": paths})
        return content

    def write(self, path: Path, form: int = tarfile.USTAR_FORMAT) -> Path:
        files = {"manifest.json": json.dumps(self.listed).encode(), **self.files}
        with tarfile.open(path, "w", format=form) as tar:
            for name, data in files.items():
                add(tar, name, data)
            for name, target in self.links.items():
                add(tar, name, kind=tarfile.SYMTYPE, link=target)
        return path


def add(
    tar: tarfile.TarFile, name: str, data: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = len(data), kind, link
    tar.addfile(entry, io.BytesIO(data))


def postgres(path: Path) -> tuple[Path, str]:
    """An archive with one image of that name, and the digest of its configuration."""
    made = Made()
    content = made.image("postgres:17", BASE, b"the database")
    return made.write(path), content
