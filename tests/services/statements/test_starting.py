"""Starting: a wrong setting, a queue or a database that is not there are one clear line each, and no half start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes.ports import free_port
from servers.postgres import PostgresServer
from servers.sqs import SqsServer
from servers.statements import Estate, Start, run

pytestmark = pytest.mark.component

WHERE = {"DATABASE_URL": "postgresql://x", "QUEUE_NAME": "q", "AWS_REGION": "eu-west-1"}


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "setting missing: PGHOST, PGDATABASE, PGUSER (or give DATABASE_URL)"),
        ({"DATABASE_URL": "postgresql://x"}, "setting missing: QUEUE_NAME, AWS_REGION"),
        ({"DATABASE_URL": "postgresql://x", "QUEUE_NAME": "q"}, "setting missing: AWS_REGION"),
        (WHERE | {"CONCURRENCY": "many"}, "setting wrong: CONCURRENCY='many' is not a whole number"),
        (WHERE | {"CONCURRENCY": "0"}, "setting wrong: CONCURRENCY='0' must be from 1 to 100"),
        (WHERE | {"WORK_MS": "nan"}, "setting wrong: WORK_MS='nan' must be from 0.0"),
        (WHERE | {"VISIBILITY_S": "2"}, "setting wrong: VISIBILITY_S='2' must be from 3 to 43200"),
        (WHERE | {"VISIBILITY_S": "7.5"}, "setting wrong: VISIBILITY_S='7.5' is not a whole number"),
        (WHERE | {"WAIT_S": "21"}, "setting wrong: WAIT_S='21' must be from 0 to 20"),
    ],
)
def test_a_missing_or_wrong_setting_is_one_line(env: dict[str, str], said: str) -> None:
    done = run("work", env=env)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [[], ["serve"], ["ask"], ["ask", "0"], ["ask", "-1"], ["ask", "many"], ["ask", "1", "a", "b"]]
)
def test_what_is_not_understood_is_answered_with_the_usage(arguments: list[str]) -> None:
    done = run(*arguments, env={})
    assert (done.returncode, done.stdout) == (2, "")
    assert "python3 -m statements work | migrate | ask NUMBER [PREFIX]" in done.stderr


@pytest.mark.parametrize("command", [["work"], ["ask", "1"], ["check"], ["purge-synthetic"]])
def test_a_queue_that_does_not_exist_is_one_line(command: list[str], estate: Estate) -> None:
    done = run(*command, env=estate.env | {"QUEUE_NAME": "absent", "START_WITHIN_S": "0.5"})
    assert done.returncode == 1
    assert "queue absent: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_aws_that_does_not_answer_is_one_line(estate: Estate) -> None:
    nowhere = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}", "START_WITHIN_S": "0.5"}
    done = run("work", env=estate.env | nowhere)
    assert done.returncode == 1
    assert "the queue did not answer within 0.5 s" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_database_is_one_line(estate: Estate) -> None:
    nowhere = {"DATABASE_URL": f"postgresql://x@127.0.0.1:{free_port()}/x", "START_WITHIN_S": "0.5"}
    done = run("work", env=estate.env | nowhere)
    assert done.returncode == 1
    assert "the database did not answer within 0.5 s" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_database_that_was_not_migrated_is_one_line(postgres: PostgresServer, sqs: SqsServer) -> None:
    queue = sqs.create("of-an-empty-database")
    env = {"DATABASE_URL": postgres.create_database("statements_empty"), **queue.env}
    done = run("work", env=env)
    assert (done.returncode, "run python3 -m statements migrate" in done.stderr) == (1, True)


def test_migrating_at_the_same_time_happens_once(postgres: PostgresServer) -> None:
    env = {"DATABASE_URL": postgres.create_database("statements_four_at_once")}
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: run("migrate", env=env), range(4)))
    assert [one.returncode for one in done] == [0] * 4
    assert sorted(one.stdout for one in done) == ["schema 0 -> 1\n"] + ["schema 1: nothing to do\n"] * 3


def test_a_port_that_is_taken_is_one_line(start: Start, estate: Estate) -> None:
    other = start()
    done = run("work", env=estate.env | {"BIND": "127.0.0.1", "PORT": str(other.port)})
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{other.port}" in done.stderr


def test_the_probes_and_metrics_of_a_worker_without_work(start: Start) -> None:
    worker = start(CONCURRENCY="2")
    assert (worker.get("/live").json(), worker.get("/ready").json()) == ({"live": True}, {"ready": True})
    assert worker.get("/else").status_code == 404
    assert worker.metric('statements_jobs_total{outcome="produced"}') == 0
    assert worker.metric("statements_in_hand") == 0
