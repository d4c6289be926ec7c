"""A client's cookies: kept, sent back, replaced, and gone when they are over."""

from __future__ import annotations

import pytest

from shiftproof.load.cookies import COOKIES_MAX, Jar

NOW_S = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC


def jar_with(*cookies: str, secure: bool = False) -> Jar:
    jar = Jar(secure=secure)
    for cookie in cookies:
        jar.keep(cookie, NOW_S)
    return jar


def test_cookies_are_sent_back_and_replaced_by_name() -> None:
    jar = jar_with("AWSALBTG=abc==; Expires=Thu, 08 Jan 2026 00:00:00 GMT; Path=/", "other=1", "AWSALBTG=new; Path=/")
    assert jar.header(NOW_S) == "other=1; AWSALBTG=new"


@pytest.mark.parametrize(
    ("cookie", "lives_s"),
    [
        ("a=1; Max-Age=30", 30),
        ("a=1; max-age = 30 ; Expires=Thu, 08 Jan 2026 00:00:00 GMT", 30),
        ("a=1; Expires=Thu, 01 Jan 2026 00:00:30 GMT", 30),
    ],
)
def test_a_cookie_is_gone_when_its_time_is_over(cookie: str, lives_s: float) -> None:
    jar = jar_with(cookie)
    assert jar.header(NOW_S + lives_s - 0.1) == "a=1"
    assert jar.header(NOW_S + lives_s) == ""


@pytest.mark.parametrize("cookie", ["", "no-value", "=no-name", "a=1\r\nEvil: 1", "a=" + "x" * 5000, "a=1; Max-Age=0"])
def test_what_is_no_cookie_is_not_kept(cookie: str) -> None:
    assert jar_with(cookie).header(NOW_S) == ""


def test_a_server_takes_a_cookie_away_by_letting_it_expire() -> None:
    assert jar_with("a=1", "a=; Max-Age=0").header(NOW_S) == ""
    assert jar_with("a=1", "a=gone; Expires=Thu, 01 Jan 1970 00:00:00 GMT").header(NOW_S) == ""


def test_secure_cookies_go_over_secure_connections_only() -> None:
    assert jar_with("a=1; Secure").header(NOW_S) == ""
    assert jar_with("a=1; Secure", secure=True).header(NOW_S) == "a=1"


def test_a_cookie_without_a_readable_time_stays() -> None:
    assert jar_with("a=1; Expires=some day; Max-Age=soon").header(NOW_S + 1e9) == "a=1"


def test_no_more_cookies_are_kept_than_a_header_can_take() -> None:
    jar = jar_with(*(f"n{number}=1" for number in range(COOKIES_MAX + 5)))
    assert jar.header(NOW_S).count("=") == COOKIES_MAX
