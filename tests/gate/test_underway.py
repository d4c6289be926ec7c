"""What the machinery of a rehearsal tells its judges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.clock import wait_until
from fakes.world import World

from shiftproof.errors import MeasureError
from shiftproof.gate.notes import Notes
from shiftproof.gate.settings import QUICK
from shiftproof.gate.underway import Underway
from shiftproof.judge import LiveJudge, judge_all, make_case
from shiftproof.model.event import Side
from shiftproof.model.history import WATCH_GAP, LbRecord
from shiftproof.model.platform import Objectives


class Log:
    """An access log that cannot be read while `broken`."""

    def __init__(self) -> None:
        self.broken = True

    def failed(self, request_ids: Sequence[str], since_ns: int) -> Sequence[LbRecord]:
        if self.broken:
            raise MeasureError("the access log was rotated away")
        return ()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def underway(log: Log, tmp_path: Path) -> Iterator[Underway]:
    world = World()
    world.broken = {Side.CLUSTER}
    parts = replace(world.parts(), access_log=log)
    judge = LiveJudge(Objectives())
    made = Underway(
        parts, world.clock, Notes(world.clock.now_ns), judge, QUICK, tmp_path, lambda _: None, lambda _: None
    )
    wait_until(lambda: len(made.monitor.events()) > 0)
    yield made
    made.close()


def test_an_access_log_that_cannot_be_read_is_a_gap_of_that_very_history(underway: Underway, log: Log) -> None:
    history = underway.history()
    gaps = [happening for happening in history.timeline if happening.kind == WATCH_GAP]
    assert [(gap.subject, gap.data["problem"]) for gap in gaps] == [
        ("watcher/access-log", "the access log was rotated away")
    ]
    findings = judge_all(make_case(history, Objectives()), ["sufficiency"])
    assert any("access-log: the access log was rotated away" in finding.reason for finding in findings)

    log.broken = False
    assert not [happening for happening in underway.history().timeline if happening.kind == WATCH_GAP]
