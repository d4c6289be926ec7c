"""One PostgreSQL and one SQS for all tests of the worker, a fresh database and queue for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
from servers.postgres import PostgresServer, postgres_server
from servers.sqs import SqsServer, sqs_server
from servers.statements import Estate, Start, Worker, run, worker

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def sqs() -> Iterator[SqsServer]:
    with sqs_server() as server:
        yield server


@pytest.fixture
def estate(postgres: PostgresServer, sqs: SqsServer) -> Estate:
    """A migrated database and an empty queue."""
    name = f"statements_{next(_numbers)}"
    made = Estate(postgres.create_database(name), sqs.create(name))
    migrated = run("migrate", env={"DATABASE_URL": made.database})
    assert (migrated.returncode, migrated.stdout) == (0, "schema 0 -> 1\n"), migrated.stderr
    return made


@pytest.fixture
def start(estate: Estate) -> Iterator[Start]:
    """Start a worker on this test's database and queue, with settings by name."""
    with ExitStack() as stack:

        def started(**settings: str) -> Worker:
            running: AbstractContextManager[Worker] = worker(estate, **settings)
            return stack.enter_context(running)

        yield started
