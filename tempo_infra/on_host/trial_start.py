"""Trial start: a new postgresql.conf in the same image and memory, on a throw-away data directory.

The server's own check accepts settings that it then does not start with (memory, preloaded libraries, slots
that add up to more than the connections), so it is started. The running database is not touched.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempo_infra.on_host import data_folder, live, psql
from tempo_infra.on_host.psql import SERVICE, database_container
from tempo_infra.on_host.shell import StepError, must, run

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change

DEADLINE_S = 150
# initdb is quick with nothing to sync; then the real start, one query, an orderly end.
SCRIPT = """
initdb -D /tmp/trial -A trust -U postgres --no-sync >/tmp/initdb 2>&1 || { cat /tmp/initdb >&2; exit 1; }
if pg_ctl -D /tmp/trial -w -t 60 -l /tmp/log start -o "-c config_file=/etc/tempo-infra/postgresql.conf \
 -c hba_file=/etc/tempo-infra/pg_hba.conf -c ident_file=/etc/tempo-infra/pg_ident.conf \
 -c data_directory=/tmp/trial -c listen_addresses= -c unix_socket_directories=/tmp \
 -c archive_command=/bin/true -c logging_collector=off" >/tmp/ctl 2>&1
then psql -XqAt -F ' ' -h /tmp -U postgres -c "$ERRORS" -c "$FACTS" 2>/tmp/sql || cat /tmp/sql
     grep -E 'WARNING:.* parameter ' /tmp/log
     pg_ctl -D /tmp/trial -m immediate stop >/dev/null
else grep -E 'FATAL|ERROR|LOG:.*(invalid|unrecognized|contains)|HINT' /tmp/log || cat /tmp/log /tmp/ctl; fi
"""
ERRORS = (
    "select format('%s:%s: %s: %s', sourcefile, sourceline, name, error) from pg_file_settings"
    # The same words for what the trial sets otherwise, and for what a library refuses and the server skips.
    " where error is not null and (error <> 'setting could not be applied' or name like '%.%')"
    " union all select format('pg_hba.conf:%s: %s', line_number, error) from pg_hba_file_rules"
    " where error is not null"
    " union all select format('pg_ident.conf:%s: %s', line_number, error) from pg_ident_file_mappings"
    " where error is not null"
)


MARK = "trial-facts"
# What the image is, by its own word: a tag may say anything. The C library decides how text is sorted.
FACTS = (
    f"select '{MARK}', current_setting('server_version_num'),"  # noqa: S608 - nothing from outside
    " coalesce((select max(collversion) from pg_collation where collprovider = 'c'), '')"
)


def trial_start(layout: Layout, args: change.TrialStart) -> "dict[str, bool]":
    """Start the staged configuration aside. StepError with the server's own words when it does not start.

    Skipped when the same files already run.
    """
    file = layout.generations / args.digest / "docker-compose.yml"
    words = ["docker", "compose", "-f", str(file), "config", "--format", "json"]
    service: dict[str, Any] = json.loads(must(words, deadline_s=30).out)["services"][SERVICE]
    folder = next(v["source"] for v in service["volumes"] if v["target"] == "/etc/tempo-infra")
    own = layout.generations / args.digest / "services" / Path(folder).name
    if _runs_already(folder, service) and _same(own, Path(folder)):
        return {"tried": False}
    output = run(_words(service, str(own) if own.is_dir() else folder), deadline_s=DEADLINE_S + 15)
    said = (output.out + output.err).strip().splitlines()
    facts = [line.split() for line in said if line.startswith(f"{MARK} ")]
    problems = [line.strip() for line in said if not line.startswith(f"{MARK} ")]
    if output.returncode != 0 or problems or not facts:
        lines = " | ".join(problems[-4:])[-600:]
        raise StepError(
            "PostgreSQL does not start with the new configuration: "
            + (lines or f"exit code {output.returncode}"),
            remedy="nothing was switched; correct the setting and run it again",
        )
    _must_fit(layout, *(facts[0] + ["", ""])[1:3])
    return {"tried": True}


def _same(own: Path, folder: Path) -> bool:
    """Whether the folder holds what the generation would write into it while the server runs."""
    try:
        return all((folder / one.name).read_bytes() == one.read_bytes() for one in own.iterdir())
    except OSError:
        return not own.exists()


def _must_fit(layout: Layout, version: str, sorting: str) -> None:
    """Compare the image with the data: the major version, and the C library by which text was sorted."""
    had, major = data_folder.look(layout).version, version[:-4]
    if had and major and had != major:
        raise StepError(
            f"the data directory is PostgreSQL {had}'s, the image holds {major}: it can't start",
            remedy="nothing was switched; use an image of the same major version",
        )
    database = _running()
    for name, was in live.read(database).collations.items() if database and sorting else ():
        if was != sorting:
            pasted = name.replace('"', '""')
            raise StepError(
                f"database {name} is sorted by version {was} of the C library, the image has {sorting}: "
                "indexes on text may miss rows",
                remedy=f"nothing was switched; in {name}, as {psql.user_in(name)} (psql -U): "
                f'REINDEX DATABASE "{pasted}"; ALTER DATABASE "{pasted}" REFRESH COLLATION VERSION; '
                "then run it again",
            )


def _running() -> str:
    """Return the id of the database's container; empty when none runs."""
    try:
        return database_container()
    except StepError:
        return ""


def _words(service: "dict[str, Any]", folder: str) -> "list[str]":
    """Return the command; `folder` has what is tried, elsewhere until the switch."""
    memory = str(service.get("mem_limit", "")) or "0"
    return [
        *("docker", "run", "--rm", "--init", "--network", "none", "--read-only", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges:true", "--user", str(service.get("user", "999"))),
        *("--memory", memory, "--shm-size", str(service.get("shm_size", "64m"))),
        *("--tmpfs", "/tmp:mode=1777,size=256m", "--env", f"ERRORS={ERRORS}", "--env", f"FACTS={FACTS}"),  # noqa: S108 - in the container
        *("--mount", f"type=bind,source={folder},target=/etc/tempo-infra,readonly"),
        *(
            word
            for volume in service["volumes"]
            if volume["target"] == "/etc/passwd"
            for word in ("--mount", f"type=bind,source={volume['source']},target=/etc/passwd,readonly")
        ),
        # The deadline is in there: killing `docker run` would leave the container.
        *("--entrypoint", "timeout", str(service["image"]), "-k", "5", str(DEADLINE_S), "sh", "-c", SCRIPT),
    ]


def _runs_already(folder: str, service: "dict[str, Any]") -> bool:
    form = "{{.Config.Image}} {{.HostConfig.Memory}} {{range .Mounts}}{{.Source}} {{end}}"
    database = _running()
    if not database:
        return False
    found = run(["docker", "inspect", "-f", form, database], deadline_s=20).out.split()
    wanted = [str(service["image"]), str(service.get("mem_limit", ""))]
    return found[:2] == wanted and folder in found[2:]
