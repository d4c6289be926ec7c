"""What a worker keeps in PostgreSQL: a statement and its sending to the archive, always together or not at all."""

from __future__ import annotations

import psycopg

from statements.jobs import Job

# One statement is one transaction: the account's statement and its sending appear together or not at all. Of two
# workers with the same job (SQS delivers at least once) exactly one inserts; the other waits for it, then inserts
# nothing and sends nothing.
#
# The archive is A STUB in the same database, which is why one transaction can hold both. To send to a real one, write
# the row as an outbox in this transaction, and let the sender pass (account, period) on as the key that the archive
# drops repeats by.
_PRODUCE = """
WITH made AS (
    INSERT INTO statements (account, period, job_id, synthetic, produced_by)
    VALUES (%(account)s, %(period)s, %(id)s, %(synthetic)s, %(worker)s)
    ON CONFLICT (account, period) DO NOTHING
    RETURNING account, period, synthetic
), sent AS (
    INSERT INTO archive (account, period, synthetic) SELECT account, period, synthetic FROM made
)
SELECT count(*) FROM made
"""

# A database that takes its packets and says nothing must not hold a worker that has been told to leave.
_WITHIN_S = 5


class Store:
    """One connection, opened at the first use and again after it broke. For one thread."""

    def __init__(self, database: str, worker: str) -> None:
        self._database = database
        self._worker = worker
        self._connection: psycopg.Connection | None = None

    def produce(self, job: Job) -> bool:
        """Write the statement and send it; True when it was done just now, False when it was done before.

        Raises psycopg.Error; then it was not done, or the answer was lost and the next try will find it done.
        """
        values = {
            "account": job.account,
            "period": job.period,
            "id": job.id,
            "synthetic": job.synthetic,
            "worker": self._worker,
        }
        try:
            row = self._open().execute(_PRODUCE, values).fetchone()
        except psycopg.OperationalError:
            self.close()
            raise
        return row is not None and row[0] == 1

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._database,
                autocommit=True,
                connect_timeout=_WITHIN_S,
                tcp_user_timeout=_WITHIN_S * 1000,
                options=f"-c statement_timeout={_WITHIN_S * 1000}",
            )
        return self._connection
