"""What the lab did wrong, and whom it may have hurt."""

from __future__ import annotations

import pytest

from shiftproof.lab.autoscaling.troubles import BORNE_S, KEPT, Troubles


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def troubles(clock: Clock) -> Troubles:
    return Troubles(now_s=clock)


def test_what_goes_on_is_told_once_it_has_lasted(troubles: Troubles, clock: Clock) -> None:
    troubles.begin("i-1", "it did not boot")
    assert troubles.told() is None
    clock.now_s += BORNE_S
    assert troubles.told() == troubles.told(since_s=clock.now_s) == "it did not boot"


def test_what_is_over_is_told_to_those_who_measured_then(troubles: Troubles, clock: Clock) -> None:
    troubles.begin("i-1", "it did not boot")
    clock.now_s += 40
    troubles.end("i-1")
    assert troubles.told() is None
    assert troubles.told(since_s=clock.now_s) == "it did not boot"
    assert troubles.told(since_s=clock.now_s + 1) is None


def test_what_was_over_soon_is_told_to_nobody(troubles: Troubles, clock: Clock) -> None:
    troubles.begin("following", "no answer")
    clock.now_s += BORNE_S / 2
    troubles.end("following")
    clock.now_s += BORNE_S
    assert troubles.told(since_s=0) is None


def test_said_again_it_goes_on_and_its_last_words_are_told(troubles: Troubles, clock: Clock) -> None:
    troubles.begin("following", "no answer")
    clock.now_s += BORNE_S
    troubles.begin("following", "refused")
    assert troubles.told() == "refused"


def test_the_oldest_are_forgotten(troubles: Troubles, clock: Clock) -> None:
    for number in range(KEPT + 1):
        troubles.begin(f"i-{number}", f"{number} did not boot")
        clock.now_s += BORNE_S
        troubles.end(f"i-{number}")
    told = str(troubles.told(since_s=0)).split("; ")
    assert (len(told), told[0]) == (KEPT, "1 did not boot")


def test_an_end_of_nothing_is_none(troubles: Troubles) -> None:
    troubles.end("i-1")
    assert troubles.told(since_s=0) is None
