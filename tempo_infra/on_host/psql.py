"""SQL through the socket of our database's container: the one place that calls psql."""

from __future__ import annotations

from tempo_infra.on_host import engine
from tempo_infra.on_host.inside import inside
from tempo_infra.on_host.shell import Output, StepError

SERVICE = "postgresql"
ASK_S = 20.0  # of the engine


def database_container() -> str:
    """Return the id of the database's container; StepError when none runs."""
    running = engine.listed(engine.KEPT_RUNNING, stopped=False, deadline_s=ASK_S)
    ours = [str(one["Id"]) for one in running if engine.named(one["Labels"]) == SERVICE]
    if not ours:
        raise StepError(f"{SERVICE} is not running")
    return ours[0]


def psql(
    container: str, statements: str, *, deadline_s: float, database: str = "postgres", separator: str = "|"
) -> Output:
    """Run statements up to the first that fails; rows come back unaligned. StepError past the deadline.

    The server ends a statement at the deadline, too: while it waits for a lock it doesn't notice that psql is
    gone, and would change later what nobody waits for any more.
    """
    options = f"PGOPTIONS=-c statement_timeout={round(deadline_s * 1000)}"
    words = ["psql", "-XqAt", "-F", separator, "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]
    return inside(
        container,
        [*words, "-f", "-"],
        deadline_s=deadline_s,
        environment=[options],
        stdin=statements.encode(),
    )
