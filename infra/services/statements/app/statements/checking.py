"""What became of the synthetic jobs: counts, from the database and the queue's own depth."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from statements.queue import Queue

# Statements and sendings are counted by account and period, not by job: what matters is what the customer has.
_COUNTS = """
SELECT
    (SELECT count(*) FROM jobs_asked WHERE starts_with(account, %(prefix)s)),
    (SELECT count(*) FROM jobs_asked JOIN statements USING (account, period) WHERE starts_with(account, %(prefix)s)),
    (SELECT count(*) FROM (
        SELECT 1 FROM archive WHERE synthetic AND starts_with(account, %(prefix)s)
        GROUP BY account, period HAVING count(*) > 1
    ) AS doubled)
"""


@dataclass(frozen=True, slots=True)
class Report:
    """Of jobs on accounts that start with a prefix. The rest, asked - produced - lost, waits or is in a worker's hand.

    asked: the queue took them. produced: their statement is there. twice: statements sent more than once. lost:
    neither produced nor on the queue any more. While others' jobs are on the queue too, fewer may be called lost than
    are: the queue tells only how many messages it has, so `lost` is final once the queue is empty.
    """

    asked: int
    produced: int
    twice: int
    lost: int


def check(database: str, queue: Queue, prefix: str) -> Report:
    """Raises QueueError or psycopg.Error.

    The queue is asked first: a job that ends between the two looks counts as there in one and as produced in the other,
    and is never called lost for that.
    """
    still_there = queue.depth().all
    with psycopg.connect(database, connect_timeout=10) as connection:
        row = connection.execute(_COUNTS, {"prefix": prefix}).fetchone()
    asked, produced, twice = (int(count) for count in row or (0, 0, 0))
    return Report(asked, produced, twice, max(0, asked - produced - still_there))
