"""A rack of VPSs on one machine: container hosts, a TLS image registry and faults to inject.

Standard library only, so that `python3 -m lab up` works in a fresh checkout before any environment exists.
"""
