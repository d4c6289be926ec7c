"""Starting and leaving: no half start, and nobody is dropped on the way out."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fakes.ports import free_port
from servers.payments import Service, Start, run

from shiftproof.lab.waiting import until

pytestmark = pytest.mark.component

PAYMENT = b'{"account": "test-1", "amount": "1", "currency": "EUR"}'


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "setting missing: PGHOST, PGDATABASE, PGUSER (or give DATABASE_URL)"),
        ({"PGHOST": "x", "PGUSER": "y"}, "setting missing: PGDATABASE (or give DATABASE_URL)"),
        ({"DATABASE_URL": "postgresql://x"}, "setting missing: PARTNER_TOKEN"),
        ({"DATABASE_URL": "x", "PARTNER_TOKEN": "t", "POOL_SIZE": "many"}, "setting wrong: POOL_SIZE='many' is not a"),
        (
            {"DATABASE_URL": "x", "PARTNER_TOKEN": "t", "POOL_SIZE": "0"},
            "setting wrong: POOL_SIZE='0' must be at",
        ),
        ({"DATABASE_URL": "x", "PARTNER_TOKEN": "t", "DRAIN_S": "nan"}, "setting wrong: DRAIN_S='nan' must be"),
    ],
)
def test_a_missing_or_wrong_setting_is_one_line(env: dict[str, str], said: str) -> None:
    done = run("serve", env=env)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_database_is_one_line() -> None:
    env = {"PARTNER_TOKEN": "t", "START_WITHIN_S": "0.5", "DATABASE_URL": f"postgresql://x@127.0.0.1:{free_port()}/x"}
    done = run("serve", env=env)
    assert done.returncode == 1
    assert "the database did not answer within 0.5 s" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_database_that_was_not_migrated_is_one_line(database: str) -> None:
    done = run("serve", env={"PARTNER_TOKEN": "t", "DATABASE_URL": database})
    assert (done.returncode, "run python3 -m payments migrate" in done.stderr) == (1, True)


def test_migrating_at_the_same_time_happens_once(database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: run("migrate", env={"DATABASE_URL": database}), range(4)))
    assert [one.returncode for one in done] == [0] * 4
    assert sorted(one.stdout for one in done) == ["schema 0 -> 1\n"] + ["schema 1: nothing to do\n"] * 3


def test_a_request_in_flight_is_answered_after_sigterm(start: Start) -> None:
    payments = start(PARTNER_DELAY_MS="800", DRAIN_S="0")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(payments.pay, "in-flight")
        until(lambda: None if _in_flight(payments) else "not yet in flight", 60)
        payments.terminate()
        assert answer.result().status_code == 201
        assert answer.result().headers["connection"] == "close"
    assert payments.exit_code(5) == 0


def test_while_draining_it_serves_on_and_asks_to_let_go(start: Start) -> None:
    payments = start(DRAIN_S="1.5")
    with socket.create_connection(("127.0.0.1", payments.port), timeout=60) as kept:
        assert b"connection: close" not in _ask(kept, "before").lower()
        payments.terminate()
        until(lambda: None if _ready_status(payments) == 503 else "still ready", 60)
        assert payments.process.poll() is None
        answer = _ask(kept, "while")
        assert answer.startswith(b"HTTP/1.1 201")
        assert b"connection: close" in answer.lower()
        assert kept.recv(1) == b"", "it closes after that answer"
    assert httpx.post(
        f"{payments.url}/payments", content=PAYMENT, headers=_headers("new connection"), trust_env=False
    ).is_success
    assert payments.exit_code(10) == 0


def test_a_pooled_client_that_is_let_go_of_loses_nothing(start: Start) -> None:
    """Clients that keep connections and stop opening new ones once `/ready` says no, as a load balancer does."""
    payments = start(DRAIN_S="1", PARTNER_DELAY_MS="10")
    seen: list[str] = []
    leaving = threading.Event()

    def client(number: int) -> None:
        with httpx.Client(base_url=payments.url, trust_env=False) as pooled:
            for turn in range(10_000):
                if leaving.is_set():
                    return
                try:
                    answer = pooled.post("/payments", content=PAYMENT, headers=_headers(f"p-{number}-{turn}"))
                except httpx.TransportError as error:
                    seen.append(repr(error))
                    return
                seen.append(str(answer.status_code))

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client, number) for number in range(4)]
        until(lambda: None if len(seen) > 40 else "warming up", 60)
        payments.terminate()
        until(lambda: None if _ready_status(payments) == 503 else "still ready", 60)
        leaving.set()
        for one in clients:
            one.result()
    assert set(seen) == {"201"}
    assert payments.exit_code(10) == 0


def test_a_second_sigterm_does_not_wait_for_the_drain(start: Start) -> None:
    payments = start(DRAIN_S="60")
    payments.terminate()
    until(lambda: None if _ready_status(payments) == 503 else "still ready", 60)
    started_s = time.monotonic()
    payments.terminate()
    assert payments.exit_code(10) == 0
    assert time.monotonic() - started_s < 5


def test_a_request_that_does_not_end_does_not_keep_it_for_ever(start: Start) -> None:
    payments = start(PARTNER_DELAY_MS="60000", GRACE_S="1")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(payments.pay, "endless")
        until(lambda: None if _in_flight(payments) else "not yet in flight", 60)
        payments.terminate()
        assert payments.exit_code(10) == 0
        assert answer.result().status_code == 500, "it was cut short, and says so"


def _in_flight(payments: Service) -> bool:
    return "payments_in_flight 1.0" in httpx.get(f"{payments.url}/metrics", trust_env=False).text


def _ready_status(payments: Service) -> int:
    return httpx.get(f"{payments.url}/ready", trust_env=False).status_code


def _headers(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key.replace(" ", "-"), "Content-Type": "application/json"}


def _ask(connection: socket.socket, key: str) -> bytes:
    """One payment over this very connection; the whole answer."""
    head = "".join(f"{name}: {value}\r\n" for name, value in _headers(key).items())
    request = f"POST /payments HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(PAYMENT)}\r\n\r\n"
    connection.sendall(request.encode() + PAYMENT)
    answer = b""
    while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
        answer += connection.recv(65536)
    return answer
