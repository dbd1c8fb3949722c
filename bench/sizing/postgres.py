"""A fresh PostgreSQL for each run: copied from one that was initialised and given the schema once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bench.sizing.server import ADDRESS, DATABASES, POSTGRESQL_PORT, USER
from lab.errors import LabError
from lab.paths import IMAGES
from lab.process import run, succeeds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROGRAMS = Path("/usr/lib/postgresql")
SHIM = IMAGES / "postgres" / "slowfsync.c"
SHIM_READS = '"/tmp/slow-fsync-ms"'
DEADLINE_S = 120.0


def programs() -> Path:
    """The newest PostgreSQL of this machine's distribution. LabError when there is none."""
    found = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise LabError(f"no PostgreSQL below {PROGRAMS}: apt-get install postgresql")
    return found[-1].parent


def version() -> str:
    return programs().parent.name


def as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--inh-caps=-all"]


@dataclass(frozen=True)
class Database:
    """A running server, and one session in it."""

    folder: Path
    process: subprocess.Popen[bytes]
    session: subprocess.Popen[str]

    def ask(self, query: str) -> str:
        """Answer a query of one row with one column."""
        talk, answer = _pipes(self.session)
        talk.write(f"{query};\n")
        talk.flush()
        return answer.readline().strip()


def _wait_until_ready() -> None:
    ask = [str(programs() / "pg_isready"), "-q", "-h", ADDRESS, "-p", str(POSTGRESQL_PORT)]
    deadline = time.monotonic() + DEADLINE_S
    while not succeeds(ask):
        if time.monotonic() > deadline:
            raise LabError("PostgreSQL does not answer; see postgresql.log")
        time.sleep(0.05)


def _pipes(session: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if session.stdin is None or session.stdout is None:
        raise LabError("psql was started without pipes")
    return session.stdin, session.stdout


@dataclass(frozen=True)
class Place:
    """Where the bench keeps PostgreSQL's folders: on the disk that is measured."""

    root: Path
    schema_tool: Path

    @contextmanager
    def running(
        self, lines: Mapping[str, str], sql: Mapping[str, str], *, checksums: bool, delay_ms: int
    ) -> Iterator[Database]:
        """A fresh server with these settings, each of its flushes late by `delay_ms`."""
        folder = self.root / "data"
        self._copy(self.template(checksums=checksums), folder)
        (folder / "bench.conf").write_text("".join(f"{name} = '{value}'\n" for name, value in lines.items()))
        with (folder / "postgresql.conf").open("a") as conf:
            conf.write("include 'bench.conf'\n")
        with self._server(folder, delay_ms, signal.SIGQUIT) as process, self._session() as session:
            for database, statements in sql.items():
                self._psql(database, statements)
            self._psql("postgres", "CHECKPOINT")
            yield Database(folder, process, session)

    def template(self, *, checksums: bool) -> Path:
        """A stopped server with the schema of both databases; made once."""
        folder = self.root / f"template-{version()}-{self.schema_tool.parent.name}-{int(checksums)}"
        if folder.is_dir():
            return folder
        making = self.root / "making"
        shutil.rmtree(making, ignore_errors=True)
        self._own(making)
        words = [str(programs() / "initdb"), "-D", str(making), "-U", "postgres", "--auth=trust"]
        words += ["--encoding=UTF8", "--locale=C.UTF-8", *(["--data-checksums"] if checksums else [])]
        run([*as_postgres(), *words], timeout=DEADLINE_S)
        with self._server(making, 0, signal.SIGINT):
            self._psql("postgres", f"CREATE ROLE {USER} LOGIN")
            for database, schema in DATABASES.items():
                self._psql("postgres", f"CREATE DATABASE {database} OWNER {USER}")
                self._schema(database, schema)
        making.rename(folder)
        return folder

    def _schema(self, database: str, schema: str) -> None:
        tool = [str(self.schema_tool), "--plugin", "postgres12", "--ep", ADDRESS, "-p", str(POSTGRESQL_PORT)]
        tool += ["-u", USER, "--pw", "", "--db", database]
        run([*tool, "setup-schema", "-v", "0.0"], timeout=DEADLINE_S)
        run([*tool, "update-schema", "--schema-name", f"postgresql/v12/{schema}"], timeout=DEADLINE_S)

    @contextmanager
    def _server(
        self, folder: Path, delay_ms: int, ended_by: signal.Signals
    ) -> Iterator[subprocess.Popen[bytes]]:
        place = {"listen_addresses": ADDRESS, "port": POSTGRESQL_PORT, "unix_socket_directories": self.root}
        words = [str(programs() / "postgres"), "-D", str(folder)]
        words += [word for name, value in place.items() for word in ("-c", f"{name}={value}")]
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        if delay_ms:
            env["LD_PRELOAD"] = str(self._shim(delay_ms))
        with (self.root / "postgresql.log").open("wb") as log:
            process = subprocess.Popen([*as_postgres(), *words], env=env, stdout=log, stderr=log, cwd="/")
        try:
            _wait_until_ready()
            yield process
        finally:
            process.send_signal(ended_by)
            process.wait(DEADLINE_S)

    @contextmanager
    def _session(self) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [*self._client("temporal"), "-f", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as session:
            yield session
            _pipes(session)[0].close()

    def _psql(self, database: str, statements: str) -> None:
        run([*self._client(database), "-f", "-"], stdin=statements, timeout=DEADLINE_S)

    def _client(self, database: str) -> list[str]:
        words = [str(programs() / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1"]
        return [*words, "-h", ADDRESS, "-p", str(POSTGRESQL_PORT), "-U", "postgres", "-d", database]

    def _own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
            shutil.chown(self.root, "postgres", "postgres")

    @staticmethod
    def _copy(template: Path, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        run(["cp", "-a", str(template), str(folder)], timeout=DEADLINE_S)
        run(["sync", "-f", str(folder)], timeout=DEADLINE_S)

    def _shim(self, delay_ms: int) -> Path:
        """The lab's shim of the image, told by a file of this bench."""
        told, library = self.root / "slow-fsync-ms", self.root / "slowfsync.so"
        told.write_text(str(delay_ms))
        told.chmod(0o644)
        source = SHIM.read_text()
        if SHIM_READS not in source:
            raise LabError(f"{SHIM} no longer reads {SHIM_READS}")
        source = source.replace(SHIM_READS, f'"{told}"')
        run(["cc", "-x", "c", "-O2", "-shared", "-fPIC", "-o", str(library), "-"], stdin=source, timeout=60)
        library.chmod(0o755)
        return library
