"""Changes that become due later."""

from __future__ import annotations

from shiftproof.lab.lb.lag import MAX_LAG_S, Delayed, Lag


def test_without_lag_a_change_is_due_at_once_and_only_once() -> None:
    delayed: Delayed[str, int] = Delayed()
    delayed.offer("rule", 1, now=0)
    assert delayed.due(0, lag_s=0) == [("rule", 1)]
    delayed.offer("rule", 1, now=1)
    assert delayed.due(1, lag_s=0) == []


def test_changes_come_in_the_order_in_which_they_were_written() -> None:
    delayed: Delayed[str, int] = Delayed()
    for now, value in ((0, 1), (1, 2), (2, 1)):
        delayed.offer("rule", value, now=now)
    assert delayed.due(9.9, lag_s=10) == []
    assert delayed.due(11, lag_s=10) == [("rule", 1), ("rule", 2)]
    assert delayed.due(12, lag_s=10) == [("rule", 1)]


def test_lag_set_back_makes_all_due() -> None:
    delayed: Delayed[str, int] = Delayed()
    delayed.offer("rule", 1, now=0)
    delayed.offer("rule", 2, now=1)
    assert delayed.due(1, lag_s=300) == []
    assert delayed.due(1, lag_s=0) == [("rule", 1), ("rule", 2)]


def test_what_is_forgotten_is_new_again() -> None:
    delayed: Delayed[str, int] = Delayed()
    delayed.offer("rule", 1, now=0)
    delayed.forget("rule")
    assert delayed.due(9, lag_s=0) == []
    delayed.offer("rule", 1, now=9)
    assert delayed.due(9, lag_s=0) == [("rule", 1)]


def test_lag_has_bounds() -> None:
    assert Lag(weights_s=MAX_LAG_S, registration_s=0).problem() is None
    assert "weights_s" in str(Lag(weights_s=-1).problem())
    assert "registration_s" in str(Lag(registration_s=float("nan")).problem())
