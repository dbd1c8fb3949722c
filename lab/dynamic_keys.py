"""The table of Temporal's dynamic keys, from the source of each version: `python3 -m lab.dynamic_keys`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from lab.errors import LabError
from lab.golang import SERVER, build_own, environment, toolchain
from lab.paths import CHECKOUT, Home
from lab.process import last_words, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Keys: TypeAlias = (
    "Mapping[str, tuple[str, ...]]"  # key -> type, default, the services that may read it, scope
)

TABLE = CHECKOUT / "tempo_infra/inventory/dynamic_keys.tsv"
PROGRAM = CHECKOUT / "lab/dynamickeys"
VERSIONS = ("1.31.2", "1.31.3", "1.31.4", "1.31.5", "1.32.0", "1.32.1", "1.32.2")  # all that the proxy has
HEADER = """\
# Keys of dynamic configuration, from the source of the server, by `python3 -m lab.dynamic_keys`. A row holds
# for the versions first to last, of those named here; nothing: from the oldest, up to the newest. A default
# only where it is a plain value. The readers are the services that may read it; nothing: none does. The scope
# is the server's word for what a value may be constrained to.
# versions	{versions}
# key	first	last	type	default	readers	scope
"""


def keys_of(home: Home, version: str) -> Keys:
    """Read one version's source. LabError when it can't be had."""
    program = build_own(home, PROGRAM)
    lines = run([str(program), str(source(home, version))], timeout=300).stdout.splitlines()
    found = (line.split("\t") for line in lines)
    return {key: tuple(more) for key, *more in found}


def source(home: Home, version: str) -> Path:
    """Return the folder of a server's source; newer ones ask for a newer Go, even to be downloaded."""
    go = toolchain(home, SERVER.go)
    words = [str(go), "mod", "download", "-json", f"{SERVER.path}@v{version}"]
    answer = run(words, timeout=600, env={**environment(home), "GOTOOLCHAIN": "auto"}, check=False, cwd="/")
    if answer.returncode != 0:
        raise LabError(f"can't download {SERVER.path} {version}:\n{last_words(answer)}")
    return Path(json.loads(answer.stdout)["Dir"])


def rows(found: Sequence[tuple[str, Keys]]) -> Iterator[tuple[str, ...]]:
    """Yield the table's rows: a key has one for each stretch of versions in which it is the same."""
    versions = [version for version, _ in found]
    for key in sorted({key for _, keys in found for key in keys}):
        told = [keys.get(key) for _, keys in found]
        starts = [n for n in range(len(told)) if n == 0 or told[n] != told[n - 1]]
        for start, after in zip(starts, [*starts[1:], len(told)], strict=True):
            if (same := told[start]) is not None:
                first = versions[start] if start else ""
                last = versions[after - 1] if after < len(told) else ""
                yield key, first, last, *same


def main() -> None:
    """Write the table."""
    home = Home.locate()
    found = [(version, keys_of(home, version)) for version in VERSIONS]
    lines = ("\t".join(row) + "\n" for row in rows(found))
    TABLE.write_text(HEADER.format(versions=" ".join(VERSIONS)) + "".join(lines))


if __name__ == "__main__":
    main()
