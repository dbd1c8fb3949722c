"""Five hosts of the lab that the shapes are laid over: `python3 -m lab up --hosts 8` starts them.

TEMPO_LAB_SHAPES names others (extra-1,…,extra-5 if it is not set).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.conftest import claim, running_lab
from tests.lab.shapes.shape import Rack

NAMES = os.environ.get("TEMPO_LAB_SHAPES", "extra-1,extra-2,extra-3,extra-4,extra-5").split(",")


@pytest.fixture
def rack() -> Iterator[Rack]:
    """Hosts with empty disks."""
    lab = running_lab("python3 -m lab up --hosts 8")
    claim(lab.root, NAMES)
    found = Rack(lab, NAMES)
    found.clear()
    yield found
    found.forget()
