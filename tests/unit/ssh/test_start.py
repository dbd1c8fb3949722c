"""What reaching a host costs before it begins."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import tempo_infra.ssh.connection", "invoke.config"),
        ("import tempo_infra.ssh.openssh", "paramiko"),
        ("import tempo_infra.deploy.rollout, tempo_infra.deploy.session", "paramiko"),
        ("import tempo_infra.cli.run, tempo_infra.report.progress", "rich"),
        ("import tempo_infra.on_host.session", "tempo_infra.on_host.facts"),
        ("import tempo_infra.on_host.state", "tempo_infra.on_host.undo"),
    ],
)
def test_what_is_not_used_is_not_imported(code: str, absent: str) -> None:
    program = f"{code}\nimport sys\nprint({absent!r} in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"


def test_paramiko_still_finds_what_it_needs_for_match_exec() -> None:
    program = (
        "import tempo_infra.ssh\nfrom paramiko import SSHConfig\n"
        "config = SSHConfig.from_text('Match exec true\\n  User someone\\n')\n"
        "print(config.lookup('db')['user'])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "someone"
