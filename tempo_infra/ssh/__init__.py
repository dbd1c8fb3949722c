"""Reaching hosts: one narrow door, `connect`, before two transports."""

from tempo_infra.ssh.connect import connect, offered_key
from tempo_infra.ssh.fanout import fan_out, threads_for
from tempo_infra.ssh.forward import forward
from tempo_infra.ssh.lazy_import import import_when_used
from tempo_infra.ssh.reasons import NoWayError
from tempo_infra.ssh.target import Target, resolve
from tempo_infra.ssh.transport import LOST, Completed, Connection, Process

import_when_used("invoke")

__all__ = [
    "LOST",
    "Completed",
    "Connection",
    "NoWayError",
    "Process",
    "Target",
    "connect",
    "fan_out",
    "forward",
    "offered_key",
    "resolve",
    "threads_for",
]
