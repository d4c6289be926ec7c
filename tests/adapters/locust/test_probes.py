"""Probes in the load's real child process, against a real server on each side."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fakes.load_target import OPERATIONS, Start, until
from fakes.probe_target import Payment, ProbeTarget

from shiftproof.adapters.locust import RunningLocust
from shiftproof.adapters.locust.probes import ProbeTail
from shiftproof.errors import LoadError
from shiftproof.model.probe import Difference, Kind, ProbeKind, ProbeRecord

pytestmark = pytest.mark.component

KEYED = [{**OPERATIONS[0], "expect_fields": ["id"]}, OPERATIONS[1], {**OPERATIONS[2], "expect_status": [200]}]
Hold = Callable[..., list[ProbeRecord]]


@pytest.fixture
def target() -> ProbeTarget:
    """Takes the place of the plain service."""
    return ProbeTarget()


@pytest.fixture
def hold(target: ProbeTarget, start: Start) -> Hold:
    """Hold conversations until there are so many of a kind; returns those, with the load ended and found whole.

    One that the end cut short may be counted (the harm was seen) without all of its answers: it is in no test here.
    """

    def run(
        enough: int = 12, kind: ProbeKind = ProbeKind.PARITY, *, triples: bool = False, name: str = "pairs", **plan: Any
    ) -> list[ProbeRecord]:
        load = start(name, probes_per_s=10, rate_per_s=5, **{"operations": KEYED, **plan})
        load.triples(triples)
        records: list[ProbeRecord] = []

        def seen() -> bool:
            records.extend(load.new_probes())
            return sum(record.kind is kind for record in records) >= enough

        until(seen, f"{enough} conversations", 60)
        report = load.stop()
        cut_short = load.new_probes()
        assert report.problem is None
        assert report.probes == len(records) + len(cut_short)
        return records

    return run


def good(records: list[ProbeRecord], kind: ProbeKind) -> list[ProbeRecord]:
    return [record for record in records if record.kind is kind and record.void is None]


def differences(records: list[ProbeRecord]) -> Counter[Difference]:
    return Counter(difference for record in records for difference in record.treatment)


def test_two_sides_that_agree_leave_nothing_to_tell(target: ProbeTarget, hold: Hold) -> None:
    records = hold(12, ProbeKind.DUPLICATE)
    parity, duplicates = good(records, ProbeKind.PARITY), good(records, ProbeKind.DUPLICATE)
    assert len(parity) >= 6
    assert len(duplicates) >= 6
    assert {record.operations for record in parity} == {("create", "read", "list")}
    assert min(record.compared for record in parity) > 50
    for record in (*parity, *duplicates):
        assert (record.treatment, record.control) == ((), ()), record
    assert {(record.applied, record.control_applied) for record in duplicates} == {(1, 1)}
    assert len({record.way for record in duplicates}) == 4
    assert "by the weights" not in " ".join(record.way for record in duplicates)
    assert target.of("weighted") == []


def test_probes_are_marked_and_are_in_no_count_of_the_pairs(target: ProbeTarget, start: Start) -> None:
    load = start(probes_per_s=10, rate_per_s=10, operations=KEYED)
    until(lambda: len(load.new_probes()) > 0, "a conversation")
    until(lambda: len(target.arrivals) > 100, "arrivals")
    report = load.stop()
    ours = [arrival for arrival in target.arrivals if arrival.headers["x-shiftproof-id"].startswith("probe-")]
    assert ours
    assert len(target.arrivals) == len(ours) + report.recorded
    assert report.recorded == report.scheduled == report.locust_requests
    assert report.problem is None
    assert all(arrival.headers["x-shiftproof-synthetic"] == "1" for arrival in ours)
    assert all(payment["account"].startswith("test-") for payment in target.made)
    ids = Counter(arrival.headers["x-shiftproof-id"] for arrival in ours)
    assert set(ids.values()) == {1}
    pairs = {arrival.connection for arrival in target.arrivals} - {arrival.connection for arrival in ours}
    assert pairs  # connections of their own


def test_an_amount_that_one_side_writes_otherwise(target: ProbeTarget, hold: Hold) -> None:
    def shown(side: str, payment: Payment) -> Payment:
        return {**payment, "amount": payment["amount"].rstrip("0")} if side == "cluster" else payment

    target.shown = shown
    found = differences(good(hold(), ProbeKind.PARITY))
    assert found[Difference("create", "amount", Kind.VALUE)] >= 2  # of a dozen, each third one is an edge
    assert found[Difference("list", "payments[].amount", Kind.VALUE)] >= 2
    assert found[Difference("read", "amount", Kind.VALUE, "of what legacy wrote")] >= 2
    assert {difference.path for difference in found} == {"amount", "payments[].amount"}


def test_a_field_that_one_side_lacks(target: ProbeTarget, hold: Hold) -> None:
    def shown(side: str, payment: Payment) -> Payment:
        return {key: value for key, value in payment.items() if key != "created_at" or side != "cluster"}

    target.shown = shown
    parity = good(hold(), ProbeKind.PARITY)
    found = differences(parity)
    assert found[Difference("create", "created_at", Kind.MISSING)] == len(parity)
    assert {difference.kind for difference in found} == {Kind.MISSING}
    assert not any(record.control for record in parity)


def test_a_list_in_another_order(target: ProbeTarget, hold: Hold) -> None:
    target.listed = lambda side, payments: payments[::-1] if side == "cluster" else payments
    parity = good(hold(), ProbeKind.PARITY)
    found = differences(parity)
    assert found[Difference("list", "payments[].id", Kind.VALUE)] == len(parity)
    assert found[Difference("list", "payments[].amount", Kind.VALUE)] >= len(parity) - 2  # both may be alike by chance
    assert not any(record.control for record in parity)


def test_what_legacy_answers_otherwise_each_time_is_noise_in_the_control_too(target: ProbeTarget, hold: Hold) -> None:
    numbers = count()
    target.shown = lambda side, payment: {**payment, "note": f"served as number {next(numbers)}"}
    parity = good(hold(), ProbeKind.PARITY)
    for record in parity:
        assert {(d.operation, d.path, d.via) for d in record.treatment} == {
            (d.operation, d.path, d.via) for d in record.control
        }
        assert {d.path for d in record.control} == {"note", "payments[].note"}


def test_keys_that_each_side_keeps_for_itself_make_two(target: ProbeTarget, hold: Hold) -> None:
    target.keys_of = lambda side: side
    duplicates = good(hold(20, ProbeKind.DUPLICATE), ProbeKind.DUPLICATE)
    crossing = [record for record in duplicates if "legacy" in record.way]
    within = [record for record in duplicates if "legacy" not in record.way]
    assert {(record.applied, record.control_applied) for record in crossing} == {(2, 1)}
    assert {(record.applied, record.control_applied) for record in within} == {(1, 1)}
    found = differences(crossing)
    assert found[Difference("create", "id", Kind.VALUE, "answered the second time")] == len(crossing)
    assert found[Difference("list", "payments[]", Kind.COUNT, "read afterwards", "1 against 2")] == len(crossing)
    assert not any(record.control for record in duplicates)


def test_while_weights_move_duplicates_go_by_them(target: ProbeTarget, hold: Hold) -> None:
    duplicates = good(hold(20, ProbeKind.DUPLICATE, triples=True), ProbeKind.DUPLICATE)
    by_weights = [record for record in duplicates if "by the weights" in record.way]
    assert len(by_weights) >= len(duplicates) / 3
    assert {record.applied for record in duplicates} == {1}
    assert any(record.end_ns - record.start_ns > 300_000_000 for record in by_weights)  # a second try that came later


def test_what_is_not_answered_makes_a_conversation_void_and_is_no_difference(target: ProbeTarget, hold: Hold) -> None:
    target.modes["cluster"] = "status"  # 503
    records = hold()
    parity = [record for record in records if record.kind is ProbeKind.PARITY]
    assert {record.void for record in parity} <= {"status 503", "the load ended"}
    assert differences(records) == {}


def test_a_request_whose_answer_was_lost_is_what_clients_send_again(target: ProbeTarget, hold: Hold) -> None:
    target.modes["cluster"] = "half"  # done, and the answer is cut off
    assert good(hold(12, ProbeKind.DUPLICATE), ProbeKind.DUPLICATE) == []  # done once: nothing is known of the fields
    target.keys_of = lambda side: side
    crossing = good(hold(12, ProbeKind.DUPLICATE, name="again"), ProbeKind.DUPLICATE)
    assert {record.applied for record in crossing} == {2}  # as legacy lists them
    assert all("legacy" in record.way for record in crossing)


def test_two_answers_that_were_both_lost_do_not_excuse_a_second_effect(target: ProbeTarget, hold: Hold) -> None:
    target.modes["cluster"] = "half"
    own = count()
    target.keys_of = lambda side: f"{next(own)}" if side == "cluster" else ""
    within = [one for one in good(hold(12, ProbeKind.DUPLICATE), ProbeKind.DUPLICATE) if "legacy" not in one.way]
    assert within
    assert {(record.applied, record.control_applied) for record in within} == {(2, 1)}


def test_an_account_that_changes_with_each_look_is_noise_in_the_control_too(target: ProbeTarget, hold: Hold) -> None:
    numbers = count()
    target.shown = lambda side, payment: {**payment, "note": f"served as number {next(numbers)}"}
    afterwards = "read afterwards"
    for record in good(hold(6, ProbeKind.DUPLICATE), ProbeKind.DUPLICATE):
        seen, again = (
            {(d.operation, d.path) for d in found if d.via == afterwards}
            for found in (record.treatment, record.control)
        )
        assert seen == again == {("list", "payments[].note")}


def test_no_conversation_is_started_while_paused(target: ProbeTarget, start: Start) -> None:
    load = start(probes_per_s=10, rate_per_s=5, operations=KEYED)
    until(lambda: len(load.new_probes()) > 0, "a conversation")
    load.pause()
    paused_at = load_clock(load)
    until(lambda: load_clock(load) - paused_at > 1_500_000_000, "a while")
    load.resume()
    resumed_at = load_clock(load)
    until(lambda: any(record.start_ns > resumed_at for record in load.new_probes()), "conversations again")
    load.stop()
    records = ProbeTail(load.events_path.with_name("probes-pairs.jsonl")).new()
    settled = paused_at + 300_000_000
    assert not [record for record in records if settled < record.start_ns < resumed_at]


def load_clock(load: RunningLocust) -> int:
    return load._plan.anchor_ns + time.monotonic_ns()


def test_a_service_without_keys_has_nothing_to_send_twice(hold: Hold) -> None:
    plain = [dict(KEYED[2])]
    records = hold(6, operations=plain)
    assert {record.kind for record in records} == {ProbeKind.PARITY}


def test_the_record_holds_nothing_that_was_said(target: ProbeTarget, start: Start) -> None:
    target.shown = lambda side, payment: {**payment, "iban": f"DE-{side}", f"{payment['id']}": side}
    load = start(probes_per_s=10, rate_per_s=5, operations=KEYED)
    path = load.events_path.with_name("probes-pairs.jsonl")
    until(lambda: path.exists() and path.read_text().count('"iban"') > 5, "conversations")
    load.stop()
    text = path.read_text()
    for secret in ("DE-", *(payment["id"] for payment in target.made), "test-"):
        assert secret not in text


def test_a_line_that_is_no_conversation_is_an_error_and_half_a_line_is_awaited(tmp_path: Path) -> None:
    path = tmp_path / "probes.jsonl"
    tail = ProbeTail(path)
    assert tail.new() == ()
    line = json.dumps(
        {"number": 0, "kind": "parity", "start_ns": 1, "end_ns": 2, "operations": [], "treatment": [], "control": []}
    )
    path.write_text(line[:30])
    assert tail.new() == ()
    path.write_text(line + "\n" + line[:10])
    assert [record.number for record in tail.new()] == [0]
    path.write_text(line + "\n" + "{}\n")
    with pytest.raises(LoadError, match=r"line 2 of probes\.jsonl is no conversation"):
        tail.new()
