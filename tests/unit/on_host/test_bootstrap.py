from __future__ import annotations

import pytest

from tempo_infra.on_host.bootstrap import PACKAGES, os_id

DEBIAN_13 = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n'
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n'


@pytest.mark.parametrize(
    ("release", "expected"),
    [(DEBIAN_13, "debian-13"), (UBUNTU, "ubuntu-24.04"), ("ID=arch\n", "arch-"), ("", "unknown-")],
)
def test_a_distribution_is_named_by_id_and_version(release: str, expected: str) -> None:
    assert os_id(release) == expected


@pytest.mark.parametrize("name", ["debian-12", "debian-11", "ubuntu-20.04", "arch-"])
def test_distributions_with_an_old_compose_are_not_offered_their_own_packages(name: str) -> None:
    """Debian 12 has compose 1.29, which reads another file format."""
    assert name not in PACKAGES
