"""Why a pod does not serve, in its own words, and without what it was told in confidence."""

from __future__ import annotations

from typing import Any

import pytest

from shiftproof.adapters.kubernetes.pods import MOST_WORDS, last_words, trouble


def restarted(message: str = "", code: int = 1) -> dict[str, Any]:
    ended = {"exitCode": code, "reason": "Error" if code else "Completed", "message": message}
    container = {"name": "payments", "state": {"running": {}}, "lastState": {"terminated": ended}, "restartCount": 1}
    return {"metadata": {"name": "payments-a1"}, "status": {"phase": "Running", "containerStatuses": [container]}}


def test_a_container_that_crashed_and_runs_again_says_how_it_ended() -> None:
    said = trouble(restarted("loading\npayments: the database did not answer within 30 s\n"))
    assert said == (
        "NotReady: it ended with code 1 (Error): payments: the database did not answer within 30 s, and was started"
        " again; its readiness probe does not succeed (pod payments-a1)"
    )


def test_a_container_that_ended_well_and_runs_again_did_not_crash() -> None:
    assert trouble(restarted(code=0)) == (
        "NotReady: it runs, and its readiness probe does not succeed (pod payments-a1)"
    )


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("cannot reach postgres://app:hunter2@db:5432/x", "cannot reach postgres://app:***@db:5432/x"),
        ("bad setting PASSWORD=hunter2 given", "bad setting PASSWORD=*** given"),
        ("api_key: 'abc' is not known", "api_key: *** is not known"),
        ("  \n\n", ""),
        ("x" * 1000, "x" * MOST_WORDS),
    ],
)
def test_its_last_words_are_short_and_hold_no_credentials(message: str, kept: str) -> None:
    assert last_words({"message": message}) == kept
