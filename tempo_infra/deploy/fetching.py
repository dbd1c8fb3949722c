"""Images out of hosts that have them, into an archive on this machine.

A host compresses what it sends, and is believed nothing: what comes is bounded by the size that it says and
is read as any archive is; what an image is, its own configuration says.
"""

from __future__ import annotations

import re
import secrets
import tempfile
import time
import zlib
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tempo_infra import trees
from tempo_infra.archives import Packing, Saved
from tempo_infra.deploy.feeding import AT_LEAST_S, PIECE_BYTES, SLOWEST_BYTES_S
from tempo_infra.deploy.payload import HELLO
from tempo_infra.deploy.session import SILENCE_S, as_root
from tempo_infra.errors import StepFailedError, UnreachableError
from tempo_infra.on_host.layout import DOCKER_SOCKET
from tempo_infra.sizing.budgets.rule import mib
from tempo_infra.ssh import connect, resolve
from tempo_infra.trees import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tempo_infra.archives import Image
    from tempo_infra.deploy.session import Sudo
    from tempo_infra.inventory.cluster import Cluster, Host, Images
    from tempo_infra.ssh import Process

# The first of these names that the host has, by its id; then what `docker save` says of that, compressed.
SCRIPT = f"""
export DOCKER_HOST=unix://{DOCKER_SOCKET}
echo {HELLO.decode()}
for one; do found=$(docker image inspect -f '{{{{.Id}}}} {{{{.Size}}}}' "$one" 2>/dev/null) && break; done
echo "$0 $found"
test -z "$found" || docker save "${{found%% *}}" | gzip -1
""".strip()
FOUND = re.compile(rb"(sha256:[0-9a-f]{64}) ([0-9]{1,12})", re.ASCII)
NOISE_BYTES = 1024 * 1024  # of a login shell, before it
SPARE_BYTES = 64 * 1024 * 1024  # an archive is larger than its layers by its headers
GZIP_WINDOW = 31  # zlib's number for a gzip header, too


def save(
    cluster: Cluster, hosts: Sequence[Host], sudo: Sudo, path: Path, say: Callable[[str], None]
) -> dict[str, str]:
    """Write an archive of the cluster's images, each from the first of these hosts that has it.

    Returns the digests of their configurations. StepFailedError when none has one; UnreachableError.
    """
    with ExitStack() as stack:
        packing = stack.enter_context(closing(Packing()))
        images: dict[str, Image] = {}
        for name in cluster.image_names:
            file = stack.enter_context(tempfile.TemporaryFile(prefix="tempo-infra-"))
            host = _first(hosts, sudo, names_of(cluster.images, name), file.fileno())
            if host is None:
                asked = ", ".join(one.name for one in hosts)
                raise StepFailedError(f"no host has {name} (asked: {asked})", remedy="nothing was written")
            images[name] = _read(file.fileno(), host, name)
            say(f"{name} from {host.name}: {mib(images[name].bytes)}")
        parcel = packing.parcel(images)
        with trees.writing(path) as target:
            for at in range(0, parcel.length, PIECE_BYTES):
                trees.write_all(target, parcel.read(at, PIECE_BYTES))
    return dict(parcel.contents)


def _read(file: int, host: Host, name: str) -> Image:
    try:
        return Saved(Path(f"{name} of {host.name}"), file).images[0]
    except UnfitError as error:
        raise StepFailedError(f"what it sent as {name} {error.why}", host=host.name) from None


def names_of(images: Images, name: str) -> list[str]:
    """Return by which names a host may have an image: as it is started, pulled by hand, or brought."""
    digest = images.digests.get(name, "")
    prefixed = f"{images.registry}/{name}" if images.registry else name
    by_digest = [f"{prefixed.rpartition(':')[0]}@{digest}", digest] if digest else []
    return list(dict.fromkeys([images.reference(name), *by_digest, prefixed, name]))


def _first(hosts: Sequence[Host], sudo: Sudo, names: Sequence[str], into: int) -> Host | None:
    return next((host for host in hosts if _fetch(host, sudo, names, into)), None)


def _fetch(host: Host, sudo: Sudo, names: Sequence[str], into: int) -> bool:
    """Write what the host saves into a file; False when it has no image of these names."""
    nonce = secrets.token_hex(12)
    with connect(resolve(host.name, host.ssh)) as connection:
        process = as_root(connection, host, sudo, ["sh", "-c", SCRIPT, nonce, *names])
        try:
            return receive(process, nonce, host.name, lambda data: trees.write_all(into, data))
        finally:
            process.close()


def receive(process: Process, nonce: str, host: str, write: Callable[[bytes], None]) -> bool:
    """Take what SCRIPT says and unpack it; False for no image. UnreachableError beyond its own word."""
    line = _first_line(process, nonce, host)
    if not line:
        return False
    found = FOUND.fullmatch(line)
    if not found:
        raise UnreachableError("the host's answer makes no sense (docker image inspect)", host=host)
    most = int(found[2]) * 11 // 10 + SPARE_BYTES
    left, opener = most, zlib.decompressobj(wbits=GZIP_WINDOW)
    for part in _parts(process, host, time.monotonic() + AT_LEAST_S + most / SLOWEST_BYTES_S):
        try:
            data = opener.decompress(part, left + 1)
        except zlib.error:
            raise UnreachableError("what it sends is not what gzip makes", host=host) from None
        left -= len(data)
        if left < 0 or opener.unconsumed_tail:
            raise UnreachableError(f"it sends more than the {mib(most)} that it said", host=host)
        write(data)
    if not opener.eof:
        words = process.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise UnreachableError(
            f"docker save: what it sent is cut{''.join(f' ({one})' for one in words)}", host=host
        )
    return True


def _first_line(process: Process, nonce: str, host: str) -> bytes:
    """Skip what a login shell says, and return what the script has found."""
    noise, wanted = 0, f"{nonce} ".encode()
    while noise < NOISE_BYTES and (line := process.read_line(deadline_s=SILENCE_S)):
        if line.startswith(wanted):
            return line.removeprefix(wanted).strip()
        noise += len(line)
    words = process.stderr.decode(errors="replace").strip().splitlines()[-1:]
    raise UnreachableError(f"no answer of docker{''.join(f': {one}' for one in words)}", host=host)


def _parts(process: Process, host: str, until: float) -> Iterator[bytes]:
    def check() -> None:
        if time.monotonic() > until:
            _late(host)

    while part := process.read_some(PIECE_BYTES, deadline_s=SILENCE_S, check=check):
        yield part


def _late(host: str) -> NoReturn:
    raise UnreachableError("docker save: too slow for its size", host=host)
