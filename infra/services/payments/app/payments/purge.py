"""Remove what synthetic traffic wrote, and check that nothing else moved."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg


class PurgeError(Exception):
    """Nothing was removed; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Purged:
    """Rows removed, and what is left of everybody else's."""

    payments: int
    ledger_rows: int
    payments_left: int


def purge_synthetic(database: str, accounts_prefix: str) -> Purged:
    """Remove payments marked synthetic, with their ledger rows: in one transaction, undone unless its checks hold.

    Checked: every marked payment is on an account that starts with `accounts_prefix` (a harness that touched a
    customer's account must be noticed, not tidied away), no mark is left, the ledger sums to zero in every
    currency, and the balance of every customer's account is what it was. Raises PurgeError.
    """
    with psycopg.connect(database, connect_timeout=10) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _refuse_strangers(connection, accounts_prefix)
        before = _balances(connection, accounts_prefix)
        ledger_rows = connection.execute(
            "DELETE FROM ledger USING payments WHERE payments.id = ledger.payment_id AND payments.synthetic"
        ).rowcount
        payments = connection.execute("DELETE FROM payments WHERE synthetic").rowcount
        if _balances(connection, accounts_prefix) != before:
            raise PurgeError("the balance of a customer's account would have changed")
        _refuse_imbalance(connection)
        left = _one(connection, "SELECT count(*) FROM payments")
    return Purged(payments, ledger_rows, left)


def _refuse_strangers(connection: psycopg.Connection, prefix: str) -> None:
    query = "SELECT count(*) FROM payments WHERE synthetic AND NOT starts_with(account, %s)"
    strangers = _one(connection, query, prefix)
    if strangers:
        raise PurgeError(f"{strangers} synthetic payments are on accounts that do not start with {prefix!r}")


def _refuse_imbalance(connection: psycopg.Connection) -> None:
    crooked = _one(
        connection,
        "SELECT count(*) FROM (SELECT 1 FROM ledger GROUP BY currency HAVING sum(amount_minor) <> 0) AS wrong",
    )
    if crooked:
        raise PurgeError("the ledger would not sum to zero")


def _balances(connection: psycopg.Connection, prefix: str) -> dict[tuple[str, str], int]:
    """Minor units by (account, currency) of every account that is no test account and not the clearing one."""
    rows = connection.execute(
        "SELECT account, currency, sum(amount_minor) FROM ledger"
        " WHERE NOT starts_with(account, %s) AND NOT starts_with(account, 'clearing:') GROUP BY account, currency",
        (prefix,),
    )
    return {(account, currency): int(total) for account, currency, total in rows}


def _one(connection: psycopg.Connection, query: str, *values: object) -> int:
    row = connection.execute(query, values).fetchone()
    return int(row[0]) if row else 0
