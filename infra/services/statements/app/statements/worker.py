"""The loop: take a job, do it, acknowledge it. No job is lost by leaving, by dying, or by a database that is away."""

from __future__ import annotations

import logging
import time

import psycopg

from statements import jobs
from statements.jobs import BadJob, Job
from statements.leaving import Leaving
from statements.metrics import Metrics, Outcome, Pulse
from statements.queue import Lease, LeaseLost, Message, Queue, QueueError
from statements.rendering import render
from statements.settings import Settings
from statements.store import Store

log = logging.getLogger("statements")

_AFTER_FAILURE_S = 1.0  # before the next look at a queue that did not answer


class OutOfTime(Exception):
    """Told to leave, and the job in hand cannot be finished in the time that is left."""


class Worker:
    """One loop over one queue. `run` is for a thread of its own; everything but the store may be shared."""

    def __init__(self, settings: Settings, queue: Queue, leaving: Leaving, metrics: Metrics, pulse: Pulse) -> None:
        self._settings = settings
        self._queue = queue
        self._leaving = leaving
        self._metrics = metrics
        self._pulse = pulse
        self._store = Store(settings.database, settings.worker_name)

    def run(self) -> None:
        """Until told to leave; returns once nothing is in hand."""
        while not self._leaving.told:
            self._pulse.beat()
            try:
                messages = self._queue.take()
            except QueueError as error:
                log.warning("%s", error)
                self._metrics.queue_failures.inc()
                self._leaving.pause(_AFTER_FAILURE_S)
                continue
            for message in messages:
                self._handle(message)
        self._store.close()

    def _handle(self, message: Message) -> None:
        started_s = time.monotonic()
        lease = self._queue.lease(message)
        if self._leaving.told:  # it came while we waited for one: the next worker has more time for it
            self._metrics.ended(self._give_back(lease, 0, "given_back"), 0.0)
            return
        with self._metrics.in_hand.track_inprogress():
            try:
                outcome = self._do(jobs.read(message.body), lease)
            except BadJob as error:
                # Not deleted: it comes back, until the queue's own redrive policy puts it aside for a person to look
                # at.
                log.warning("a message is no job: %s", error)
                outcome = "refused"
        self._metrics.ended(outcome, time.monotonic() - started_s)

    def _do(self, job: Job, lease: Lease) -> Outcome:
        """Acknowledged only once it is stored. Whatever goes wrong before, the job is on the queue still."""
        try:
            render(self._settings.work_ms, lambda: self._between(lease))
            new = self._store.produce(job)
            lease.acknowledge()
        except OutOfTime:
            log.info("leaving: job %s goes back to the queue", job.id)
            return self._give_back(lease, 0, "given_back")
        except LeaseLost as error:
            log.warning("job %s is somebody else's now: %s", job.id, error)
            return "lost_lease"
        except (QueueError, psycopg.Error) as error:
            log.warning("job %s: %s", job.id, str(error).strip().partition("\n")[0])
            return self._give_back(lease, self._settings.retry_s, "failed")
        return "produced" if new else "repeated"

    def _between(self, lease: Lease) -> None:
        self._pulse.beat()
        if self._leaving.out_of_time:
            raise OutOfTime
        lease.keep()

    def _give_back(self, lease: Lease, after_s: int, outcome: Outcome) -> Outcome:
        try:
            lease.give_back(after_s)
        except QueueError as error:
            log.warning("it comes back by itself: %s", error)
        return outcome
