"""Statements of planted defects on a service's database in the lab, and their undo, in the name of its owner.

The undo of a statement must be run exactly once, and only if the statement was: whoever plants may be killed between
any two lines. So the database itself knows: a mark in its comment, set in the same transaction as the statements and
taken away in that of their undo. Nothing of the service's own schema is touched for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql as words

from shiftproof.adapters.targets import load_target
from shiftproof.errors import SetupError, ShiftproofError, UndoError, UserError
from shiftproof.lab.control import LabControl
from shiftproof.lab.network import LAB_DIR

CONNECT_WITHIN_S = 5
#: A statement that waits for a lock of the service's, or forever, ends and says so.
STATEMENT_WITHIN_MS = 60_000
#: A defect may be a default of the database itself (ALTER DATABASE ... SET), which the session of its undo would start
#: with: read-only, it could never take that default back. What a client asks for when it connects comes before those.
_OWN_SETTINGS: Mapping[str, object] = {
    "statement_timeout": STATEMENT_WITHIN_MS,
    "lock_timeout": 0,
    "idle_in_transaction_session_timeout": 0,
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "default_transaction_isolation": r"read\ committed",
    "standard_conforming_strings": "on",
    "local_preload_libraries": "",
    "role": "none",
}
_OPTIONS = " ".join(f"-c {name}={value}" for name, value in _OWN_SETTINGS.items())
DOOR = LAB_DIR / "postgres"
SUPERUSER = "postgres"

_FAILS = "SELECT 1 / 0"
_NO_TRANSACTION = "25001"  # active_sql_transaction: a statement that cannot run inside one
_MARKS = re.compile(r" ?\[shiftproof:([a-z0-9 ]*)\]")
_COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class Place:
    """A database and its owner. door: the folder of the server's own socket, which takes a superuser without asking.

    A defect may leave the owner no connection (a limit, a password, a right that is taken away), and must be undone all
    the same: so we come in as the superuser, and act as the owner. The password, if there is no door, is never shown.
    """

    host: str
    port: int
    name: str
    role: str
    password: str = field(repr=False)
    door: Path | None = None

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Place:
        """From LabControl.database."""
        names = ("host", "name", "role", "password")
        door = DOOR if DOOR.is_dir() else None
        return cls(port=int(found["port"]), door=door, **{name: str(found[name]) for name in names})

    def way_in(self) -> dict[str, Any]:
        """What psycopg.connect is told of it."""
        if self.door is None:
            return {"host": self.host, "user": self.role, "password": self.password, "options": _OPTIONS}
        return {"host": str(self.door), "user": SUPERUSER, "options": f"{_OPTIONS} -c role={self.role}"}


def check_syntax(where: Place, statements: str, what: str = "") -> None:
    """Raises UserError when PostgreSQL cannot even read it, SetupError when it does not answer. Changes nothing.

    What it means (does the table exist?) is not asked: a step before may create what this one needs.
    """
    with _connected(where) as connection:
        try:
            # The server reads the whole text before it runs any of it, and stops at the first statement that fails.
            connection.execute(f"{_FAILS}; {statements}".encode())
        except psycopg.errors.DivisionByZero:
            return
        except psycopg.Error as error:
            raise UserError(f"{what}{_words(error)}") from error
    raise SetupError(f"PostgreSQL ran '{_FAILS}' and did not fail")


def make(where: Place, statements: str, mark: str) -> None:
    """Run them as one transaction; a statement that cannot be in one (VACUUM, CREATE INDEX CONCURRENTLY) by itself.

    Raises UserError with PostgreSQL's reason in one line: nothing was changed then. SetupError when it is not there.
    """
    with _connected(where) as connection:
        try:
            try:
                _together(connection, statements, add=mark)
            except psycopg.Error as error:
                if error.sqlstate != _NO_TRANSACTION:
                    raise
                _alone(connection, statements, mark)
        except psycopg.Error as error:
            raise UserError(f"PostgreSQL: {_words(error)}") from error


def undo_sql(payload: Mapping[str, Any]) -> None:
    """Undo handler of journal entries of kind "sql". Idempotent.

    Payload: target, service, mark, sql (the undo), search_path (as it was; "" in entries that do not have it).
    """
    try:
        target = load_target(str(payload["target"]))
        if target.kind != "lab":
            raise UndoError(f"target {target.name} is no lab, so no statement was run there")
        where = Place.of(LabControl().database(str(payload["service"])))
        unmake(where, str(payload["sql"]), str(payload["mark"]), str(payload.get("search_path", "")))
    except KeyError as error:
        raise UndoError(f"the journal's entry for sql lacks {error}") from error
    except UndoError:
        raise
    except ShiftproofError as error:
        raise UndoError(f"the statements could not be undone: {error}", hint=error.hint) from error


def unmake(where: Place, statements: str, mark: str, search_path: str = "") -> None:
    """Run the undo of what carries `mark`; nothing when nothing does. Raises as `make` does.

    search_path: by which the undo's names are looked up, "" for what a session has now.
    """
    with _connected(where) as connection:
        try:
            if mark not in _read_marks(connection):
                return
            if search_path:
                connection.execute("SELECT set_config('search_path', %s, false)", [search_path])
            try:
                _together(connection, statements, drop=mark)
            except psycopg.Error as error:
                if error.sqlstate != _NO_TRANSACTION:
                    raise
                connection.execute(statements.encode())
                _write_marks(connection, drop=mark)
        except psycopg.Error as error:
            raise UserError(f"PostgreSQL: {_words(error)}") from error


def search_path(where: Place) -> str:
    """By which names are looked up in a new session, for the undo of a defect that changes it. Raises SetupError."""
    with _connected(where) as connection:
        row = connection.execute("SHOW search_path").fetchone()
        return str(row[0]) if row else ""


def rows(where: Place, *queries: LiteralString) -> list[tuple[Any, ...]]:
    """What queries of ours find, all together. Raises SetupError."""
    with _connected(where) as connection:
        try:
            return [row for query in queries for row in connection.execute(query).fetchall()]
        except psycopg.Error as error:
            raise SetupError(f"the database {where.name} cannot be looked at: {_words(error)}") from error


def marks(where: Place) -> frozenset[str]:
    """Of all statements that were planted in this database and not undone. Raises SetupError."""
    with _connected(where) as connection:
        return _read_marks(connection)


def _together(
    connection: psycopg.Connection[Any], statements: str, *, add: str | None = None, drop: str | None = None
) -> None:
    connection.execute("BEGIN")
    try:
        connection.execute(statements.encode())
        _write_marks(connection, add=add, drop=drop)
        connection.execute("COMMIT")
    except psycopg.Error:
        connection.execute("ROLLBACK")
        raise


def _alone(connection: psycopg.Connection[Any], statements: str, mark: str) -> None:
    """The mark first: killed after it, the undo is run; should that find nothing to undo, it says so."""
    _write_marks(connection, add=mark)
    try:
        connection.execute(statements.encode())
    except psycopg.Error:
        _write_marks(connection, drop=mark)
        raise


def _read_marks(connection: psycopg.Connection[Any]) -> frozenset[str]:
    found = _MARKS.search(_comment(connection))
    return frozenset(found.group(1).split()) if found else frozenset()


def _write_marks(connection: psycopg.Connection[Any], *, add: str | None = None, drop: str | None = None) -> None:
    comment = _comment(connection)
    wanted = (_read_marks(connection) | ({add} if add else set())) - {drop}
    text = _MARKS.sub("", comment) + (f" [shiftproof:{' '.join(sorted(map(str, wanted)))}]" if wanted else "")
    connection.execute(
        words.SQL("COMMENT ON DATABASE {} IS {}").format(
            words.Identifier(connection.info.dbname), words.Literal(text.strip() or None)
        )
    )


def _comment(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute(_COMMENT).fetchone()
    return (row[0] or "") if row else ""


@contextmanager
def _connected(where: Place) -> Iterator[psycopg.Connection[Any]]:
    try:
        connection = psycopg.connect(
            port=where.port,
            dbname=where.name,
            connect_timeout=CONNECT_WITHIN_S,
            application_name="shiftproof",
            autocommit=True,
            prepare_threshold=None,
            **where.way_in(),
        )
    except psycopg.Error as error:
        raise SetupError(
            f"the database {where.name} does not take us: {_words(error)}", hint="shiftproof lab status"
        ) from error
    with connection:
        yield connection


def _words(error: psycopg.Error) -> str:
    """The server's own sentence and its code, or libpq's, in one line."""
    said = error.diag.message_primary or (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"{said} ({error.sqlstate})" if error.sqlstate else said
