"""A real PostgreSQL on a free loopback port, as a user that is not root, in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from fakes.ports import free_port

from shiftproof.lab.postgres import bin_folder
from shiftproof.lab.waiting import until

_USERS = ("postgres", "nobody")
_WITHIN_S = 90.0


@dataclass
class PostgresServer:
    """The server; stop and start it to see what others do without it. Its role `tester` may do anything."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://tester@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """A new empty database; returns its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        return self.url(name)

    def start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "shared_buffers": "16MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_as_user(), str(bin_folder() / "postgres"), "-D", str(self.folder / "data"), *options],
                stdout=log,
                stderr=log,
            )
        until(self._problem, _WITHIN_S)

    def stop(self) -> None:
        """At once, as a power cut is seen by its clients; returns when it is gone."""
        if self.process is not None:
            self.process.send_signal(3)  # SIGQUIT: PostgreSQL's immediate shutdown
            self.process.wait(_WITHIN_S)
            self.process = None

    def _problem(self) -> str | None:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended: {(self.folder / 'log').read_text()[-500:]}")
        try:
            psycopg.connect(self.url(), connect_timeout=1).close()
        except psycopg.OperationalError as error:
            return str(error)
        return None


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Started, empty, and removed at the end."""
    # Not pytest's tmp_path: its parents are closed to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="shiftproof-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _user())
        initdb = [str(bin_folder() / "initdb"), "-D", str(folder / "data"), "-U", "tester", "-A", "trust", "--no-sync"]
        subprocess.run([*_as_user(), *initdb], check=True, capture_output=True, cwd="/")
        server = PostgresServer(folder, free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _USERS if name in known)


def _as_user() -> list[str]:
    """It refuses to run as root; and it ends when the test does, even if that is killed."""
    if os.geteuid() != 0:
        return ["setpriv", "--pdeathsig", "QUIT", "--"]
    group = pwd.getpwnam(_user()).pw_gid
    return ["setpriv", "--reuid", _user(), "--regid", str(group), "--clear-groups", "--pdeathsig", "QUIT", "--"]
