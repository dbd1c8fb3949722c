"""The same files by pyinfra, by Ansible and by ssh alone, each at its fastest."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
VENV = HERE.parent / ".bench-venv"
STAMP = VENV / ".installed"

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: owned files
      ansible.builtin.copy:
        {src: "{{ files }}/{{ item }}", dest: "/{{ item }}", owner: root, group: root, mode: "0644"}
      loop: LIST
"""
ANSIBLE = """\
[defaults]
forks = 20
stdout_callback = minimal
[ssh_connection]
pipelining = True
ssh_args = SSH -o ControlMaster=auto -o ControlPersist=20s
"""
DEPLOY = """\
from pyinfra.operations import files
for name in LIST:
    files.put(name=name, src=f"FILES/{name}", dest=f"/{name}", user="root", group="root", mode="644")
"""


@dataclass(frozen=True)
class Place:
    """Where hosts are, and how one logs in there as root."""

    hosts: Sequence[tuple[str, int]]
    key: Path
    known_hosts: Path

    @property
    def options(self) -> list[str]:
        return [
            *("-F", "/dev/null", "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "IdentitiesOnly=yes"),
            *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-i", str(self.key)),
        ]

    def ssh(self, number: int = 0) -> list[str]:
        address, port = self.hosts[number]
        return ["ssh", *self.options, "-p", str(port), f"root@{address}"]


def install() -> None:
    """Have the pinned versions in a virtual environment of the bench's own."""
    wanted = (HERE / "requirements.txt").read_text()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    words = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt"]
    subprocess.run([VENV / "bin" / "python", *words], check=True, cwd=HERE)
    STAMP.write_text(wanted)


def versions() -> str:
    lines = (HERE / "requirements.txt").read_text().splitlines()
    return ", ".join(line.replace("==", " ") for line in lines if line.startswith(("ansible", "pyinfra")))


def tar(place: Place, files: Path) -> list[str]:
    """`ssh host tar`, then `ssh host true`: what is left when nothing is checked."""
    ssh = shlex.join(place.ssh())
    send = f"tar -C {shlex.quote(str(files))} -cf - . | {ssh} 'tar -C / --no-same-owner -xf -'"
    return ["sh", "-c", f"{send} && {ssh} true"]


def pyinfra(place: Place, files: Path, work: Path) -> list[str]:
    hosts = [
        (
            f"host-{number}",
            {
                "ssh_hostname": address,
                "ssh_port": port,
                "ssh_user": "root",
                "ssh_key": str(place.key),
                "ssh_known_hosts_file": str(place.known_hosts),
                "ssh_strict_host_key_checking": "yes",
                "ssh_look_for_keys": False,
            },
        )
        for number, (address, port) in enumerate(place.hosts)
    ]
    (work / "inventory.py").write_text(f"hosts = {hosts!r}\n")
    deploy = work / f"deploy-{files.name}.py"
    deploy.write_text(DEPLOY.replace("LIST", repr(_names(files))).replace("FILES", str(files)))
    return [str(VENV / "bin" / "pyinfra"), "-y", str(work / "inventory.py"), str(deploy)]


def ansible(place: Place, files: Path, work: Path) -> list[str]:
    """A control socket of its own for each run: a run begins without a connection."""
    lines = [
        f"host-{number} ansible_host={address} ansible_port={port} ansible_user=root"
        " ansible_python_interpreter=/usr/bin/python3"
        for number, (address, port) in enumerate(place.hosts)
    ]
    (work / "hosts.ini").write_text("\n".join(lines) + "\n")
    (work / "playbook.yaml").write_text(PLAYBOOK.replace("LIST", repr(_names(files))))
    (work / "ansible.cfg").write_text(ANSIBLE.replace("SSH", shlex.join(place.options)))
    control = tempfile.mkdtemp(prefix="a", dir="/tmp")
    return [
        *("env", f"ANSIBLE_CONFIG={work}/ansible.cfg", f"ANSIBLE_SSH_CONTROL_PATH_DIR={control}"),
        *("ANSIBLE_HOST_KEY_CHECKING=True", "LC_ALL=C.UTF-8"),
        *(str(VENV / "bin" / "ansible-playbook"), "-i", str(work / "hosts.ini")),
        *("-e", f"files={files}", str(work / "playbook.yaml")),
    ]


def _names(files: Path) -> list[str]:
    return sorted(str(path.relative_to(files)) for path in files.rglob("*") if path.is_file())
