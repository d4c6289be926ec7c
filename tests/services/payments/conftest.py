"""One PostgreSQL for all tests of the service, a fresh database for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
from servers.payments import Service, Start, service
from servers.postgres import PostgresServer, postgres_server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """URL of an empty database."""
    return postgres.create_database(f"payments_{next(_numbers)}")


@pytest.fixture
def start(database: str) -> Iterator[Start]:
    """Start the service on this test's database, with settings by name."""
    with ExitStack() as stack:

        def started(**settings: str) -> Service:
            running: AbstractContextManager[Service] = service(database, **settings)
            return stack.enter_context(running)

        yield started


@pytest.fixture(scope="module")
def shared_database(postgres: PostgresServer) -> str:
    """URL of a database that several tests use and none writes to."""
    return postgres.create_database(f"payments_{next(_numbers)}")


@pytest.fixture(scope="module")
def shared(shared_database: str) -> Iterator[Service]:
    """One service for the tests that leave nothing behind."""
    with service(shared_database) as running:
        yield running
