"""PgBouncer's files."""

from __future__ import annotations

from pathlib import Path

from shiftproof.lab.pooler import configuration, user_list
from shiftproof.lab.postgres import Database

PAYMENTS = Database("payments", "payments", 'a"b')


def test_every_database_is_reached_under_its_own_name_in_transaction_mode() -> None:
    lines = configuration([PAYMENTS, Database("ledger", "owner", "x")], Path("/run/p")).splitlines()
    assert "payments = host=198.18.0.41 port=5432 dbname=payments" in lines
    assert "ledger = host=198.18.0.41 port=5432 dbname=ledger" in lines
    assert "pool_mode = transaction" in lines
    assert "auth_file = /run/p/users" in lines


def test_a_role_is_written_once_and_quoted() -> None:
    assert user_list([PAYMENTS, Database("ledger", "payments", 'a"b')]) == '"payments" "a""b"\n'
