"""Statements of defects: made as the owner, undone exactly once, whenever whoever planted them was killed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from servers.postgres import PostgresServer, postgres_server

from shiftproof.adapters import postgres
from shiftproof.adapters.postgres import Place
from shiftproof.adapters.postgres_shape import shape
from shiftproof.errors import SetupError, UserError

pytestmark = pytest.mark.component


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as started:
        with psycopg.connect(started.url(), autocommit=True) as connection:
            connection.execute("CREATE ROLE owner LOGIN PASSWORD 'secret'")
            connection.execute("CREATE DATABASE shop OWNER owner")
        yield started


@pytest.fixture
def place(server: PostgresServer) -> Iterator[Place]:
    """A database with one table, which has one column."""
    where = Place("127.0.0.1", server.port, "shop", "owner", "secret")
    ask(where, "DROP TABLE IF EXISTS t; CREATE TABLE t (a int); COMMENT ON DATABASE shop IS 'of the shop'")
    yield where
    assert postgres.marks(where) == frozenset()
    assert ask(where, "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'") == [
        ("of the shop",)
    ]


def ask(where: Place, statement: str) -> list[Any]:
    url = f"postgresql://{where.role}@{where.host}:{where.port}/{where.name}"
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def columns(where: Place) -> set[str]:
    return {row[0] for row in ask(where, "SELECT column_name FROM information_schema.columns WHERE table_name = 't'")}


def test_made_and_undone_once_however_often_undo_is_run(place: Place) -> None:
    """The undo is no idempotent one: a second run of it would fail."""
    postgres.make(place, "ALTER TABLE t RENAME COLUMN a TO b; INSERT INTO t VALUES (1)", "m1")
    assert columns(place) == {"b"}
    assert postgres.marks(place) == {"m1"}
    undo = "DELETE FROM t WHERE b = 1; ALTER TABLE t RENAME COLUMN b TO a"
    postgres.unmake(place, undo, "m1")
    postgres.unmake(place, undo, "m1")
    assert columns(place) == {"a"}


def test_what_was_never_made_is_not_undone(place: Place) -> None:
    """Whoever planted it was killed after the journal and before the database."""
    postgres.unmake(place, "DROP TABLE t", "m1")
    assert columns(place) == {"a"}


def test_several_are_all_made_or_none_is(place: Place) -> None:
    with pytest.raises(UserError) as raised:
        postgres.make(place, "ALTER TABLE t ADD COLUMN c int; ALTER TABLE nothing ADD COLUMN c int", "m1")
    assert str(raised.value) == 'PostgreSQL: relation "nothing" does not exist (42P01)'
    assert columns(place) == {"a"}


def test_an_undo_that_fails_leaves_the_mark(place: Place) -> None:
    postgres.make(place, "ALTER TABLE t ADD COLUMN c int", "m1")
    with pytest.raises(UserError, match=r"42703"):
        postgres.unmake(place, "ALTER TABLE t DROP COLUMN d", "m1")
    assert postgres.marks(place) == {"m1"}
    postgres.unmake(place, "ALTER TABLE t DROP COLUMN c", "m1")


def test_statements_that_cannot_be_in_a_transaction(place: Place) -> None:
    postgres.make(place, "CREATE INDEX CONCURRENTLY i ON t (a)", "m1")
    postgres.make(place, "VACUUM t", "m2")
    assert ask(place, "SELECT indexname FROM pg_indexes WHERE tablename = 't'") == [("i",)]
    assert postgres.marks(place) == {"m1", "m2"}
    with pytest.raises(UserError, match=r"42P07"):
        postgres.make(place, "CREATE INDEX CONCURRENTLY i ON t (a)", "m3")
    postgres.unmake(place, "DROP INDEX CONCURRENTLY i", "m1")
    postgres.unmake(place, "DROP INDEX CONCURRENTLY i", "m1")
    postgres.unmake(place, "VACUUM t", "m2")
    assert ask(place, "SELECT indexname FROM pg_indexes WHERE tablename = 't'") == []


def test_statements_that_end_the_transaction_themselves(place: Place) -> None:
    postgres.make(place, "BEGIN; ALTER TABLE t ADD COLUMN c int; COMMIT", "m1")
    assert postgres.marks(place) == {"m1"}
    postgres.unmake(place, "ALTER TABLE t DROP COLUMN c", "m1")


@pytest.mark.parametrize(
    "statements", ["ALTER TABLE t ADD COLUMN c int; SELEC 1", "CREATE TABLE (", "SELECT 'open", "DO $$ BEGIN"]
)
def test_what_postgresql_cannot_read_is_found_without_running_any_of_it(place: Place, statements: str) -> None:
    with pytest.raises(UserError, match=r"^undo: .* \(42601\)$") as raised:
        postgres.check_syntax(place, statements, what="undo: ")
    assert len(str(raised.value).splitlines()) == 1
    assert columns(place) == {"a"}


@pytest.mark.parametrize("statements", ["DROP TABLE t", "DROP TABLE t; VACUUM t", "COMMIT; DROP TABLE t", "-- nothing"])
def test_looking_at_statements_runs_none(place: Place, statements: str) -> None:
    postgres.check_syntax(place, statements)
    assert columns(place) == {"a"}


def test_no_server_is_no_fault_of_the_statement(server: PostgresServer, place: Place) -> None:
    nowhere = Place("127.0.0.1", 1, "shop", "owner", "secret")
    with pytest.raises(SetupError, match="does not take us") as raised:
        postgres.make(nowhere, "SELECT 1", "m1")
    assert "secret" not in f"{raised.value} {nowhere}"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("default_transaction_read_only", "on"),
        ("default_transaction_isolation", "serializable"),
        ("default_transaction_deferrable", "on"),
        ("lock_timeout", "1"),
        ("statement_timeout", "1"),
        ("idle_in_transaction_session_timeout", "1"),
        ("local_preload_libraries", "'nothing'"),
        ("search_path", "nowhere"),
        ("standard_conforming_strings", "off"),
    ],
)
def test_a_default_that_every_session_starts_with_can_be_taken_back(place: Place, setting: str, value: str) -> None:
    """The undo's own session would start with it too."""
    before = postgres.search_path(place)
    planted = f"ALTER DATABASE shop SET {setting} = {value}; ALTER TABLE t RENAME COLUMN a TO b"
    postgres.make(place, planted, "m1")
    # Names are looked up as they were, and backslashes are plain text.
    undo = f"ALTER DATABASE shop RESET {setting}; ALTER TABLE t RENAME COLUMN b TO a; SELECT 1 / length('\\')"
    postgres.unmake(place, undo, "m1", before)
    assert columns(place) == {"a"}
    assert ask(place, "SELECT count(*) FROM pg_db_role_setting") == [(0,)]


def test_a_role_that_sessions_take_on_can_be_taken_back(place: Place, server: PostgresServer) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody; CREATE ROLE nobody; GRANT nobody TO owner")
    postgres.make(place, "ALTER DATABASE shop SET role = nobody", "m1")
    postgres.unmake(place, "ALTER DATABASE shop RESET role", "m1")
    assert ask(place, "SELECT count(*) FROM pg_db_role_setting") == [(0,)]


@pytest.mark.parametrize(
    ("change", "undo", "part"),
    [
        ("ALTER TABLE t ADD COLUMN c int", "ALTER TABLE t DROP COLUMN c", "table public.t"),
        ("ALTER TABLE t DROP COLUMN a", "ALTER TABLE t ADD COLUMN a int", "table public.t"),
        ("ALTER TABLE t ALTER a SET DEFAULT 5", "ALTER TABLE t ALTER a DROP DEFAULT", "table public.t"),
        ("ALTER TABLE t SET (fillfactor = 10)", "ALTER TABLE t RESET (fillfactor)", "table public.t"),
        ("CREATE INDEX i ON t (a)", "DROP INDEX i", "index public.i"),
        ("ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)", "ALTER TABLE t DROP CONSTRAINT k", "constraint public.k on t"),
        ("CREATE SEQUENCE s", "DROP SEQUENCE s", "table public.s"),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION f",
            "function public.f()",
        ),
        ("REVOKE ALL ON t FROM owner", "GRANT ALL ON t TO owner", "rights on public.t"),
        ("REVOKE CONNECT ON DATABASE shop FROM PUBLIC", "GRANT CONNECT ON DATABASE shop TO PUBLIC", "rights on itself"),
        ("ALTER DATABASE shop CONNECTION LIMIT 5", "ALTER DATABASE shop CONNECTION LIMIT -1", "limits"),
        ("ALTER DATABASE shop SET work_mem = '64kB'", "ALTER DATABASE shop RESET work_mem", "settings"),
        ("ALTER ROLE owner SET work_mem = '64kB'", "ALTER ROLE owner RESET work_mem", "settings"),
    ],
)
def test_what_a_statement_leaves_behind_shows(place: Place, change: str, undo: str, part: str) -> None:
    before = shape(place)
    ask(place, change)
    after = shape(place)
    assert part in {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    ask(place, undo)
    assert shape(place) == before


def test_rows_are_no_part_of_it(place: Place) -> None:
    before = shape(place)
    ask(place, "INSERT INTO t VALUES (1); ANALYZE t")
    assert shape(place) == before
