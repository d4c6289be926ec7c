"""One statement and one sending for each job, however often the job comes and whoever dies on the way."""

from __future__ import annotations

import json
import time
from uuid import uuid4

import pytest
from servers.postgres import postgres_server
from servers.sqs import SqsServer
from servers.statements import Estate, Start, Worker, run, worker

from shiftproof.lab.waiting import until

pytestmark = pytest.mark.component

PRODUCED = 'statements_jobs_total{outcome="produced"}'
REPEATED = 'statements_jobs_total{outcome="repeated"}'


def job(account: str = "test-one", synthetic: bool = True, **others: object) -> str:
    return json.dumps({"account": account, "id": str(uuid4()), "period": "2026-11", "synthetic": synthetic} | others)


def wait_empty(estate: Estate, within_s: float = 60) -> None:
    until(lambda: None if estate.queue.depth() == (0, 0) else f"{estate.queue.depth()} on the queue", within_s)


def test_each_job_is_one_statement_and_one_sending(start: Start, estate: Estate) -> None:
    estate.ask(25)
    assert estate.queue.depth() == (25, 0)
    assert estate.check() == {"asked": 25, "produced": 0, "twice": 0, "lost": 0}
    one = start(WORKER_NAME="pod-a", CONCURRENCY="3")
    wait_empty(estate)
    assert estate.check() == {"asked": 25, "produced": 25, "twice": 0, "lost": 0}
    assert (estate.count("statements"), estate.count("archive")) == (25, 25)
    assert estate.rows("SELECT DISTINCT produced_by, synthetic FROM statements") == [("pod-a", True)]
    assert one.metric(PRODUCED) + one.metric(REPEATED) == one.metric("statements_job_seconds_count")
    assert one.metric(PRODUCED) == 25


def test_a_job_delivered_twice_is_produced_once(start: Start, estate: Estate) -> None:
    """Two workers have it at the same time, as SQS may give it to both: both render, and one writes."""
    body = job()
    estate.queue.send(body)
    estate.queue.send(body)
    workers = [start(WORK_MS="1500"), start(WORK_MS="1500")]
    wait_empty(estate)
    assert (estate.count("statements"), estate.count("archive")) == (1, 1)
    assert sum(one.metric(PRODUCED) for one in workers) == 1
    assert sum(one.metric(REPEATED) for one in workers) == 1


def test_another_job_for_the_same_statement_changes_nothing(start: Start, estate: Estate) -> None:
    estate.queue.send(job("customer-7", synthetic=False))
    start()
    wait_empty(estate)
    before = estate.rows("SELECT job_id, produced_at FROM statements")
    estate.queue.send(job("customer-7", synthetic=False))
    wait_empty(estate)
    assert estate.rows("SELECT job_id, produced_at FROM statements") == before
    assert estate.count("archive") == 1


def test_the_job_of_a_killed_worker_comes_back(start: Start, estate: Estate) -> None:
    estate.ask(1)
    killed = start(WORK_MS="600000", VISIBILITY_S="3")
    killed.wait_in_hand()
    killed.kill()
    assert estate.queue.depth() == (0, 1), "nobody gave it back"
    start()
    wait_empty(estate)
    assert estate.check() == {"asked": 1, "produced": 1, "twice": 0, "lost": 0}


def test_a_job_that_takes_longer_than_its_visibility_stays_with_its_worker(start: Start, estate: Estate) -> None:
    estate.ask(1)
    slow = start(WORK_MS="7000", VISIBILITY_S="3")
    slow.wait_in_hand()
    other = start()
    wait_empty(estate)
    assert (slow.metric(PRODUCED), slow.metric(REPEATED)) == (1, 0)
    assert (other.metric(PRODUCED), other.metric(REPEATED)) == (0, 0)
    assert estate.check() == {"asked": 1, "produced": 1, "twice": 0, "lost": 0}


def test_what_is_no_job_is_left_for_a_person_and_stops_nobody(start: Start, estate: Estate) -> None:
    estate.queue.send("not a job")
    estate.ask(2)
    one = start()
    until(lambda: None if one.metric(PRODUCED) == 2 else "not done", 60)
    assert one.metric('statements_jobs_total{outcome="refused"}') == 1
    assert estate.queue.depth() == (0, 1), "hidden for a while, and not deleted"


def test_without_its_database_a_job_goes_back_and_is_done_later(sqs: SqsServer) -> None:
    with postgres_server() as server:
        estate = Estate(server.create_database("statements"), sqs.create("without-its-database"))
        assert run("migrate", env=estate.env).returncode == 0
        with worker(estate, RETRY_S="1") as one:
            server.stop()
            estate.queue.send(job())
            until(lambda: None if one.metric('statements_jobs_total{outcome="failed"}') >= 1 else "no failure", 60)
            assert (one.get("/live").status_code, one.get("/ready").status_code) == (200, 200)
            server.start()
            wait_empty(estate)
            assert (estate.count("statements"), estate.count("archive")) == (1, 1)


def test_with_the_queue_away_it_says_so_and_goes_on_when_it_is_back(start: Start, estate: Estate) -> None:
    one = start()
    estate.queue.client.delete_queue(QueueUrl=estate.queue.url)
    until(lambda: None if one.metric("statements_queue_failures_total") >= 2 else "not noticed", 60)
    assert one.get("/live").status_code == 200
    estate.queue.client.create_queue(QueueName=estate.queue.name)
    estate.queue.send(job())
    until(lambda: None if one.metric(PRODUCED) == 1 else "not done", 60)


class TestLeaving:
    def test_the_job_in_hand_is_finished(self, start: Start, estate: Estate) -> None:
        estate.ask(2)
        one = start(WORK_MS="2000")
        one.wait_in_hand()
        one.terminate()
        assert one.exit_code(60) == 0
        assert estate.check() == {"asked": 2, "produced": 1, "twice": 0, "lost": 0}
        assert estate.queue.depth() == (1, 0), "no new job was taken"

    def test_a_job_that_takes_too_long_is_given_back_at_once(self, start: Start, estate: Estate) -> None:
        estate.ask(1)
        one = start(WORK_MS="600000", GRACE_S="0.5", VISIBILITY_S="600")
        one.wait_in_hand()
        assert self._leaves_within_s(one) < 60
        assert estate.queue.depth() == (1, 0), "at once, and not after the visibility time"
        assert estate.check() == {"asked": 1, "produced": 0, "twice": 0, "lost": 0}

    def test_a_second_sigterm_takes_the_grace_away(self, start: Start, estate: Estate) -> None:
        estate.ask(1)
        one = start(WORK_MS="600000", GRACE_S="600", VISIBILITY_S="600")
        one.wait_in_hand()
        one.terminate()
        until(lambda: None if one.get("/ready").status_code == 503 else "still ready", 60)
        assert one.process.poll() is None
        assert self._leaves_within_s(one) < 60
        assert estate.queue.depth() == (1, 0)

    def test_no_job_is_lost_when_workers_come_and_go(self, start: Start, estate: Estate) -> None:
        estate.ask(30)
        for grace_s in ("10", "0", "10", "0"):
            one = start(WORK_MS="300", CONCURRENCY="3", GRACE_S=grace_s, VISIBILITY_S="600")
            one.wait_in_hand()
            one.terminate()
            assert one.exit_code(60) == 0
            assert estate.queue.depth()[1] == 0, "nothing stays hidden behind one that left"
        start(CONCURRENCY="5")
        wait_empty(estate)
        assert estate.check() == {"asked": 30, "produced": 30, "twice": 0, "lost": 0}
        assert estate.count("archive") == 30

    def test_a_job_that_comes_while_it_leaves_is_given_back(self, start: Start, estate: Estate) -> None:
        """It is asking the queue when it is told to leave, and gets an answer after that."""
        estate.queue.send(job("test-before"))
        one = start(WAIT_S="20", VISIBILITY_S="600")
        until(lambda: None if one.metric(PRODUCED) == 1 else "not done", 60)
        one.terminate()
        until(lambda: None if one.get("/ready").status_code == 503 else "still ready", 60)
        estate.queue.send(job("test-after"))
        assert one.exit_code(90) == 0
        assert estate.queue.depth() == (1, 0)
        assert estate.rows("SELECT account FROM statements") == [("test-before",)]

    def test_without_a_job_it_leaves_at_once(self, start: Start) -> None:
        assert self._leaves_within_s(start()) < 15

    @staticmethod
    def _leaves_within_s(one: Worker) -> float:
        told_s = time.monotonic()
        one.terminate()
        assert one.exit_code(90) == 0
        return time.monotonic() - told_s
