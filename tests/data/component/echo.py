"""A component that only the tests have: it answers over HTTP, from a file, with a secret."""

from tempo_infra.components.component import Component, ConfigFile, Http, Memory, Port, Reach

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
    go=True,
    ports=(Port("http", 8990, Reach.MEMBERS),),
    files=(ConfigFile("echo.yaml", "yaml", "restarts echo"),),
    reads=("db_password",),
    health=Http(),
    needs=("frontend",),
    asks=("frontend",),
    command=("/echo", "--file", "/etc/tempo-infra/echo.yaml"),
    environment=(("ECHO_NAME", "one: two"),),
    restart="nobody hears an echo",
)
