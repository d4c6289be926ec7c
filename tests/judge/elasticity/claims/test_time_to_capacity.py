"""Time to capacity: in time, too late, or never, and then where it got stuck."""

from __future__ import annotations

import pytest
from fakes.event_cases import flat_metric, late_nodes, no_nodes, the, unknown_metric, unscaled
from fakes.event_history import TO_BREAK, EventBuilder, good_payday

from shiftproof.model.verdict import Finding, Verdict

_NAME = "time-to-capacity"


def failed(event: EventBuilder) -> Finding:
    found = the(event.build(), _NAME)
    assert found.verdict is Verdict.FAIL
    return found


def test_in_time_with_its_stages() -> None:
    found = the(good_payday().build(), _NAME)
    assert found.verdict is Verdict.PASS
    assert "3 pods were ready 21 s after the load asked for them, 6 for its peak after 34 s" in found.reason
    rows = found.data["rows"]
    assert [row["pods"] for row in rows] == [3, 4, 5, 6]
    assert all(sum(row["stages"].values()) == pytest.approx(row["seconds"], abs=0.05) for row in rows)
    assert rows[1]["stages"]["boot"] == pytest.approx(42, abs=0.1)


def test_pods_that_are_there_already() -> None:
    found = the(EventBuilder(base_pods=6).build(), _NAME)
    assert (found.verdict, "they were there already" in found.reason) == (Verdict.PASS, True)


def test_a_load_that_the_base_bears_proves_nothing() -> None:
    found = the(EventBuilder(peak_per_s=40).build(), _NAME)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "nothing had to scale" in found.reason


def test_more_than_may_ever_be_there() -> None:
    found = failed(good_payday(peak_per_s=300))
    assert "the load asks for 11 pods" in found.reason
    assert "most_pods" in found.data["hint"]


def test_nodes_that_join_too_late() -> None:
    found = failed(late_nodes())
    assert "too late; most of it was boot (20" in found.reason
    assert found.data["slowest_stage"] == "boot"
    assert "its node's machine was started after" in found.data["culprit"]


def test_a_metric_that_cannot_be_read() -> None:
    found = failed(unknown_metric())
    assert "the autoscaler cannot read its metric (<unknown>)" in found.reason
    assert (found.data["stuck"], found.data["why"]) == ("metric lag", "unknown")
    assert "FailedGetResourceMetric: failed to get cpu utilization" in found.data["culprit"]


def test_a_metric_that_is_lost_on_the_way() -> None:
    assert failed(unscaled().sees(20, 0.8).sees(45, None)).data["why"] == "unknown"


def test_why_it_cannot_be_read_in_the_autoscalers_own_words() -> None:
    event = unscaled().at(
        45, "scale.observed", "autoscaler/payments", metric="requests", ratio=None, reason="FailedGetExternalMetric"
    )
    assert failed(event).data["culprit"].endswith("requests: FailedGetExternalMetric")


def test_one_metric_of_two_that_cannot_be_read_is_not_the_cause() -> None:
    event = unscaled().sees(60, 2.4).sees(190, 0.5)
    event.at(50, "scale.observed", "autoscaler/payments", metric="cpu", ratio=None)
    assert failed(event).data["why"] == "undecided"


def test_a_metric_that_does_not_follow() -> None:
    found = failed(flat_metric())
    assert "the metric did not follow the load: at most 0.93 times its target" in found.reason
    assert found.data["why"] == "flat"


def test_a_metric_that_rises_only_when_the_load_is_over_did_not_follow_it() -> None:
    found = failed(flat_metric().sees(280, 1.9))
    assert "at most 0.93 times its target" in found.reason
    assert found.data["why"] == "flat"


def test_an_autoscaler_that_is_stopped() -> None:
    found = failed(unscaled())
    assert "said nothing since (0.6 times its target was the last): it may be stopped" in found.reason
    assert (found.data["stuck"], found.data["why"]) == ("metric lag", "silent")


def test_no_autoscaler_at_all() -> None:
    event = unscaled()
    event._happenings = [one for one in event._happenings if one.kind != "scale.observed"]
    found = failed(event)
    assert "said nothing of any metric, and 2 pods stayed wanted" in found.reason
    assert found.data["why"] == "silent"


def test_an_autoscaler_that_sees_it_and_does_nothing() -> None:
    found = failed(unscaled().sees(60, 2.4).sees(190, 0.5))
    assert "saw 2.4 times its target and wanted 2 pods at most" in found.reason
    assert found.data["why"] == "undecided"


def test_an_autoscaler_with_a_cap_of_its_own() -> None:
    event = unscaled().sees(60, 2.4).wants(62, 3)
    event.starts(62, ready_s=70)
    found = failed(event)
    assert "wanted 3 pods at most while it saw 2.4 times its target" in found.reason
    assert found.data["why"] == "capped"


def test_no_node_came() -> None:
    found = failed(no_nodes())
    assert "3 pods 46.7 s into the event, for 147 s, and they were not ready" in found.reason
    assert "by the end of that, 4 pods waited 141 s for a node, and no machine was started" in found.reason
    assert "FailedScheduling: 0/1 nodes are available" in found.data["culprit"]
    assert found.data["stuck"] == "node"


def test_what_others_complain_of_is_no_culprit() -> None:
    event = no_nodes().at(
        150, "event.warning", "pod/statements-5c9d8b7f6-xxxxb", reason="FailedScheduling", message="not ours"
    )
    assert "not ours" not in failed(event).data["culprit"]
    other = unknown_metric().at(
        150, "event.warning", "horizontalpodautoscaler/statements", reason="FailedGetResourceMetric", message="not ours"
    )
    assert "not ours" not in failed(other).data["culprit"]


def test_what_was_taken_back_once_the_load_fell_does_not_hide_why_it_never_came() -> None:
    event = no_nodes().node("new-1", launched_s=60, ready_s=None).wants(215, 2).goes(215, 4)
    found = failed(event)
    assert "machine i-new-1 was started" in found.reason
    assert "and never joined" in found.reason
    assert found.data["why"] == "not-joined"


def test_a_machine_that_never_joined() -> None:
    found = failed(no_nodes().node("new-1", launched_s=60, ready_s=None))
    assert "machine i-new-1 was started 133 s before and never joined" in found.reason
    assert found.data["stuck"] == "boot"


def test_a_node_that_joined_and_never_was_ready() -> None:
    event = no_nodes().node("new-1", launched_s=60, ready_s=None)
    event.at(100, "node.joined", "node/new-1", machine="i-new-1", ready=False)
    assert "its node joined and never became ready" in failed(event).reason
    late = no_nodes().node("new-1", launched_s=60, ready_s=None)
    late.at(290, "node.joined", "node/new-1", machine="i-new-1", ready=False)
    assert "and had not joined by then (it did 97 s later, and never became ready)" in failed(late).reason


def test_a_node_that_came_after_the_event() -> None:
    found = failed(late_nodes(boot_s=250))
    assert "and its node was ready 250 s after that" in found.reason


def test_spot_nodes_are_no_nodes_for_what_may_not_be_there() -> None:
    assert failed(no_nodes().node("new-1", launched_s=60, ready_s=90, spot=True)).data["why"] == "no-node"


def test_pods_that_are_never_created() -> None:
    event = unscaled().sees(60, 2.4).wants(62, 6)
    event.at(63, "event.warning", "replicaset/payments-1", reason="FailedCreate", message="exceeded quota: pods")
    found = failed(event)
    assert "their pods were never created" in found.reason
    assert "exceeded quota" in found.data["culprit"]


def test_pods_that_do_not_start() -> None:
    event = unscaled().sees(60, 2.4).wants(62, 6)
    names = [event.starts(62, ready_s=None) for _ in range(4)]
    plain = failed(event)
    assert "pods were placed and did not become ready: 2 of " in plain.reason
    event.pod(70, "failing", names[0], reason="CrashLoopBackOff", message="back-off", node="base-1")
    crashing = failed(event)
    assert "could not start (CrashLoopBackOff)" in crashing.reason
    assert names[0] in crashing.data["culprit"]


def test_a_ramp_to_the_break_is_held_to_what_may_be_there() -> None:
    event = EventBuilder(event=TO_BREAK).sees(10, 1.5).wants(12, 6)
    for _ in range(4):
        event.starts(12, ready_s=20)
    found = the(event.build(), _NAME)
    assert found.verdict is Verdict.PASS
    assert [row["pods"] for row in found.data["rows"]] == [3, 4, 5, 6]
