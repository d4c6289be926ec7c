"""Two answers, field by field: what is alike, what is not, and what of it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shiftproof.load.answer import Answer
from shiftproof.load.compare import MOST_DIFFERENCES, Comparison, Names, Reply
from shiftproof.model.event import Failure
from shiftproof.model.probe import CONTENT_TYPE, STATUS, Kind

OURS = Names("test-probe-1a", "key-1a", ["0b7f6a52-64f3-4f0e-9c37-6a8e2c1d9a01"])
THEIRS = Names("test-probe-1b", "key-1b", ["5d1e9a3c-1b7d-4d0a-8f25-93c7e6b2f402"])
Found = list[tuple[str, str]]


def reply(document: Any, status: int = 200, content_type: str = "application/json") -> Reply:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply.of(Answer(Failure.NONE, status, body, content_type=content_type))


def found(left: Any, right: Any, *, by_format: bool = True) -> Found:
    comparison = Comparison(OURS, THEIRS, by_format=by_format)
    ours, theirs = (one if isinstance(one, Reply) else reply(one) for one in (left, right))
    comparison.replies("read", ours, theirs, "of what legacy wrote")
    assert all((one.operation, one.via) == ("read", "of what legacy wrote") for one in comparison.found)
    assert comparison.compared > 0
    return [(one.path, one.kind.value) for one in comparison.found]


def test_each_sides_own_names_are_the_same() -> None:
    said = {"account": "{0}", "id": "{1}", "link": "/payments/{1}", "note": "from {0}", "amount": "12.30"}
    both = [{name: text.format(names.account, names.ids[0]) for name, text in said.items()} for names in (OURS, THEIRS)]
    assert found(*both) == []
    assert found(both[0], {**both[1], "account": OURS.account}) == [("account", "value")]  # booked on somebody else's
    assert found(both[0], {**both[1], "id": THEIRS.key}) == [("id", "value")]


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("request", "0b7f6a52-64f3-4f0e-9c37-6a8e2c1d9a99", "5d1e9a3c-1b7d-7d0a-8f25-93c7e6b2f477"),
        ("created_at", "2026-05-04T12:00:00.123456+00:00", "2026-05-04T12:00:01.9+00:00".replace(".9", ".999999")),
        ("createdAt", "2026-05-04T12:00:00Z", "2026-05-04T12:00:02Z"),
        ("created", "2026-05-04 12:00:00", "2026-05-04 12:00:01"),
        ("day", "2026-05-04", "2026-05-04"),
        ("expires", "Mon, 04 May 2026 12:00:00 GMT", "Mon, 04 May 2026 12:00:03 GMT"),
        ("at", 1_777_777_777, 1_777_777_790),
        ("at", 1_777_777_777_123, 1_777_777_778_000),
        ("id", 17, 18),
        ("payment_id", 99, 100),
        ("paymentId", "pay_8f3kd92", "pay_0000000"),
        ("reference", "000123", "98"),
        ("account_id", 99, 100),
        ("status_changed_at", "2026-05-04T12:00:00Z", "2026-05-04T12:00:02Z"),
        ("rate", 0.10, 0.1),
    ],
)
def test_ids_and_times_are_alike_when_they_are_written_alike(name: str, left: Any, right: Any) -> None:
    assert found({name: left}, {name: right}) == []


@pytest.mark.parametrize(
    ("name", "left", "right", "kind"),
    [
        ("amount", "12.30", "12.3", "value"),
        ("amount", "12.30", 12.30, "type"),
        ("amount", 1230, 1231, "value"),
        ("currency", "EUR", "eur", "value"),
        ("status", "accepted", "pending", "value"),
        ("account", "0b7f6a52-64f3-4f0e-9c37-6a8e2c1d9a99", "5d1e9a3c-1b7d-7d0a-8f25-93c7e6b2f477", "value"),
        ("request", "0b7f6a52-64f3-4f0e-9c37-6a8e2c1d9a99", "17", "format"),
        ("created_at", "2026-05-04T12:00:00Z", "2026-05-04T12:00:00+00:00", "format"),
        ("created_at", "2026-05-04T12:00:00+00:00", "2026-05-04T12:00:00", "format"),
        ("created_at", "2026-05-04T12:00:00.123+00:00", "2026-05-04T12:00:00.123456+00:00", "format"),
        ("created_at", "2026-05-04T12:00:00", "2026-05-04T14:00:00", "value"),  # local time of another zone
        ("created_at", "2026-05-04T12:00:00Z", 1_777_777_777, "type"),
        ("at", 1_777_777_777, 1_777_777_777_000, "value"),  # seconds against milliseconds
        ("quantity", 17, 18, "value"),
        ("currency_id", 978, 840, "value"),
        ("currencyId", "978", "840", "value"),
        ("status_id", 1, 2, "value"),
        ("status_ref", "st-01", "st-02", "value"),
        ("currency_ref", "0b7f6a52-64f3-4f0e-9c37-6a8e2c1d9a99", "5d1e9a3c-1b7d-7d0a-8f25-93c7e6b2f477", "value"),
        ("total_amount", 1_777_777_777, 1_777_777_790, "value"),
        ("status_changed_at", "2026-05-04T12:00:00Z", "2026-05-04T12:00:00", "format"),
        ("status_changed_at", "2026-05-04T12:00:00Z", "yesterday", "value"),
        ("id", "pay_8f3kd92", "PAY-8f3kd92", "format"),
        ("note", "a", "b", "value"),
        ("note", None, "b", "type"),
        ("open", True, False, "value"),
        ("open", True, "true", "type"),
        ("items", {"a": 1}, [1], "type"),
    ],
)
def test_everything_else_has_to_be_equal(name: str, left: Any, right: Any, kind: str) -> None:
    assert (name, kind) in found({name: left}, {name: right})


def test_one_thing_read_twice_has_to_be_equal_in_all() -> None:
    moments = [{"created_at": f"2026-05-04T12:00:0{second}Z", "id": second} for second in (1, 2)]
    assert found(*moments) == []
    assert found(*moments, by_format=False) == [("created_at", "value"), ("id", "value")]


def test_what_is_missing_and_extra_is_named_down_to_its_leaves() -> None:
    ours = {"id": 1, "fee": {"amount": "1.00", "of": {"rate": 1}}, "tags": []}
    assert found(ours, {"id": 1, "more": [1]}) == [
        ("fee.amount", "missing"),
        ("fee.of.rate", "missing"),
        ("tags", "missing"),
        ("more[]", "extra"),
    ]
    assert found({"fee": {"amount": "1"}}, {"fee": "1"}) == [("fee", "type"), ("fee.amount", "missing")]


def test_lists_are_compared_item_by_item_and_by_length() -> None:
    one, two = {"amount": "1.00"}, {"amount": "2.00"}
    assert found({"payments": [one, two]}, {"payments": [one, one]}) == [("payments[].amount", "value")]
    assert found({"payments": [one]}, {"payments": [one, one]}) == [
        ("payments[]", "count"),
        ("payments[].amount", "extra"),
    ]
    assert found([1, 2], [1]) == [("[]", "count")]


def test_the_status_comes_before_all_else() -> None:
    assert found(reply({"a": 1}, 201), reply({"b": 1}, 404)) == [(STATUS, "status")]
    assert found(reply({"a": 1}), reply({"a": 1}, content_type="Application/JSON")) == []
    assert found(reply({"a": 1}), reply({"a": 1}, content_type="text/plain")) == [(CONTENT_TYPE, "value")]


def test_what_is_no_json_is_compared_as_it_is() -> None:
    assert found(reply(b"hello test-probe-1a"), reply(b"hello test-probe-1b")) == []
    assert found(reply(b"hello"), reply(b"hullo")) == [("", "value")]
    assert found(reply(b""), reply(b"")) == []
    assert found(reply({"a": 1}), reply(b"<html>")) == [("", "type")]
    assert found(reply(b"[" * 100_000), reply(b"[" * 100_000)) == []


def test_keys_that_are_data_are_not_told() -> None:
    ours = {"by_id": {OURS.ids[0]: 1}, "balances": {"31f8a1f0-9a33-47dd-a5d3-4f1a2c3b4d5e": "1.00"}}
    theirs = {"by_id": {THEIRS.ids[0]: 2}, "balances": {"9c2b7e1d-0d4f-4d6a-8b7c-6e5f4a3b2c1d": "2.00"}}
    assert found(ours, theirs) == [("by_id.{id0}", "value"), ("balances.*[]", "value")]


def test_a_long_list_of_differences_is_cut() -> None:
    many = {f"field{number}": number for number in range(200)}
    assert len(found(many, {})) == MOST_DIFFERENCES


def test_details_tell_types_counts_and_statuses_only() -> None:
    comparison = Comparison(OURS, THEIRS, by_format=True)
    comparison.replies("list", reply({"a": [1], "b": "secret"}), reply({"a": [1, 2], "b": 5}))
    assert {(one.kind, one.detail) for one in comparison.found} == {
        (Kind.COUNT, "1 against 2"),
        (Kind.TYPE, "text against number"),
    }
