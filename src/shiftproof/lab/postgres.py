"""PostgreSQL on a machine of its own: one database and one role a service.

Its files are on the lab's tmpfs and need not outlive it, so it does not wait for a disk. Its limit of connections is
a real one's, since running out of them is one of the things that a cutover does to a database.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shiftproof.errors import LabError
from shiftproof.lab import cgroups, namespaces
from shiftproof.lab.network import LAB_CIDR, LAB_DIR, POSTGRES_IP, POSTGRES_PORT
from shiftproof.lab.supervisor import Command, Daemon, PartFailed, base_environment

MAX_CONNECTIONS = 100
_FOLDER = LAB_DIR / "postgres"
_DEBIAN = Path("/usr/lib/postgresql")
_USERS = ("postgres", "nobody")
_WITHIN_S = 30.0
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": POSTGRES_IP,
    "port": str(POSTGRES_PORT),
    "max_connections": str(MAX_CONNECTIONS),
    "unix_socket_directories": str(_FOLDER),
    "shared_buffers": "64MB",
    "fsync": "off",
    "full_page_writes": "off",
    "log_min_messages": "warning",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    # Nodes lose their power here again and again, and a client without power says no goodbye: by the system's own two
    # hours, a few gates in a row would leave no connection to anybody. Longer than our quiet spell (8 s), so that no
    # idle flow is kept alive by it.
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


@dataclass(frozen=True, slots=True)
class Database:
    """One service's database, as its own settings name it (libpq's PGDATABASE, PGUSER, PGPASSWORD)."""

    name: str
    role: str
    password: str

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Database:
        """Raises LabError when the environment does not say."""
        try:
            return cls(env["PGDATABASE"], env["PGUSER"], env["PGPASSWORD"])
        except KeyError as error:
            raise LabError(
                f"the legacy environment of a service lacks {error}", hint="see infra/services/*/legacy.env"
            ) from error


class Postgres:
    """The server and its machine."""

    def __init__(self) -> None:
        self._bin = bin_folder()
        self._user = server_user()
        self._folder = _FOLDER
        self.daemon = Daemon(
            Command(
                "postgres",
                namespaces.POSTGRES,
                (
                    *as_user(self._user),
                    str(self._bin / "postgres"),
                    "-D",
                    str(self._folder / "data"),
                    *_options(_SETTINGS),
                ),
                prefix=(*cgroups.entering(namespaces.POSTGRES), *namespaces.inside(namespaces.POSTGRES)),
            )
        )

    def start(self, databases: Sequence[Database]) -> None:
        """Make the cluster, start the server, make roles and databases. Raises PartFailed."""
        self._folder.mkdir()
        shutil.chown(self._folder, self._user)
        rules = f"local all all trust\nhost all all {LAB_CIDR} scram-sha-256\n"
        self._run(
            "initdb",
            (
                "-D",
                str(self._folder / "data"),
                "-U",
                "postgres",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C",
                "-A",
                "trust",
            ),
        )
        (self._folder / "data" / "pg_hba.conf").write_text(rules)
        self.daemon.start()
        self.daemon.wait_ready(self.problem, _WITHIN_S)
        for database in databases:
            self.create(database)

    def create(self, database: Database) -> None:
        """One more database, and who owns it. Raises PartFailed."""
        for statement in (
            f"CREATE ROLE {_name(database.role)} LOGIN PASSWORD {_text(database.password)}",
            f"CREATE DATABASE {_name(database.name)} OWNER {_name(database.role)}",
        ):
            self._sql(statement)

    def problem(self) -> str | None:
        """None when it takes connections."""
        done = subprocess.run(
            [str(self._bin / "pg_isready"), "-q", "-h", str(self._folder), "-p", str(POSTGRES_PORT)],
            env=base_environment(),
            check=False,
        )
        return None if done.returncode == 0 else f"it does not take connections yet ({done.returncode})"

    def _sql(self, statement: str) -> None:
        where = ("-h", str(self._folder), "-p", str(POSTGRES_PORT), "-U", "postgres", "-d", "postgres")
        self._run("psql", ("-X", "-q", "-v", "ON_ERROR_STOP=1", *where, "-c", statement))

    def _run(self, program: str, words: Sequence[str]) -> None:
        done = subprocess.run(
            [*as_user(self._user), str(self._bin / program), *words],
            env=base_environment(),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PartFailed("postgres", f"{program} failed", done.stderr.strip().splitlines()[-5:])


def server_user() -> str:
    """Who the database's programs run as: they refuse to be root."""
    return next(name for name in _USERS if _exists(name))


def as_user(name: str) -> tuple[str, ...]:
    """Words to put before a command to run it as that user."""
    return ("setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--clear-groups", "--")


def bin_folder(debian: Path = _DEBIAN) -> Path:
    """Folder of the newest server's programs. Raises LabError when there is none."""
    found = [path for path in debian.glob("*/bin") if (path / "postgres").is_file() and path.parent.name.isdigit()]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    if on_path is None:
        raise LabError("PostgreSQL is not installed", hint="shiftproof doctor")
    return Path(os.path.realpath(on_path)).parent


def _options(settings: Mapping[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
