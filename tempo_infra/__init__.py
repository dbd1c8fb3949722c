"""Provision, tune and verify production Temporal clusters on VPSs over SSH."""

__version__ = "0.1.0"
