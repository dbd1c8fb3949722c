"""The Docker engine's socket, played by a real one in a folder of the test."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from pathlib import Path

ENGINES = Path(__file__).parents[2] / "data/engines"


def recorded(name: str) -> dict[str, object]:
    """What an engine of that kind answers: recorded, but for the snap, docker-ce and Desktop."""
    answers: dict[str, object] = json.loads((ENGINES / f"{name}.json").read_text())
    return answers


class Engine:
    """Answers by path, whatever is asked after a question mark."""

    def __init__(self, path: Path, answers: Mapping[str, object]) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []
        self.raw: bytes | None = None  # said instead of an answer
        self.silent = threading.Event()
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client:
                path = client.recv(65536).split()[1].decode()
                self.asked.append(path)
                if self.silent.is_set():
                    self.silent.wait(2)
                    threading.Event().wait(1.5)
                    continue
                client.sendall(self.raw if self.raw is not None else self._answer(path))

    def _answer(self, path: str) -> bytes:
        if path.partition("?")[0] not in self.answers:
            return b'HTTP/1.0 404 Not Found\r\n\r\n{"message":"no such"}'
        body = json.dumps(self.answers[path.partition("?")[0]]).encode()
        return b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body
