"""PgBouncer in transaction mode beside PostgreSQL: many platforms put one in between, and cutovers trip over it.

Nothing uses it by itself. A planted defect points a side at its port, and then whatever needs a session (a prepared
statement, a session's setting, an advisory lock) meets another connection than the one it was made on.
"""

from __future__ import annotations

import pwd
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from shiftproof.lab import cgroups, namespaces
from shiftproof.lab.network import LAB_DIR, POOLER_PORT, POSTGRES_IP, POSTGRES_PORT
from shiftproof.lab.postgres import Database, as_user, server_user
from shiftproof.lab.supervisor import Command, Daemon

PROGRAM = "pgbouncer"
SERVER_CONNECTIONS = 20
CLIENT_CONNECTIONS = 400
_FOLDER = LAB_DIR / PROGRAM
_WITHIN_S = 30.0
_TIMEOUT_S = 2.0


class Pooler:
    """The process. It needs no database to start; clients wait for one."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._folder = folder
        self.daemon = Daemon(
            Command(
                PROGRAM,
                namespaces.POSTGRES,
                (*as_user(server_user()), PROGRAM, "-q", str(folder / "pgbouncer.ini")),
                prefix=(*cgroups.entering(namespaces.POSTGRES), *namespaces.inside(namespaces.POSTGRES)),
            )
        )

    def start(self, databases: Sequence[Database]) -> None:
        """Write its files, start it; returns when it takes connections. Raises PartFailed."""
        self._folder.mkdir()
        (self._folder / "pgbouncer.ini").write_text(configuration(databases, self._folder))
        users = self._folder / "users"
        users.write_text(user_list(databases))
        users.chmod(0o600)
        for path in (self._folder, *self._folder.iterdir()):
            shutil.chown(path, server_user(), pwd.getpwnam(server_user()).pw_gid)
        self.daemon.start()
        self.daemon.wait_ready(self.problem, _WITHIN_S)

    def problem(self) -> str | None:
        """None when it takes connections."""
        try:
            socket.create_connection((POSTGRES_IP, POOLER_PORT), timeout=_TIMEOUT_S).close()
        except OSError as error:
            return f"it does not take connections: {error.strerror or error}"
        return None


def configuration(databases: Sequence[Database], folder: Path) -> str:
    """pgbouncer.ini: each database under its own name, as the server has it."""
    entries = "".join(f"{db.name} = host={POSTGRES_IP} port={POSTGRES_PORT} dbname={db.name}\n" for db in databases)
    return f"""[databases]
{entries}
[pgbouncer]
listen_addr = {POSTGRES_IP}
listen_port = {POOLER_PORT}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder / "users"}
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = {CLIENT_CONNECTIONS}
# What drivers ask for at the start and it cannot keep track of: to refuse them would be a defect of its own.
ignore_startup_parameters = extra_float_digits,options,search_path
log_connections = 0
log_disconnections = 0
"""


def user_list(databases: Sequence[Database]) -> str:
    """Roles and passwords, in the quotes that PgBouncer reads: it uses them towards both sides."""
    return "".join(f"{_quoted(role)} {_quoted(password)}\n" for role, password in _roles(databases))


def _roles(databases: Sequence[Database]) -> list[tuple[str, str]]:
    return sorted({(db.role, db.password) for db in databases})


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
