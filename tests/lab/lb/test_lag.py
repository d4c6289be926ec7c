"""Changes that become due later."""

from __future__ import annotations

from shiftproof.lab.lb.lag import MAX_LAG_S, Delayed, Lag


def test_without_lag_a_change_is_due_at_once_and_only_once() -> None:
    delayed: Delayed[str, int] = Delayed()
    delayed.offer("rule", 1, now=0)
    assert delayed.due(0, lambda _: 0) == [("rule", 1)]
    delayed.offer("rule", 1, now=1)
    assert delayed.due(1, lambda _: 0) == []


def test_changes_come_in_the_order_in_which_they_were_written() -> None:
    delayed: Delayed[str, int] = Delayed()
    for now, value in ((0, 1), (1, 2), (2, 1)):
        delayed.offer("rule", value, now=now)
    assert delayed.due(9.9, lambda _: 10) == []
    assert delayed.due(11, lambda _: 10) == [("rule", 1), ("rule", 2)]
    assert delayed.due(12, lambda _: 10) == [("rule", 1)]


def test_lag_set_back_makes_all_due() -> None:
    delayed: Delayed[str, int] = Delayed()
    delayed.offer("rule", 1, now=0)
    delayed.offer("rule", 2, now=1)
    assert delayed.due(1, lambda _: 300) == []
    assert delayed.due(1, lambda _: 0) == [("rule", 1), ("rule", 2)]


def test_what_is_forgotten_is_new_again() -> None:
    delayed: Delayed[str, int] = Delayed()
    delayed.offer("rule", 1, now=0)
    delayed.forget("rule")
    assert delayed.due(9, lambda _: 0) == []
    delayed.offer("rule", 1, now=9)
    assert delayed.due(9, lambda _: 0) == [("rule", 1)]


def test_a_newer_value_that_is_due_sooner_replaces_an_older_one() -> None:
    delayed: Delayed[str, bool] = Delayed()

    def lag_s(registered: bool) -> float:
        return 0 if registered else 10

    delayed.offer("pod", False, now=0)
    delayed.offer("other", False, now=0)
    delayed.offer("pod", True, now=1)
    assert delayed.due(1, lag_s) == [("pod", True)]
    assert delayed.due(11, lag_s) == [("other", False)], "the pod came back: its leaving must not strike later"


def test_those_that_leave_follow_those_that_come_unless_said_otherwise() -> None:
    assert Lag(registration_s=3).of_registration(False) == 3
    assert Lag(registration_s=3, deregistration_s=0).of_registration(False) == 0
    assert Lag(deregistration_s=7).of_registration(True) == 0
    assert Lag(deregistration_s=7).of_registration(False) == 7


def test_lag_has_bounds() -> None:
    assert Lag(weights_s=MAX_LAG_S, registration_s=0).problem() is None
    assert "weights_s" in str(Lag(weights_s=-1).problem())
    assert "registration_s" in str(Lag(registration_s=float("nan")).problem())
    assert "deregistration_s" in str(Lag(deregistration_s=301).problem())
