"""Reaching hosts. The transport stays behind `connect`, so that another can stand there one day."""

from tempo_infra.ssh.connection import Completed, Connection, Process, connect
from tempo_infra.ssh.fanout import fan_out
from tempo_infra.ssh.forward import forward
from tempo_infra.ssh.target import Target, resolve

__all__ = ["Completed", "Connection", "Process", "Target", "connect", "fan_out", "forward", "resolve"]
