"""A cluster as instances of components on hosts: who is where, and where each one is reached. Pure."""

from __future__ import annotations

from tempo_infra.topology.instances import Endpoint, endpoints, instances
from tempo_infra.topology.stores import Store, store

__all__ = ["Endpoint", "Store", "endpoints", "instances", "store"]
