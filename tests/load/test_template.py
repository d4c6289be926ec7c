"""Bytes of a request, from an operation as a person wrote it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftproof.load.template import Template, Values, usable_id

CREATE = {
    "name": "create",
    "method": "POST",
    "path": "/accounts/{account}/payments?key={key}",
    "headers": {"Idempotency-Key": "{key}"},
    "body": {"account": "{account}", "amount": "{amount}", "note": "for {account}: {other}", "n": 1, "ok": True},
}
VALUES = Values(account="test-1", key="k/1", amount="12.34", id="p1")


def parsed(request: bytes) -> tuple[str, dict[str, str], bytes]:
    head, body = request.split(b"\r\n\r\n", 1)
    first, *lines = head.decode("latin-1").split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


def test_everything_is_filled_in_where_it_belongs() -> None:
    first, headers, body = parsed(Template(CREATE, "lb:80", {"x-side": "legacy"}).render(VALUES, "7-0"))
    assert first == "POST /accounts/test-1/payments?key=k%2F1 HTTP/1.1"
    assert headers["Idempotency-Key"] == "k/1"
    assert headers["Host"] == "lb:80"
    assert headers["x-side"] == "legacy"
    assert headers["x-shiftproof-id"] == "7-0"
    assert int(headers["Content-Length"]) == len(body)
    expected = {"account": "test-1", "amount": "12.34", "note": "for test-1: {other}", "n": 1, "ok": True}
    assert json.loads(body) == expected


def test_an_operation_says_whether_it_needs_an_id() -> None:
    def needs(**changes: object) -> bool:
        return Template({"name": "x", "method": "GET", "path": "/", **changes}, "lb", {}).needs_id

    assert not needs()
    assert needs(path="/payments/{id}")
    assert needs(body={"of": "{id}"})
    assert needs(headers={"If-Match": "{id}"})


def test_a_get_has_no_length_and_an_empty_post_has_one() -> None:
    for method, length in (("GET", None), ("POST", "0")):
        _, headers, _ = parsed(Template({"name": "x", "method": method, "path": "/"}, "lb", {}).render(VALUES, "0-0"))
        assert headers.get("Content-Length") == length


@pytest.mark.parametrize("header", [{"A": "b\r\nC: d"}, {"A\n": "b"}, {"A": "b\0"}])
def test_a_header_cannot_break_the_request(header: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="line break"):
        Template({"name": "x", "method": "GET", "path": "/", "headers": header}, "lb", {})


@given(st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.floats()))
def test_only_an_id_that_breaks_nothing_is_remembered(value: object) -> None:
    template = Template(
        {"name": "x", "method": "POST", "path": "/p/{id}", "headers": {"H": "{id}"}, "body": {"i": "{id}"}}, "lb", {}
    )
    text = usable_id(value)
    if text is None:
        return
    first, headers, body = parsed(template.render(Values("a", "k", "1.00", text), "0-0"))
    assert first.count(" ") == 2
    assert headers["H"] == text.strip() or headers["H"] == text
    assert json.loads(body) == {"i": text}


def test_ids_that_are_none() -> None:
    assert usable_id("abc-1") == "abc-1"
    assert usable_id(17) == "17"
    for bad in ("", None, True, 1.5, "a\r\nb", 'a"b', "x" * 201, ["a"], {"id": 1}):
        assert usable_id(bad) is None
