"""The sentence that names the culprit, for each general pattern."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fakes.judge_cases import case_of

from shiftproof.judge import make_case
from shiftproof.judge.culprit import Culprit, find_culprits, main_culprit
from shiftproof.model.event import Failure, Side
from shiftproof.model.history import Source
from shiftproof.model.platform import Objectives
from shiftproof.testing import RunBuilder, clean_run

POD, IP, TARGET = "pod/payments-a1", "198.18.1.7", "198.18.1.7:8080"
K8S, LB = Source.KUBERNETES, Source.LOAD_BALANCER


def lost(cause: str, *, target: str = TARGET, failure: Failure = Failure.RESET, status: int = 0) -> RunBuilder:
    """Two requests are lost 2 s into the first deploy."""
    return clean_run().fail(
        Side.CLUSTER,
        "deploy",
        after_s=2,
        seconds=1,
        at_most=2,
        failure=failure,
        status=status,
        target=target,
        cause=cause,
    )


def happen(run: RunBuilder, kind: str, subject: str, after_s: float, source: Source = K8S, **data: Any) -> RunBuilder:
    return run.happen("deploy", kind, subject, after_s=after_s, source=source, **data)


def culprit(run: RunBuilder) -> Culprit:
    case = case_of(run)
    found = main_culprit(find_culprits(case.history, case.pairs, np.flatnonzero(case.pairs.attributed)))
    assert found is not None
    return found


def test_a_pod_that_stops_listening_before_traffic_stops() -> None:
    run = happen(lost("connect-refused"), "pod.terminating", POD, 1.96, ip=IP)
    happen(run, "target.draining", f"target/{TARGET}", 2.315, LB)
    found = culprit(run)
    assert found.leaving
    assert found.requests == 2
    assert found.sentence == (
        "2 requests refused by pod payments-a1 at 00:00:17.502, 42 ms after its SIGTERM and 313 ms before it left the"
        " load balancer: it stops listening before traffic stops (no preStop, no drain)."
    )
    assert found.hint is not None
    assert "preStop sleep >= 5 s" in found.hint


def test_requests_under_way_that_are_cut_when_the_pod_ends() -> None:
    run = happen(lost("reset-by-target"), "pod.terminating", POD, 1.0, ip=IP)
    happen(run, "target.draining", f"target/{TARGET}", 1.2, LB)
    found = culprit(run)
    assert found.leaving
    assert "after it left the load balancer: requests under way were cut" in found.sentence


def test_a_pod_that_answers_503_while_it_leaves() -> None:
    found = culprit(
        happen(lost("target-status", failure=Failure.STATUS, status=503), "pod.terminating", POD, 1.9, ip=IP)
    )
    assert "2 requests answered 503 by pod payments-a1" in found.sentence
    assert "while it was never seen to leave the load balancer" in found.sentence


def test_a_load_balancer_that_learns_late() -> None:
    run = happen(lost("connect-timeout", failure=Failure.TIMEOUT), "pod.terminating", POD, 0.2, ip=IP)
    happen(run, "pod.gone", POD, 1.0, ip=IP)
    found = culprit(run)
    assert (found.pattern, found.leaving) == ("late-to-let-go", True)
    assert "1.0 s after the pod was gone: the load balancer had not let it go yet" in found.sentence


def test_a_new_pod_that_gets_traffic_too_early() -> None:
    run = lost("connect-refused", target="198.18.2.9:8080")
    happen(run, "pod.created", "pod/payments-d4", 1.0, ip="198.18.2.9", node="node-2")
    assert "had not become ready: it got traffic before it could serve" in culprit(run).sentence
    happen(run, "pod.ready", "pod/payments-d4", 1.8, ip="198.18.2.9", node="node-2")
    found = culprit(run)
    assert (found.pattern, found.leaving) == ("not-ready-yet", False)
    assert "ms after it became ready" in found.sentence


def test_a_node_that_leaves() -> None:
    found = culprit(happen(lost("connect-timeout"), "node.cordoned", "node/node-1", 1.5))
    assert (found.pattern, found.subject, found.leaving) == ("node-leaving", "node/node-1", True)
    assert "after the node was cordoned" in found.sentence


def test_a_pod_that_answers_on_a_cordoned_node_was_not_told_to_go() -> None:
    """Overloaded, it may refuse by itself: that is no loss on what was leaving, which one alone would prove."""
    run = lost("", failure=Failure.STATUS, status=503)
    found = culprit(happen(run, "node.cordoned", "node/node-1", 1.5))
    assert not found.leaving
    assert found.pattern != "node-leaving"


def test_a_node_that_is_back_is_not_leaving() -> None:
    run = happen(lost("connect-timeout"), "node.cordoned", "node/node-1", 0.5)
    assert culprit(happen(run, "node.uncordoned", "node/node-1", 1.0)).pattern == "pod-failing"


def test_a_pod_that_our_fault_hit() -> None:
    found = culprit(happen(lost("reset-by-target"), "fault.begin", POD, 1.95, Source.CHAOS))
    assert found.pattern == "hurt"
    assert "ms after our fault hit it" in found.sentence


def test_no_target_at_all() -> None:
    run = lost("no-target", target="", failure=Failure.STATUS, status=503)
    happen(run, "pod.terminating", POD, 1.5, ip=IP)
    happen(run, "target.draining", f"target/{TARGET}", 1.7, LB)
    happen(run, "pod.ready", "pod/payments-d4", 1.8, ip="198.18.2.9", node="node-2")
    happen(run, "target.healthy", "target/198.18.2.9:8080", 2.6, LB)
    found = culprit(run)
    assert found.pattern == "no-target"
    assert "answered 503 for want of a target" in found.sentence
    assert "the last to leave was pod payments-a1, 302 ms before; the next was healthy 598 ms later" in found.sentence


def test_a_pod_that_fails_by_itself_is_not_excused() -> None:
    found = culprit(lost("target-status", failure=Failure.STATUS, status=500))
    assert (found.pattern, found.leaving) == ("pod-failing", False)
    assert "answered 500 by pod payments-a1" in found.sentence


def test_nothing_known_names_what_happened_last() -> None:
    run = clean_run().fail(Side.CLUSTER, "deploy", after_s=2, seconds=1, at_most=1)
    happen(run, "endpoint.added", "pod/payments-d4", 1.5, ip="198.18.2.9")
    found = culprit(run)
    assert found.pattern == "nearby"
    assert "after endpoint.added of pod/payments-d4" in found.sentence


def test_what_could_not_be_sent_is_said_so() -> None:
    run = clean_run().fail(Side.CLUSTER, "deploy", after_s=2, seconds=1, at_most=3, failure=Failure.NOT_SENT)
    assert culprit(run).sentence.startswith("3 requests not sent, too many were under way at")


def test_others_that_did_the_same_are_counted() -> None:
    run = happen(lost("connect-refused"), "pod.terminating", POD, 1.96, ip=IP)
    run.fail(
        Side.CLUSTER,
        "deploy",
        repeat=2,
        after_s=2,
        seconds=1,
        at_most=1,
        target="198.18.2.7:8080",
        cause="connect-refused",
    )
    run.happen("deploy", "pod.terminating", "pod/payments-b2", repeat=2, after_s=1.96, source=K8S, ip="198.18.2.7")
    assert culprit(run).sentence.endswith("The same at 1 other pod: 3 requests in all.")


@pytest.mark.parametrize("reused_after_s", [1.2, 1.9])
def test_an_address_used_again_belongs_to_the_pod_that_has_it(reused_after_s: float) -> None:
    run = happen(lost("connect-refused"), "pod.terminating", POD, 0.3, ip=IP)
    happen(run, "pod.gone", POD, 0.9, ip=IP)
    happen(run, "pod.ready", "pod/payments-e5", reused_after_s, ip=IP, node="node-1")
    found = culprit(run)
    assert found.subject == "pod/payments-e5"
    assert found.pattern == "not-ready-yet"


NEW = "pod/payments-d4"


def late_pod(run: RunBuilder) -> RunBuilder:
    """A new pod that Kubernetes calls ready while the load balancer has not taken it in."""
    return happen(run, "pod.ready", NEW, -3.0, ip="198.18.2.9", node="node-2")


def test_a_load_balancer_that_has_not_taken_new_pods_in_is_named() -> None:
    run = late_pod(happen(lost("connect-refused"), "pod.terminating", POD, -5.0, ip=IP, pre_stop=True))
    happen(run, "target.unhealthy", f"target/{TARGET}", 1.5, LB)
    found = culprit(run)
    assert (found.pattern, found.leaving) == ("pod-leaving", True)
    assert "7.0 s after it was told to end (preStop first)" in found.sentence
    assert "new requests were still sent to it, and it had stopped listening" in found.sentence
    assert "1 pod had been ready for 5.0 s, and the load balancer had not taken it in: it learns of pods late" in (
        found.sentence
    )
    assert found.hint is not None
    assert "readiness gate" in found.hint


def test_no_target_because_the_load_balancer_learns_of_new_ones_late() -> None:
    found = culprit(late_pod(lost("no-target", target="", failure=Failure.STATUS, status=503)))
    assert found.pattern == "no-target"
    assert "it learns of pods late" in found.sentence


def test_readiness_that_hangs_on_something_shared() -> None:
    run = lost("no-target", target="", failure=Failure.STATUS, status=503)
    for number, pod in enumerate(("a1", "b2", "c3")):
        happen(run, "pod.not-ready", f"pod/payments-{pod}", 1.0 + 0.3 * number)
    found = culprit(run)
    assert "all 3 pods ceased to be ready within 600 ms, and none was told to go" in found.sentence
    assert found.hint is not None
    assert "must not depend on what all pods share" in found.hint


def test_a_watcher_that_hears_of_it_a_moment_later_changes_nothing() -> None:
    """The load balancer let them all go before we heard why: they did not join late, they left."""
    run = lost("no-target", target="", failure=Failure.STATUS, status=503)
    for pod, ip in (("a1", "198.18.1.7"), ("b2", "198.18.2.7"), ("c3", "198.18.1.8")):
        happen(run, "target.draining", f"target/{ip}:8080", 1.9, LB)
        happen(run, "pod.not-ready", f"pod/payments-{pod}", 2.6)
    assert "all 3 pods ceased to be ready" in culprit(run).sentence


def test_a_load_balancer_that_fails_open_to_pods_that_are_not_ready() -> None:
    """It asks all when none is healthy: the pod is named, and so is what they all had in common."""
    run = lost("target-status", failure=Failure.STATUS, status=503)
    for pod in ("a1", "b2", "c3"):
        happen(run, "pod.not-ready", f"pod/payments-{pod}", 1.0)
    found = culprit(run)
    assert found.pattern == "unready"
    assert "all 3 pods ceased to be ready" in found.sentence


def test_a_container_that_ends_by_itself() -> None:
    run = happen(lost("reset-by-target"), "pod.stopped", POD, 1.9, exit_code=137, reason="OOMKilled")
    found = culprit(run)
    assert found.pattern == "crashed"
    assert "102 ms after its container ended by itself (exit code 137, OOMKilled)" in found.sentence


def test_too_few_pods_are_left() -> None:
    run = lost("target-status", failure=Failure.STATUS, status=503)
    for pod in ("b2", "c3"):
        happen(run, "pod.terminating", f"pod/payments-{pod}", 1.0)
    found = culprit(run)
    assert found.pattern == "short-handed"
    assert "while 1 of 3 pods served: what was left could not carry the load" in found.sentence


def test_a_pod_that_was_ready_before_we_looked_is_not_new() -> None:
    run = RunBuilder()
    run._happenings.clear()
    run.phase("deploy", clean_run().find("deploy").kind, 7)
    happen(run, "pod.present", POD, 0.0, ip=IP, node="node-1", ready=True)
    happen(run, "target.healthy", f"target/{TARGET}", 0.0, LB)
    run.fail(Side.CLUSTER, "deploy", after_s=1, seconds=1, at_most=2, status=500, target=TARGET, cause="target-status")
    assert culprit(run).pattern == "pod-failing"


def test_pods_that_fail_alike_are_not_each_to_blame() -> None:
    found = culprit(lost("target-status", failure=Failure.STATUS, status=500))
    assert found.hint is not None
    assert "compare what the cluster side is given with what legacy has" in found.hint


def test_a_pod_that_its_cpu_limit_stopped_fails_for_that() -> None:
    run = lost("target-status", failure=Failure.STATUS, status=503)
    happen(run, "pod.throttled", POD, 3.0, throttled=74, periods=141, cpu_limit="50m")
    found = culprit(run)
    assert "by pod payments-a1 at 00:00:17.502: pod payments-a1 was stopped by its CPU limit of 50m in 52%" in (
        found.sentence
    )
    assert found.hint is not None
    assert "CPU limit" in found.hint


def test_requests_that_a_stopped_pod_left_no_room_for() -> None:
    run = clean_run().fail(Side.CLUSTER, "deploy", after_s=2, seconds=1, at_most=3, failure=Failure.NOT_SENT)
    happen(run, "pod.throttled", POD, 3.0, throttled=74, periods=141, cpu_limit="50m")
    found = culprit(run)
    assert found.sentence.startswith("3 requests not sent, too many were under way")
    assert "was stopped by its CPU limit of 50m" in found.sentence


def test_pods_that_fail_from_the_first_request_on_had_no_load_before() -> None:
    run = clean_run().fail(
        Side.CLUSTER, "steady", after_s=2.2, seconds=1, failure=Failure.STATUS, status=503, target=TARGET,
        cause="target-status",
    )  # fmt: skip
    found = culprit(run)
    assert found.pattern == "pod-failing"
    assert "the pod itself failed, from the run's first requests on" in found.sentence
    assert found.hint is not None
    assert found.hint.endswith("connections that it kept idle may be broken")


def test_a_host_of_the_legacy_side_that_was_taken_away_too_early() -> None:
    legacy = "198.18.0.21:8080"
    run = clean_run()
    run.happen("steady", "target.healthy", f"target/{legacy}", after_s=0, source=LB, side="legacy")
    run.fail(
        Side.WEIGHTED, "shift", after_s=2, seconds=1, failure=Failure.STATUS, status=503, target=legacy,
        cause="connect-refused",
    )  # fmt: skip
    run.happen("shift", "weights.set", "rule/weighted", after_s=1.5, source=LB, cluster_pct=25)
    run.happen("shift", "target.unhealthy", f"target/{legacy}", after_s=3.2, source=LB, side="legacy")
    found = culprit(run)
    assert (found.pattern, found.subject) == ("legacy-failing", "legacy/198.18.0.21")
    assert "150 requests refused by host 198.18.0.21 of the legacy side" in found.sentence
    assert "before the load balancer found it unfit" in found.sentence
    assert "after the weights were set" in found.sentence


def test_what_a_quiet_spell_broke() -> None:
    run = clean_run().phase("quiet-spell", clean_run().find("deploy").kind, 12)
    run.fail(Side.CLUSTER, "quiet-spell", after_s=6, seconds=1, at_most=4, target=TARGET, cause="reset-by-target")
    history = run.build()
    start = run.find("quiet-spell").start_ns
    kept = (history.events["intended_ns"] < start + 1_000_000_000) | (
        history.events["intended_ns"] >= start + 6_000_000_000
    )
    history = replace(history, events=history.events[kept])
    case = make_case(history, Objectives())
    found = main_culprit(find_culprits(history, case.pairs, np.flatnonzero(case.pairs.attributed)))
    assert found is not None
    assert found.pattern == "idle-dropped"
    assert "after a quiet spell of 5.0 s: connections that had been idle were broken" in found.sentence
