"""What `check` says became of the jobs, and what the purge takes away: counted rightly, or refused."""

from __future__ import annotations

import json
import subprocess
from uuid import uuid4

import psycopg
import pytest
from servers import apps
from servers.statements import Estate, Start

from shiftproof.lab.waiting import until

pytestmark = pytest.mark.component

CUSTOMER = {"account": "customer-7", "id": str(uuid4()), "period": "2026-11", "synthetic": False}


def execute(estate: Estate, statement: str) -> None:
    with psycopg.connect(estate.database) as connection:
        connection.execute(statement.encode())


def produce(start: Start, estate: Estate) -> None:
    """All that is on the queue, by a worker that is gone afterwards."""
    worker = start()
    until(lambda: None if estate.queue.depth() == (0, 0) else "not done", 60)
    worker.terminate()
    assert worker.exit_code() == 0


def test_a_job_that_vanished_is_lost(start: Start, estate: Estate) -> None:
    """As when somebody acknowledges it before the work is done, and dies."""
    estate.ask(5)
    taken = estate.queue.take(hidden_s=0)[:2]
    for message in taken:
        estate.queue.delete(message)
    assert estate.check() == {"asked": 5, "produced": 0, "twice": 0, "lost": 2}
    produce(start, estate)
    assert estate.check() == {"asked": 5, "produced": 3, "twice": 0, "lost": 2}


def test_a_job_in_somebodys_hand_is_not_lost(estate: Estate) -> None:
    estate.ask(3)
    assert len(estate.queue.take()) == 3
    assert estate.check() == {"asked": 3, "produced": 0, "twice": 0, "lost": 0}


def test_a_statement_sent_more_than_once_is_counted_once(start: Start, estate: Estate) -> None:
    estate.ask(4)
    produce(start, estate)
    again = "INSERT INTO archive (account, period, synthetic) SELECT account, period, synthetic FROM archive"
    execute(estate, f"{again} ORDER BY account LIMIT 2")
    assert estate.check() == {"asked": 4, "produced": 4, "twice": 2, "lost": 0}
    execute(estate, f"{again} ORDER BY account LIMIT 1")
    assert estate.check()["twice"] == 2, "statements, not sendings"


def test_only_jobs_of_the_prefix_are_counted(start: Start, estate: Estate) -> None:
    assert estate.run("ask", "2", "other-").returncode == 0
    estate.ask(3)
    estate.queue.send(json.dumps(CUSTOMER))
    produce(start, estate)
    assert estate.check() == {"asked": 3, "produced": 3, "twice": 0, "lost": 0}
    assert estate.check("other-") == {"asked": 2, "produced": 2, "twice": 0, "lost": 0}
    assert estate.check("absent-") == {"asked": 0, "produced": 0, "twice": 0, "lost": 0}


def test_asking_again_asks_for_others(estate: Estate) -> None:
    estate.ask(12)
    estate.ask(12)
    assert estate.check()["asked"] == 24
    assert estate.queue.depth() == (24, 0)
    assert estate.rows("SELECT count(DISTINCT account) FROM jobs_asked WHERE starts_with(account, 'test-')") == [(24,)]


def test_a_database_without_a_schema_is_one_line(estate: Estate) -> None:
    execute(estate, "DROP TABLE jobs_asked")
    for command in (["ask", "1"], ["check"], ["purge-synthetic"]):
        done = estate.run(*command)
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1


class TestPurge:
    def test_it_removes_ours_and_nothing_else(self, start: Start, estate: Estate) -> None:
        estate.ask(3)
        estate.queue.send(json.dumps(CUSTOMER))
        produce(start, estate)
        done = estate.run("purge-synthetic", "test-")
        assert (done.returncode, done.stderr) == (0, "")
        assert (
            done.stdout
            == "removed 3 statements, 3 sendings, 3 jobs asked and 0 messages; 1 statements left\n"
        )  # fmt: skip
        assert estate.rows("SELECT account FROM statements UNION ALL SELECT account FROM archive") == [
            ("customer-7",),
            ("customer-7",),
        ]
        assert estate.check() == {"asked": 0, "produced": 0, "twice": 0, "lost": 0}
        assert estate.run("purge-synthetic").stdout.startswith("removed 0 statements")

    def test_jobs_that_still_wait_go_and_customers_jobs_stay(self, estate: Estate) -> None:
        estate.ask(23)
        for number in range(3):
            estate.queue.send(json.dumps(CUSTOMER | {"account": f"customer-{number}"}))
        estate.queue.send("not a job")
        done = estate.run("purge-synthetic")
        assert done.stdout.startswith("removed 0 statements, 0 sendings, 23 jobs asked and 23 messages"), done.stderr
        assert estate.queue.depth() == (4, 0), "given back at once"
        assert not any('"synthetic": true' in message["Body"] for message in estate.queue.take())

    @pytest.mark.parametrize("table", ["statements", "archive", "jobs_asked"])
    def test_it_refuses_when_ours_touched_a_customers_account(self, table: str, start: Start, estate: Estate) -> None:
        estate.ask(2)
        produce(start, estate)
        estate.ask(1)
        execute(estate, f"UPDATE {table} SET account = 'customer-8' WHERE account = (SELECT min(account) FROM {table})")
        done = estate.run("purge-synthetic")
        assert done.returncode == 1
        assert f"1 synthetic rows of {table} are on accounts that do not start with 'test-'" in done.stderr
        assert (estate.count("statements"), estate.count("archive"), estate.count("jobs_asked")) == (2, 2, 3)
        assert estate.queue.depth() == (1, 0)

    def test_it_refuses_a_stranger_on_the_queue(self, estate: Estate) -> None:
        estate.queue.send(json.dumps(CUSTOMER | {"synthetic": True}))
        done = estate.run("purge-synthetic")
        assert done.returncode == 1
        assert "a synthetic job on the queue is for account 'customer-7'" in done.stderr
        assert estate.queue.depth() == (1, 0)

    def test_it_refuses_an_empty_prefix(self, estate: Estate) -> None:
        estate.ask(1)
        done = estate.run("purge-synthetic", "")
        assert (done.returncode, "an empty prefix" in done.stderr) == (1, True)
        assert (estate.count("jobs_asked"), estate.queue.depth()) == (1, (1, 0))

    def test_it_refuses_while_a_job_is_in_somebodys_hand(self, estate: Estate) -> None:
        """That one would leave its statement behind after the purge."""
        estate.ask(2)
        assert len(estate.queue.take()) == 2
        done = self._purge_within(estate, 1)
        assert "after 1 s 2 jobs are in a worker's hand and 0 wait" in done.stderr
        assert estate.count("jobs_asked") == 2

    def test_it_waits_for_a_job_in_hand_to_end(self, start: Start, estate: Estate) -> None:
        estate.ask(1)
        worker = start(WORK_MS="2000")
        worker.wait_in_hand()
        done = self._purge_within(estate, 30)
        assert done.stdout == "Purged(messages=0, statements=1, sendings=1, jobs_asked=1, statements_left=0)\n"
        assert estate.queue.depth() == (0, 0)

    @staticmethod
    def _purge_within(estate: Estate, seconds: float) -> subprocess.CompletedProcess[str]:
        code = (
            "import os\nfrom statements import purge, queue, settings\n"
            "own = queue.Queue(settings.read_queue(os.environ))\nown.find()\n"
            f"print(purge.purge_synthetic(os.environ['DATABASE_URL'], own, 'test-', {seconds}))"
        )
        words = [apps.command("statements")[0], "-c", code]
        env = apps.environment("statements", estate.env)
        return subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=120)
