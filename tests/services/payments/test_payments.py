"""What customers rely on: one payment a key, a ledger that sums to zero, and an answer or a clear refusal."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from servers.payments import Service, Start, run, service
from servers.postgres import postgres_server

from shiftproof.lab.waiting import until

pytestmark = pytest.mark.component


def rows(database: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(query.encode()).fetchall()


def ledger_sum(database: str) -> object:
    return rows(database, "SELECT coalesce(sum(amount_minor), 0) FROM ledger")[0][0]


def test_create_read_and_list(start: Start) -> None:
    payments = start(SERVED_BY="vm-1")
    made = payments.pay("key-1", amount="12.3")
    assert made.status_code == 201
    assert made.headers["x-served-by"] == "vm-1"
    payment = made.json()
    assert (payment["account"], payment["amount"], payment["currency"]) == ("test-1", "12.30", "EUR")
    assert payment["status"] == "accepted"
    assert payments.client.get(f"/payments/{payment['id']}").json() == payment
    newest = payments.pay("key-2").json()
    payments.pay("key-3", account="test-2")
    assert payments.client.get("/accounts/test-1/payments").json() == {
        "account": "test-1",
        "payments": [newest, payment],
    }
    assert len(payments.client.get("/accounts/test-1/payments?limit=1").json()["payments"]) == 1


def test_the_same_key_is_one_payment(start: Start, database: str) -> None:
    payments = start()
    first = payments.pay("key-1")
    again = payments.pay("key-1")
    other = payments.pay("key-1", amount="12.35")
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.json() == first.json()
    assert "idempotent-replayed" in again.headers
    assert "idempotent-replayed" not in first.headers
    assert rows(database, "SELECT count(*) FROM payments") == [(1,)]


def test_the_same_key_at_the_same_time_is_one_payment(start: Start, database: str) -> None:
    """Over two processes, as legacy and cluster share one database."""
    sides = [start(PARTNER_DELAY_MS="20"), start(PARTNER_DELAY_MS="20")]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: sides[number % 2].pay("one-key"), range(16)))
    assert Counter(answer.status_code for answer in answers) == {201: 16}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert rows(database, "SELECT count(*), sum(abs(amount_minor)) FROM ledger") == [(2, 2468)]


def test_each_payment_has_two_ledger_rows_that_cancel(start: Start, database: str) -> None:
    payments = start()
    with ThreadPoolExecutor(8) as pool:
        amounts = [f"{number}.{number:02}" for number in range(1, 41)]
        list(pool.map(lambda amount: payments.pay(f"key-{amount}", amount=amount), amounts))
    sums = rows(database, "SELECT count(*), sum(amount_minor) FROM ledger GROUP BY payment_id")
    assert Counter(sums) == {(2, 0): 40}
    assert rows(database, "SELECT sum(amount_minor) FROM ledger WHERE account = 'test-1'") == [
        (-sum(int(amount.replace(".", "")) for amount in amounts),)
    ]


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        (None, {"account": "a", "amount": "1", "currency": "EUR"}, 400),
        ("k" * 201, {"account": "a", "amount": "1", "currency": "EUR"}, 400),
        ("k", {"account": "a", "amount": 1.5, "currency": "EUR"}, 422),
        ("k", {"account": "a", "amount": True, "currency": "EUR"}, 422),
        ("k", {"account": "a", "amount": "1.234", "currency": "EUR"}, 422),
        ("k", {"account": "a", "amount": "1", "currency": "eur"}, 422),
        ("k", {"account": "", "amount": "1", "currency": "EUR"}, 422),
        ("k", {"account": "a'; --", "amount": "1", "currency": "EUR"}, 422),
        ("k", {"account": "a", "amount": "1", "currency": "EUR", "status": "accepted"}, 422),
        ("k", {"account": "a", "amount": "1"}, 422),
        ("k", [], 422),
    ],
)
def test_what_is_no_payment_is_refused_and_leaves_nothing(
    shared: Service, shared_database: str, key: str | None, body: object, status: int
) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = shared.client.post("/payments", json=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert rows(shared_database, "SELECT count(*) FROM payments") == [(0,)]


def test_what_is_not_there_is_404(shared: Service) -> None:
    assert shared.client.get("/payments/00000000-0000-0000-0000-000000000000").status_code == 404
    assert shared.client.get("/payments/not-an-id").status_code == 422
    assert shared.client.get("/accounts/nobody/payments").json() == {"account": "nobody", "payments": []}
    assert shared.client.get("/accounts/nobody/payments?limit=0").status_code == 422


def test_beyond_the_bound_requests_wait_and_beyond_the_queue_they_are_refused(start: Start) -> None:
    payments = start(MAX_IN_FLIGHT="2", QUEUE_LIMIT="2", QUEUE_WAIT_MS="5000", PARTNER_DELAY_MS="700")
    with ThreadPoolExecutor(10) as pool:
        under_way = [pool.submit(payments.pay, f"key-{number}") for number in range(10)]
        asked_s = time.monotonic()
        assert httpx.get(f"{payments.url}/ready", trust_env=False).status_code == 200
        assert time.monotonic() - asked_s < 0.5, "a full service must still answer its probes"
        answers = [future.result() for future in under_way]
    assert Counter(answer.status_code for answer in answers) == {201: 4, 503: 6}
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 503} == {"1"}


def test_a_place_that_does_not_come_free_in_time_is_a_503(start: Start, database: str) -> None:
    payments = start(MAX_IN_FLIGHT="1", QUEUE_WAIT_MS="100", PARTNER_DELAY_MS="1000")
    with ThreadPoolExecutor(3) as pool:
        started_s = time.monotonic()
        took: list[tuple[int, float]] = list(
            pool.map(lambda n: (payments.pay(f"k-{n}").status_code, time.monotonic() - started_s), range(3))
        )
    assert Counter(status for status, _ in took) == {201: 1, 503: 2}
    assert all(0.1 <= seconds < 0.9 for status, seconds in took if status == 503)
    assert payments.pay("k-again").status_code == 201, "the place must have come free again"
    assert rows(database, "SELECT count(*) FROM payments") == [(2,)]


def test_clients_that_go_away_while_they_wait_leave_no_place_taken(start: Start) -> None:
    payments = start(MAX_IN_FLIGHT="1", QUEUE_WAIT_MS="2000", PARTNER_DELAY_MS="300")
    body = {"account": "a", "amount": "1", "currency": "EUR"}
    with ThreadPoolExecutor(6) as pool:

        def impatient(number: int) -> None:
            with pytest.raises(httpx.TimeoutException):
                httpx.post(
                    f"{payments.url}/payments", json=body, headers={"Idempotency-Key": f"i-{number}"},
                    timeout=0.1, trust_env=False,
                )  # fmt: skip

        list(pool.map(impatient, range(6)))
    assert payments.pay("patient").status_code == 201
    assert "payments_in_flight 0.0" in payments.client.get("/metrics").text


def test_metrics_count_what_was_answered(start: Start) -> None:
    payments = start()
    for number in range(3):
        payments.pay(f"key-{number}")
    payments.pay("key-0", amount="9.99")
    payments.client.get("/nowhere/at/all")
    text = payments.client.get("/metrics").text
    assert 'payments_requests_total{method="POST",route="/payments",status="201"} 3.0' in text
    assert 'payments_requests_total{method="POST",route="/payments",status="422"} 1.0' in text
    assert 'payments_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'payments_request_seconds_count{method="POST",route="/payments"} 4.0' in text
    assert "payments_in_flight 0.0" in text


def test_without_its_database_it_stays_ready_says_503_and_recovers() -> None:
    """Readiness that follows the database takes every pod out of the load balancer at once."""
    with postgres_server() as server, service(server.create_database("payments")) as payments:
        first = payments.pay("before").json()
        server.stop()
        refused = payments.pay("during")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert payments.client.get("/ready").status_code == 200
        server.start()
        until(lambda: None if payments.pay("after").status_code == 201 else "still 503", 60)
        assert payments.client.get(f"/payments/{first['id']}").json() == first


def test_purge_removes_synthetic_payments_and_nothing_else(start: Start, database: str) -> None:
    payments = start()
    real = payments.pay("real", account="customer-7").json()
    for number in range(5):
        payments.pay(f"ours-{number}", **{"x-shiftproof-synthetic": "1"})
    done = run("purge-synthetic", "test-", env={"DATABASE_URL": database})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "removed 5 payments and 10 ledger rows; 1 payments left\n"
    assert payments.client.get(f"/payments/{real['id']}").json() == real
    assert rows(database, "SELECT account, amount_minor FROM ledger ORDER BY amount_minor") == [
        ("customer-7", -1234),
        ("clearing:partner", 1234),
    ]
    assert run("purge-synthetic", env={"DATABASE_URL": database}).stdout.startswith("removed 0 payments")


def test_purge_refuses_when_ours_touched_a_customers_account(start: Start, database: str) -> None:
    payments = start()
    payments.pay("ours", **{"x-shiftproof-synthetic": "1"})
    payments.pay("astray", account="customer-7", **{"x-shiftproof-synthetic": "1"})
    done = run("purge-synthetic", env={"DATABASE_URL": database})
    assert done.returncode == 1
    assert "1 synthetic payments are on accounts that do not start with 'test-'" in done.stderr
    assert rows(database, "SELECT count(*) FROM payments") == [(2,)]
    assert ledger_sum(database) == 0
