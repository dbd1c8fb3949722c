"""A component that only the tests have: it answers over HTTP, from a file, to who knows its secret."""

from tempo_infra.components.component import Component, ConfigFile, Http, Memory, Port, Reach, Reads

ECHO = Component(
    name="echo",
    kind="service",
    role="echo",
    image="example/echo:1.0",
    user="temporal",
    memory=Memory(48, 1),
    pids=64,
    stop_grace_s=5,
    vcpu_share=0.25,
    go=False,
    ports=(Port("http", 8990, Reach.MEMBERS),),
    files=(ConfigFile("server.yaml", "yaml", "restarts echo", free=True),),
    reads=(Reads("echo_token"), Reads("echo_seal", scope="host", reloaded=True, signal="HUP")),
    health=Http(),
    needs=("frontend",),
    asks=("frontend",),
    command=(
        "/echo",
        "/etc/tempo-infra/server.yaml",
        "/run/secrets/own/echo_token",
        "/run/secrets/reloaded/echo_seal",
    ),
    environment=(("ECHO_NAME", "one: two"),),
    restart="nobody hears an echo",
    probe=f"{__name__}.host",
    checks=f"{__name__}.checks",
)
COMPONENTS = (ECHO,)
