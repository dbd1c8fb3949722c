"""Own templates that make the web UI's container misbehave, as a wrong image or setting would."""

from __future__ import annotations

from lab.paths import CHECKOUT

UI = '{% elif service.kind == "ui" %}\n'
HISTORY = '{% elif service.kind == "temporal" %}\n    command: [temporal-server, --allow-no-auth, start]\n'
START = "./start-ui-server.sh"


def _entrypoint(script: str) -> tuple[tuple[str, str], ...]:
    text = (CHECKOUT / "templates" / "docker-compose.yml.j2").read_text()
    assert UI in text
    words = script.replace('"', '\\"')
    changed = text.replace(UI, f'{UI}    entrypoint: ["sh", "-c", "{words}"]\n')
    return (("docker-compose.yml.j2", changed),)


def ends_at_once() -> tuple[tuple[str, str], ...]:
    return _entrypoint("exit 3")


def listens_to_nobody() -> tuple[tuple[str, str], ...]:
    return _entrypoint("sleep 100000")


def drips() -> tuple[tuple[str, str], ...]:
    """A status, and then a head that never ends, a byte a second."""
    return _entrypoint("(echo HTTP/1.1 200 OK; while sleep 1; do printf a; done) | nc -lk 8080")


def dies_after(seconds: int) -> tuple[tuple[str, str], ...]:
    return _entrypoint(f"{START} & sleep {seconds}; exit 4")


def history_ends_at_once() -> tuple[tuple[str, str], ...]:
    text = (CHECKOUT / "templates" / "docker-compose.yml.j2").read_text()
    assert HISTORY in text
    lines = HISTORY.splitlines()
    command = '    command: [{% if service.name == "history" %}sh, -c, exit 3{% else %}temporal-server, '
    command += "--allow-no-auth, start{% endif %}]"
    return (("docker-compose.yml.j2", text.replace(HISTORY, f"{lines[0]}\n{command}\n")),)
