"""The keys of an ssh agent, asked for with an end: paramiko alone would wait for a hung agent for ever."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from paramiko import SSHException
from paramiko.agent import SSH2_AGENT_IDENTITIES_ANSWER, AgentSSH

from tempo_infra.errors import InputError
from tempo_infra.ssh.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paramiko import Message, PKey

ANSWER_S = 10.0  # one may ask its owner, who has to find the window
MOST_BYTES = 256 * 1024  # of one message, as OpenSSH has it
LEAST_BYTES = 8  # of one key in the list: the lengths of its two parts


class _Agent(AgentSSH):
    """An agent; each question has its end. TimeoutError, SSHException."""

    def __init__(self, connection: _Timed) -> None:
        super().__init__()
        self._timed = connection
        self._connect(connection)  # type: ignore[attr-defined]  # the stubs leave out what is private

    def _send_message(self, msg: bytes) -> tuple[int, Message]:
        self._timed.end = Deadline(ANSWER_S)
        kind, answer = super()._send_message(msg)  # type: ignore[misc]
        if kind == SSH2_AGENT_IDENTITIES_ANSWER:
            body = answer.get_remainder()
            if int.from_bytes(body[:4], "big") * LEAST_BYTES > len(body):
                raise SSHException("the agent announces more keys than it lists")
        return kind, answer


class _Timed:
    """A connection whose waits are all for one end."""

    def __init__(self, path: str) -> None:
        self.end = Deadline(ANSWER_S)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_S)
        self._socket.connect(path)

    def send(self, data: bytes) -> None:
        self._socket.settimeout(self._left_s())
        self._socket.sendall(data)

    def recv(self, count: int) -> bytes:
        if count > MOST_BYTES:
            raise SSHException("the agent's answer has no end")
        self._socket.settimeout(self._left_s())
        return self._socket.recv(count)

    def close(self) -> None:
        self._socket.close()

    def __del__(self) -> None:
        self.close()  # the keys that it was asked for are forgotten with it

    def _left_s(self) -> float:
        if not self.end.left_s:
            raise TimeoutError
        return self.end.left_s


def keys() -> Sequence[PKey]:
    """Return the keys of the agent; none where there is none or it is of no use. InputError when it hangs."""
    path = os.environ.get("SSH_AUTH_SOCK")
    if not path:
        return ()
    try:
        return _Agent(_Timed(path)).get_keys()
    except (TimeoutError, BlockingIOError):  # the latter: it lets too many wait to be taken
        raise InputError(
            f"the ssh agent at {path} gives no answer",
            remedy="start it again, or leave it out: env -u SSH_AUTH_SOCK tempo-infra …",
        ) from None
    except (SSHException, OSError, ValueError):
        return ()
