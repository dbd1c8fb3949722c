"""The VM's commands: python3 -m lab vm-up | vm-down | vm-status | vm-ssh."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from lab.paths import Home
from lab.steps import Steps
from lab.vm import qemu
from lab.vm import up as whole
from lab.vm.machine import load
from lab.vm.spec import Place

if TYPE_CHECKING:
    from typing import Any


def register(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type of sub-parsers to itself
    """Add the VM's commands to the lab's parser."""
    commands.add_parser("vm-up", help="the emulated VM, restored in seconds").set_defaults(run=_up)
    commands.add_parser("vm-down", help="end the VM; its built disks stay").set_defaults(run=_down)
    commands.add_parser("vm-status", help="whether the VM is well").set_defaults(run=_status)
    ssh = commands.add_parser("vm-ssh", help="log in to the VM with the lab's key")
    ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")
    ssh.set_defaults(run=_ssh)


def down(home: Home, steps: Steps) -> None:
    """End the VM, if there is one: the lab never leaves an emulator behind."""
    if qemu.running(Place.of(home)):
        whole.down(home, steps)


def _up(_: argparse.Namespace) -> int:
    steps = Steps()
    vm = whole.up(Home.locate(), steps)
    steps.total(f"the VM is up: {vm.ssh_address}:{vm.ssh_port}, its inventory is {vm.inventory}")
    return 0


def _down(_: argparse.Namespace) -> int:
    steps = Steps()
    whole.down(Home.locate(), steps)
    steps.total("the VM is down")
    return 0


def _status(_: argparse.Namespace) -> int:
    well, line = whole.status(Home.locate())
    print(line)
    return 0 if well else 1


def _ssh(options: argparse.Namespace) -> int:
    command = load().ssh_command()
    sys.stdout.flush()
    os.execvp(command[0], [*command, *options.words])  # noqa: S606 - the terminal goes to ssh
