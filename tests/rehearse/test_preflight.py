"""What a rehearsal finds before it sends anything: a rate beyond this machine, an autoscaler other than declared."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from fakes.rehearsals import UNDONE, EventWorld
from fakes.rehearsed import Rehearse, reasons

from shiftproof.errors import LoadError, UserError
from shiftproof.model.verdict import Verdict
from shiftproof.ports import AutoscalerState
from shiftproof.report.verdict_file import schema
from shiftproof.safety.journal import Journal, journal_dir


def test_a_rate_that_cannot_be_sent_is_refused_before_anything_is_changed(
    rehearse: Rehearse, world: EventWorld
) -> None:
    world.event_load.able_per_s = 77
    with pytest.raises(UserError, match="about 77/s; short needs 144/s") as raised:
        rehearse()
    assert "demand_scale of infra/targets/lab.yaml to 0.3 or less (it is 0.6)" in raised.value.one_line()
    assert not world.elastic.resized


def test_no_size_of_an_event_is_said_where_none_can_be_sent(rehearse: Rehearse, world: EventWorld) -> None:
    world.event_load.able_per_s = 5
    with pytest.raises(UserError, match="about 5/s; short needs 144/s") as raised:
        rehearse()
    assert raised.value.hint == "let nothing else run on this machine, or send from more machines (infra/load)"


def test_a_rate_that_could_not_be_tried_is_inconclusive(
    rehearse: Rehearse, world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(plan: object) -> float:
        raise LoadError("how much this machine can send could not be tried: no reason given")

    monkeypatch.setattr(world.event_load, "sends_per_s", fails)
    done = rehearse()
    assert (done.result.verdict, done.case) == (Verdict.INCONCLUSIVE, None)
    assert "could not be tried: no reason given" in reasons(done)
    assert done.result.phases[0].verdict is Verdict.INCONCLUSIVE
    assert not world.elastic.resized


def test_without_an_autoscaler_there_is_nothing_to_rehearse(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.scaler = None
    with pytest.raises(UserError, match="no HorizontalPodAutoscaler"):
        rehearse()
    assert not Journal(journal_dir()).pending()
    assert "overlay" in UNDONE


def test_an_autoscaler_that_is_blind_fails_before_any_load(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.scaler = AutoscalerState("payments", 2, 6, "FailedGetResourceMetric: missing request for cpu")
    done = rehearse()
    assert done.result.verdict is Verdict.FAIL
    assert "missing request for cpu" in reasons(done)
    assert done.case is None
    assert world.event_load.event is None


def test_a_fail_before_the_defect_was_planted_says_so(rehearse: Rehearse, world: EventWorld, tmp_path: Path) -> None:
    """Whoever counts what was caught must not count this."""
    world.elastic.scaler = AutoscalerState("payments", 2, 6, "FailedGetResourceMetric: missing request for cpu")
    defect = tmp_path / "experiments/defects/nodes-join-late.yaml"
    text = defect.read_text().replace("rehearse payday", "rehearse short")
    mine = tmp_path / "nodes-join-late.yaml"
    mine.write_text(text)
    done = rehearse(defect=mine)
    assert done.result.verdict is Verdict.FAIL
    written = json.loads((tmp_path / "run" / "verdict.json").read_text())
    jsonschema.validate(written, schema())
    assert written["run"]["not_planted"] == ["nodes: preflight ended the rehearsal before"]


def test_an_autoscaler_with_other_bounds_is_refused(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.scaler = AutoscalerState("payments", 2, 9)
    with pytest.raises(UserError, match=r"goes from 2 to 9 pods, and .* says 2 to 6"):
        rehearse()


@pytest.mark.parametrize(
    ("per_pod", "said"), [((60.0,), "goes by 60"), ((0.2, 60.0), "goes by 0.2 and 60"), ((), "goes by nothing")]
)
def test_an_autoscaler_that_aims_at_another_figure_fails(
    rehearse: Rehearse, world: EventWorld, per_pod: tuple[float, ...], said: str
) -> None:
    world.elastic.scaler = AutoscalerState("payments", 2, 6, per_pod=per_pod)
    done = rehearse()
    assert done.result.verdict is Verdict.FAIL
    assert f"platform.yaml says 30 a pod (requests-per-second), the autoscaler payments {said}" in reasons(done)
    assert world.event_load.event is None
