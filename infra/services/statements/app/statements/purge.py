"""Remove what synthetic jobs left, from the queue first and then from the database, and check that nothing else
moved."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from statements import jobs
from statements.jobs import BadJob
from statements.queue import BATCH, LeaseLost, Message, Queue

_LOOK_EVERY_S = 0.5

#: Tables with a mark, and the one that holds nothing but ours.
_MARKED, _OURS = ("statements", "archive"), "jobs_asked"


class PurgeError(Exception):
    """The database is as it was; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What was removed, and what is left of everybody else's."""

    messages: int
    statements: int
    sendings: int
    jobs_asked: int
    statements_left: int


def purge_synthetic(database: str, queue: Queue, prefix: str, within_s: float) -> Purged:
    """Remove what is marked synthetic. Raises PurgeError, QueueError or psycopg.Error.

    Refused: marked rows or messages on accounts that do not start with `prefix` (a harness that touched a customer's
    account must be noticed, not tidied away), an empty prefix, and a queue on which jobs are in a worker's hand for
    longer than `within_s`: one that ends after the purge would leave its statement behind.
    """
    if not prefix:
        raise PurgeError("an empty prefix would be every account's")
    with psycopg.connect(database, connect_timeout=10) as connection:
        _refuse_strangers(connection, prefix)
    messages = empty_queue(queue, prefix, within_s)
    with psycopg.connect(database, connect_timeout=10) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _refuse_strangers(connection, prefix)
        before = [_one(connection, f"SELECT count(*) FROM {table} WHERE NOT synthetic") for table in _MARKED]
        removed = [connection.execute(f"DELETE FROM {table} WHERE synthetic").rowcount for table in _MARKED]
        asked = connection.execute(f"DELETE FROM {_OURS}").rowcount
        after = [_one(connection, f"SELECT count(*) FROM {table}") for table in _MARKED]
        if after != before:
            raise PurgeError("rows of customers' accounts would have changed")
    return Purged(messages, removed[0], removed[1], asked, after[0])


def empty_queue(queue: Queue, prefix: str, within_s: float) -> int:
    """Delete our messages, and give others' back; returns how many were deleted once none can come back any more.

    Others' jobs are held back for the moment of one pass. Raises PurgeError when after `within_s` there still are
    jobs in somebody's hand, or new ones of ours.
    """
    until_s = time.monotonic() + within_s
    deleted = 0
    while True:
        others: list[Message] = []
        try:
            found = _delete_ours(queue, prefix, others, until_s)
            depth = queue.depth()
        finally:
            _give_back(queue, others)
        deleted += found
        in_hand = depth.in_hand - len(others)
        if found == 0 and depth.waiting == 0 and in_hand <= 0:
            return deleted
        if time.monotonic() >= until_s:
            raise PurgeError(f"after {within_s:g} s {in_hand} jobs are in a worker's hand and {depth.waiting} wait")
        time.sleep(_LOOK_EVERY_S)


def _delete_ours(queue: Queue, prefix: str, others: list[Message], until_s: float) -> int:
    """One pass, until no message is to be had; returns how many were ours, and adds what was not to `others`.

    A look at SQS may miss messages: its depth says so, and another pass gets them. Raises PurgeError for a job that
    is marked synthetic and is on an account that is not ours; it goes back with the others.
    """
    deleted = 0
    while time.monotonic() < until_s and (taken := queue.take(BATCH, wait_s=1)):
        others += taken
        for message in taken:
            if _is_ours(message, prefix):
                queue.delete(message)
                others.remove(message)
                deleted += 1
    return deleted


def _give_back(queue: Queue, messages: list[Message]) -> None:
    for message in messages:
        with suppress(LeaseLost):  # it is back already
            queue.hide(message, 0)


def _is_ours(message: Message, prefix: str) -> bool:
    try:
        job = jobs.read(message.body)
    except BadJob:
        return False
    if job.synthetic and not job.account.startswith(prefix):
        raise PurgeError(
            f"a synthetic job on the queue is for account {job.account!r}, which does not start with {prefix!r}"
        )
    return job.synthetic


def _refuse_strangers(connection: psycopg.Connection, prefix: str) -> None:
    for table in (*_MARKED, _OURS):
        marked = "synthetic AND " if table in _MARKED else ""
        query = f"SELECT count(*) FROM {table} WHERE {marked}NOT starts_with(account, %s)"
        strangers = _one(connection, query, prefix)
        if strangers:
            raise PurgeError(f"{strangers} synthetic rows of {table} are on accounts that do not start with {prefix!r}")


def _one(connection: psycopg.Connection, query: str, *values: object) -> int:
    row = connection.execute(query.encode(), values).fetchone()
    return int(row[0]) if row else 0
