"""What is kept in PostgreSQL: payments and their ledger, always together or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg_pool import AsyncConnectionPool

#: The other end of every payment. Its balance is what we owe the partner, and the whole ledger sums to zero.
CLEARING = "clearing:partner"

ACCEPTED = "accepted"

_COLUMNS = "id, account, amount_minor, currency, status, created_at"

# One statement is one transaction and one round trip: the payment and its two ledger rows appear together or not at
# all, and of several requests with one key, exactly one inserts; the others wait for it and then insert nothing.
_CREATE = f"""
WITH made AS (
    INSERT INTO payments (id, idempotency_key, account, amount_minor, currency, status, synthetic)
    VALUES (%(id)s, %(key)s, %(account)s, %(minor)s, %(currency)s, '{ACCEPTED}', %(synthetic)s)
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING {_COLUMNS}
), entries AS (
    INSERT INTO ledger (payment_id, account, amount_minor, currency)
    SELECT made.id, entry.account, entry.sign * made.amount_minor, made.currency
    FROM made CROSS JOIN (VALUES (%(account)s::text, -1), ('{CLEARING}', 1)) AS entry (account, sign)
)
SELECT {_COLUMNS} FROM made
"""
_BY_KEY = f"SELECT {_COLUMNS} FROM payments WHERE idempotency_key = %s"
_BY_ID = f"SELECT {_COLUMNS} FROM payments WHERE id = %s"
_BY_ACCOUNT = f"SELECT {_COLUMNS} FROM payments WHERE account = %s ORDER BY created_at DESC, id LIMIT %s"


class KeyReused(Exception):
    """This idempotency key belongs to a payment with another body."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment as stored; the fields are in the order of `_COLUMNS`."""

    id: UUID
    account: str
    amount_minor: int
    currency: str
    status: str
    created_at: datetime


class Store:
    """Payments over a pool of connections in autocommit mode."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool

    async def create(
        self, key: str, account: str, amount_minor: int, currency: str, *, synthetic: bool
    ) -> tuple[Payment, bool]:
        """The payment of this key, and True when it was made just now. Raises KeyReused when the key's body differs."""
        values = {
            "id": uuid4(),
            "key": key,
            "account": account,
            "minor": amount_minor,
            "currency": currency,
            "synthetic": synthetic,
        }
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_CREATE, values)).fetchone()
            if row is not None:
                return Payment(*row), True
            row = await (await connection.execute(_BY_KEY, (key,))).fetchone()
        if row is None:  # purged between the two statements; nothing was charged, and a retry will do
            raise LookupError(f"payment of key {key!r} vanished")
        payment = Payment(*row)
        if (payment.account, payment.amount_minor, payment.currency) != (account, amount_minor, currency):
            raise KeyReused(key)
        return payment, False

    async def get(self, payment_id: UUID) -> Payment | None:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_BY_ID, (payment_id,))).fetchone()
        return Payment(*row) if row is not None else None

    async def of_account(self, account: str, limit: int) -> list[Payment]:
        """Newest first."""
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_BY_ACCOUNT, (account, limit))).fetchall()
        return [Payment(*row) for row in rows]
