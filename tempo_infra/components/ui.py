"""Temporal's web UI."""

from __future__ import annotations

from tempo_infra.components.component import Component, Http, Memory, Port, Reach

UI = Component(
    name="ui",
    kind="ui",
    role="ui",
    image="temporalio/ui:{ui}",
    user="ui",
    memory=Memory(80),
    pids=256,
    stop_grace_s=10,
    vcpu_share=0.25,
    ports=(Port("http", 8080, Reach.OPERATORS),),
    health=Http(),
    asks=("frontend",),  # it answers without one, too
    binds=False,
    restart="the web page is away",
)
COMPONENTS = (UI,)
