"""Opening a TCP connection: one deadline for the name and for all of its addresses together."""

from __future__ import annotations

import socket
import threading
from queue import Empty, SimpleQueue
from typing import Any

from tempo_infra.ssh.deadline import Deadline


def dial(host: str, port: int, deadline_s: float) -> socket.socket:
    """Return a connection to the first address that takes it. OSError: TimeoutError, or the last refusal."""
    end = Deadline(deadline_s)
    found = addresses(host, port, deadline_s)
    error: OSError = TimeoutError("timed out")
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        # What is left is shared, so that one that drops everything leaves time for the others.
        if not (share_s := end.left_s / (len(found) - tried)):
            break
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(share_s)
            connection.connect(address)
        except OSError as refusal:
            connection.close()
            error = refusal
        else:
            connection.settimeout(deadline_s)
            return connection
    raise error


def addresses(host: str, port: int, deadline_s: float) -> list[Any]:
    """As `socket.getaddrinfo`, which takes no deadline: a thread waits for the name; it may be left there."""
    answer = SimpleQueue[list[Any] | OSError]()

    def look_up() -> None:
        try:
            answer.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except OSError as error:
            answer.put(error)
        except UnicodeError as error:  # a label that no name can have
            answer.put(socket.gaierror(socket.EAI_NONAME, str(error)))

    threading.Thread(target=look_up, daemon=True).start()
    try:
        found = answer.get(timeout=deadline_s)
    except Empty:
        raise TimeoutError("its name is looked up for too long") from None
    if isinstance(found, OSError):
        raise found
    return found
