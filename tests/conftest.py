"""Options and fixtures that every test may use."""

from __future__ import annotations

import gc
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    Golden = Callable[[str, Mapping[str, bytes]], None]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's `&`: operators here get Ctrl-C all the same
    signal.signal(signal.SIGINT, signal.default_int_handler)

GOLDEN = Path(__file__).parent / "unit" / "golden"

# Two busy cores make any deadline a lottery. How many examples is the profile's word alone.
settings.register_profile("check", deadline=None, max_examples=15)  # make check: at every save
settings.register_profile("test", deadline=None, max_examples=80)  # make test: what CI runs
settings.register_profile("fuzz", deadline=None, max_examples=3000)  # make fuzz
settings.load_profile("check")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files anew; read the diff before committing",
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave what is collected out of every search for garbage, and search less often.

    Thousands of tests, and the package's parsed source, are kept to the end: looked through again and again,
    they cost more than most tests do.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        gc.enable()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a tree of files with the stored one, byte for byte; `make golden` stores it anew."""

    def compare(case: str, files: Mapping[str, bytes]) -> None:
        folder = GOLDEN / case
        if request.config.getoption("--update-golden"):
            shutil.rmtree(folder, ignore_errors=True)
            for name, content in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        stored = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        assert files
        assert stored == dict(files), f"{folder} differs; if it should, run `make golden` and read the diff"

    return compare
