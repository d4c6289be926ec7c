"""Put synthetic jobs on the queue, and note in the database that they were asked for."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import psycopg

from statements.jobs import Job
from statements.queue import BATCH, Queue

_NOTE = "INSERT INTO jobs_asked (id, account, period) VALUES (%s, %s, %s)"


class AskError(Exception):
    """Not all jobs were asked for; `str()` says how many were."""


def ask(database: str, queue: Queue, number: int, prefix: str, today: date) -> str:
    """Ask for `number` statements of the month of `today`, each of an account of its own; returns what the accounts
    start with.

    Accounts are new each time, so a job is never taken for one that was asked for before. A job is noted only once the
    queue took it: what `check` calls asked was really there to be done. Raises AskError, QueueError or psycopg.Error.
    """
    accounts = f"{prefix}{uuid4().hex[:8]}-"
    period = f"{today:%Y-%m}"
    noted = 0
    with psycopg.connect(database, autocommit=True, connect_timeout=10) as connection:
        while noted < number:
            size = min(BATCH, number - noted)
            jobs = [Job(uuid4(), f"{accounts}{noted + place + 1:05}", period, synthetic=True) for place in range(size)]
            taken = queue.send(jobs)
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(_NOTE, [(job.id, job.account, job.period) for job in taken])
            noted += len(taken)
            if len(taken) < size:
                raise AskError(f"the queue took {noted} of {number} jobs, and refused {size - len(taken)} of a batch")
    return accounts
