"""The lab's commands: python3 -m lab up | down | status | reset | exec | ssh."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from lab import hosts, inventory, status
from lab import servers as postgres
from lab import up as whole
from lab.errors import LabError
from lab.expected import CANNOT_PASS
from lab.paths import CHECKOUT, Home
from lab.spec import MOST_HOSTS, NOFILE, TRIO, rack
from lab.steps import Steps
from lab.vm import commands as vm

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = _parser().parse_args(words)
    try:
        return int(options.run(options))
    except LabError as problem:
        print(f"lab: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _up(options: argparse.Namespace) -> int:
    steps = Steps()
    home = Home.locate()
    lab = whole.up(home, rack(max(options.hosts, _there(home))), steps)
    steps.total(f"the lab is up: {', '.join(host.name for host in lab.hosts)}")
    if lab.nofile < NOFILE:
        print(f"nofile: this machine allows {lab.nofile}, so lab inventories use that instead of {NOFILE}")
    return 0


def _there(home: Home) -> int:
    """Return how many hosts the lab has: who asks for fewer does not take the others away."""
    try:
        return len(hosts.load(home).hosts)
    except LabError:
        return 0


def _down(options: argparse.Namespace) -> int:
    steps = Steps()
    vm.down(Home.locate(), steps)
    whole.down(Home.locate(), options.purge, steps)
    steps.total("the lab is down")
    return 0


def _status(_: argparse.Namespace) -> int:
    rows = status.look(Home.locate())
    print(status.table(rows))
    return 0 if all(row.well for row in rows) else 1


def _reset(options: argparse.Namespace) -> int:
    steps = Steps()
    lab = hosts.load()
    with steps.step("reset") as step:
        step.working(", ".join(options.names) or "all hosts")
        lab.reset(options.names, images=options.images)
    return 0


def _servers(_: argparse.Namespace) -> int:
    with Steps().step("servers") as step:
        postgres.ensure(Home.locate(), step)
    return 0


def _inventory(_: argparse.Namespace) -> int:
    print(f"wrote {inventory.write(Home.locate(), hosts.load())}")
    return 0


def _check(_: argparse.Namespace) -> int:
    """check-host on the lab's inventory, with the reviewed list of what a lab host can't pass lowered."""
    command = CHECKOUT / ".venv" / "bin" / "tempo-infra"
    ignored = [word for check in CANNOT_PASS for word in ("--ignore", check)]
    inventory_file = Home.locate().root / "inventory.yaml"
    return subprocess.call([command, "check-host", "-i", inventory_file, *ignored], cwd=CHECKOUT)


def _exec(options: argparse.Namespace) -> int:
    host = hosts.load().host(options.name)
    terminal = ["-t"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    return subprocess.call(["docker", "exec", "-i", *terminal, host.container, *(words or ["bash"])])


def _ssh(options: argparse.Namespace) -> int:
    command = hosts.load().host(options.name).ssh_command(options.user)
    sys.stdout.flush()
    os.execvp(command[0], [*command, *options.words])  # noqa: S606 - the terminal goes to ssh


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="install what is lacking, build, start everything")
    up.add_argument(
        "--hosts",
        type=_count,
        default=len(TRIO),
        metavar="N",
        help="at least so many: front-1, history-1, db-1, extra-1 ...",
    )
    up.set_defaults(run=_up)

    down = commands.add_parser("down", help="remove hosts, registry and network")
    down.add_argument("--purge", action="store_true", help="images, binaries, keys and caches too")
    down.set_defaults(run=_down)

    look = commands.add_parser("status", help="what runs; exit code 1 if not all is well")
    look.set_defaults(run=_status)

    reset = commands.add_parser("reset", help="give hosts an empty disk")
    reset.add_argument("names", nargs="*", metavar="NAME", help="default: all hosts")
    reset.add_argument("--images", action="store_true", help="drop the images they have pulled, too")
    reset.set_defaults(run=_reset)

    servers = commands.add_parser("servers", help="PostgreSQL 15 to 18 for trial starts, from npm's builds")
    servers.set_defaults(run=_servers)

    write = commands.add_parser("inventory", help="write .lab/inventory.yaml for this machine")
    write.set_defaults(run=_inventory)

    check = commands.add_parser("check", help="check-host, less what a lab host can't pass")
    check.set_defaults(run=_check)

    execute = commands.add_parser("exec", help="run a command as root in a host, past ssh")
    execute.add_argument("name", metavar="NAME")
    execute.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD")
    execute.set_defaults(run=_exec)

    ssh = commands.add_parser("ssh", help="log in to a host with the lab's key")
    ssh.add_argument("-l", "--user", default="deploy")
    ssh.add_argument("name", metavar="NAME")
    ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")
    ssh.set_defaults(run=_ssh)
    vm.register(commands)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_HOSTS:
        raise argparse.ArgumentTypeError(f"1 to {MOST_HOSTS} hosts")
    return number


if __name__ == "__main__":
    sys.exit(main())
