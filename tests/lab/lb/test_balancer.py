"""The lab's load balancer does what an Application Load Balancer does: real moto, real HAProxy, small real targets."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from fakes.backends import Backend
from fakes.balancer import Balancer, Estate, eventually

from shiftproof.adapters.elbv2 import connect
from shiftproof.lab.lb.lag import LETS_GO_S
from shiftproof.ports import Weights

pytestmark = pytest.mark.component
MakePod = Callable[[], Backend]


def set_weights(balancer: Balancer, rule: str, cluster_pct: int) -> None:
    connect(balancer.target, balancer.service).set_weights(rule, Weights(100 - cluster_pct, cluster_pct))


def answered_by(balancer: Balancer, rule: str | None, count: int) -> Counter[str]:
    with httpx.Client(timeout=60) as client:
        return Counter(_who(balancer.get(rule, client=client)[1]) for _ in range(count))


def _who(answer: httpx.Response) -> str:
    return answer.text if answer.status_code == 200 else str(answer.status_code)


def wait_for_legacy(balancer: Balancer, estate: Estate) -> None:
    for backend in estate.legacy:
        balancer.wait_healthy("legacy", backend)


def test_customers_start_on_legacy_and_round_robin(estate: Estate, balancer: Balancer) -> None:
    wait_for_legacy(balancer, estate)
    assert answered_by(balancer, None, 40) == {"legacy-1": 20, "legacy-2": 20}


def test_rehearsal_header_decides_the_side(estate: Estate, balancer: Balancer, pods: MakePod) -> None:
    pod = pods()
    balancer.register("cluster", pod)
    assert answered_by(balancer, "cluster", 10) == {pod.name: 10}
    assert set(answered_by(balancer, "legacy", 10)) == {"legacy-1", "legacy-2"}
    assert set(answered_by(balancer, "CLUSTER", 3)) == {pod.name}, "an ALB compares header values without case"
    assert set(answered_by(balancer, "clusters", 4)) == {"legacy-1", "legacy-2"}


def test_weights_of_one_rule_are_followed_and_no_other_rule_moves(balancer: Balancer, pods: MakePod) -> None:
    pod = pods()
    balancer.register("cluster", pod)
    set_weights(balancer, "weighted", 25)
    eventually(lambda: balancer.get("weighted")[1].text == pod.name, "the first weighted request on the cluster")
    count, share = 3000, 0.25
    seen = answered_by(balancer, "weighted", count)
    assert sum(seen.values()) == count
    assert abs(seen[pod.name] - count * share) < 5 * sqrt(count * share * (1 - share)), seen
    assert answered_by(balancer, None, 50)[pod.name] == 0
    set_weights(balancer, "weighted", 100)
    eventually(lambda: answered_by(balancer, "weighted", 20) == {pod.name: 20}, "all on the cluster")
    set_weights(balancer, "weighted", 0)
    eventually(lambda: answered_by(balancer, "weighted", 20)[pod.name] == 0, "all back on legacy")


def test_empty_group_answers_503_and_nothing_fails_over(balancer: Balancer) -> None:
    eventually(lambda: not balancer.states("cluster"), "no cluster target left")
    identity, answer = balancer.get("cluster")
    assert answer.status_code == 503
    assert balancer.log_of(identity)["target"] == "-:-"
    set_weights(balancer, "weighted", 50)
    eventually(lambda: balancer.get("weighted")[1].status_code == 503, "weighted traffic on the empty group")
    seen = answered_by(balancer, "weighted", 1000)
    assert abs(seen["503"] - 500) < 5 * sqrt(250), seen
    set_weights(balancer, "weighted", 0)


def test_refused_connection_is_not_tried_elsewhere(balancer: Balancer, pods: MakePod) -> None:
    """Before health checks notice: half of the requests meet the closed port, and none of them arrives anywhere."""
    alive, dead = pods(), pods()
    balancer.register("cluster", alive, dead)
    dead.close()
    outcomes = [balancer.get("cluster") for _ in range(10)]
    failed = [identity for identity, answer in outcomes if answer.status_code == 503]
    assert failed, "the requests were too late to meet the dead target"
    assert not set(failed) & set(alive.arrivals)
    assert balancer.log_of(failed[0])["end"] == "SC"
    assert balancer.log_of(failed[0])["target"] == f"{dead.ip}:{dead.port}"
    eventually(lambda: balancer.states("cluster")[f"{dead.ip}:{dead.port}"][0] == "unhealthy", "dead target unhealthy")
    assert balancer.states("cluster")[f"{dead.ip}:{dead.port}"][1] == "Target.FailedHealthChecks"
    assert answered_by(balancer, "cluster", 10) == {alive.name: 10}


def test_reset_by_the_target_arrives_once_and_fails(balancer: Balancer, pods: MakePod) -> None:
    good, bad = pods(), pods()
    balancer.register("cluster", good, bad)
    bad.broken = True
    outcomes = [balancer.get("cluster") for _ in range(10)]
    failed = {identity for identity, answer in outcomes if answer.status_code == 502}
    assert len(failed) == 5
    assert set(bad.arrivals) == failed
    assert len(bad.arrivals) == 5
    assert not failed & set(good.arrivals)
    assert balancer.log_of(min(failed))["end"] == "SH"


def test_reset_on_a_kept_connection_is_answered_and_logged(balancer: Balancer, pods: MakePod) -> None:
    """HAProxy by itself would close the client's connection without a word, and clients would try again unseen."""
    pod = pods()
    balancer.register("cluster", pod)
    with httpx.Client(timeout=60) as client:
        assert [balancer.get("cluster", client=client)[1].status_code for _ in range(5)] == [200] * 5
        pod.broken = True
        identity, answer = balancer.get("cluster", client=client)
    assert answer.status_code == 502
    assert balancer.log_of(identity)["end"] == "SH"
    assert pod.arrivals.count(identity) == 1


def test_connections_to_targets_are_kept_and_shared_by_clients(balancer: Balancer, pods: MakePod) -> None:
    pod = pods()
    balancer.register("cluster", pod)
    before = pod.connections - pod.checks
    for _ in range(50):
        assert balancer.get("cluster")[1].status_code == 200, "each on a client connection of its own"
    assert pod.connections - pod.checks - before < 5


def test_target_that_comes_gets_its_turn_and_no_more(balancer: Balancer, pods: MakePod) -> None:
    first, second, third = pods(), pods(), pods()
    balancer.register("cluster", first, second)
    for _ in range(3):
        answered_by(balancer, "cluster", 7)
        balancer.register("cluster", third)
        seen = [balancer.get("cluster")[1].text for _ in range(12)]
        assert Counter(seen) == {first.name: 4, second.name: 4, third.name: 4}
        assert all(len(set(seen[start : start + 3])) == 3 for start in range(0, 12, 3)), seen
        balancer.deregister("cluster", third)
        eventually(lambda: balancer.state("cluster", third) == "draining", "draining")


def test_draining_lets_requests_in_flight_finish_and_takes_no_new_one(balancer: Balancer, pods: MakePod) -> None:
    leaving, staying = pods(), pods()
    balancer.register("cluster", leaving, staying)
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(balancer.get("cluster", "/held")[1])) for _ in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(leaving.arrivals) + len(staying.arrivals) == 4, "four requests in flight")
    balancer.deregister("cluster", leaving)
    eventually(lambda: balancer.state("cluster", leaving) == "draining", "draining")
    before = len(leaving.arrivals)
    assert before == 2
    assert answered_by(balancer, "cluster", 20) == {staying.name: 20}
    leaving.release.set()
    staying.release.set()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(answer.text for answer in answers) == sorted([leaving.name, staying.name] * 2)
    assert len(leaving.arrivals) == before
    eventually(lambda: balancer.state("cluster", leaving) == "gone", "gone after the deregistration delay")


def test_what_outlives_the_deregistration_delay_is_cut(balancer: Balancer, pods: MakePod) -> None:
    pod = pods()
    balancer.register("cluster", pod)
    outcome: list[tuple[str, httpx.Response]] = []
    thread = threading.Thread(target=lambda: outcome.append(balancer.get("cluster", "/held")))
    thread.start()
    eventually(lambda: pod.arrivals, "a request in flight")
    balancer.deregister("cluster", pod)
    thread.join(timeout=60)
    assert not thread.is_alive(), "it was let go on"
    identity, answer = outcome[0]
    assert answer.status_code >= 500
    assert balancer.log_of(identity)["end"][0] == "K"


def test_target_health_tells_the_truth(balancer: Balancer, pods: MakePod) -> None:
    pod = pods()
    pod.healthy = False
    key = f"{pod.ip}:{pod.port}"
    balancer.register("cluster", pod, healthy=False)
    state, reason = balancer.states("cluster")[key]
    assert (state, reason) in [("initial", "Elb.RegistrationInProgress"), ("initial", "Elb.InitialHealthChecking")]
    assert balancer.get("cluster")[1].status_code == 503, "a target is not used before its first passed check"
    eventually(lambda: balancer.state("cluster", pod) == "unhealthy", "unhealthy")
    # A check that a busy machine let time out says so, and the next one says why it fails.
    eventually(lambda: balancer.states("cluster")[key][1] == "Target.ResponseCodeMismatch", "the reason")
    pod.healthy = True
    eventually(lambda: balancer.state("cluster", pod) == "healthy", "healthy")
    balancer.deregister("cluster", pod)
    eventually(lambda: balancer.states("cluster").get(key) == ("draining", "Target.DeregistrationInProgress"), "drain")
    asked = balancer.elbv2.describe_target_health(
        TargetGroupArn=balancer.group("cluster"), Targets=[{"Id": "127.0.9.9", "Port": 1}]
    )["TargetHealthDescriptions"][0]["TargetHealth"]
    assert (asked["State"], asked["Reason"]) == ("unused", "Target.NotRegistered")


def test_group_that_no_rule_uses_has_unused_targets(balancer: Balancer) -> None:
    arn = balancer.elbv2.create_target_group(
        Name="spare", Protocol="HTTP", Port=80, VpcId=_vpc(balancer), TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    balancer.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": "127.0.0.2"}])
    entry = balancer.elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"][0]
    assert entry["Target"] == {"Id": "127.0.0.2", "Port": 80}
    assert (entry["TargetHealth"]["State"], entry["TargetHealth"]["Reason"]) == ("unused", "Target.NotInUse")
    balancer.elbv2.delete_target_group(TargetGroupArn=arn)


def test_group_with_only_unhealthy_targets_fails_open(balancer: Balancer, pods: MakePod) -> None:
    """As an ALB's does; the control side must not fail where production's would not."""
    pod = pods()
    balancer.register("cluster", pod)
    pod.healthy = False
    eventually(lambda: balancer.state("cluster", pod) == "unhealthy", "unhealthy")
    assert answered_by(balancer, "cluster", 5) == {pod.name: 5}


def test_place_is_used_again_without_the_last_target_s_health_or_connections(balancer: Balancer, pods: MakePod) -> None:
    """A target that comes back to an address that drained begins anew, and meets no connection of its old self."""
    pod = pods()
    balancer.register("cluster", pod)
    answered_by(balancer, "cluster", 20)
    balancer.deregister("cluster", pod)
    eventually(lambda: balancer.state("cluster", pod) == "gone", "gone")
    ip, port = pod.ip, pod.port
    pod.close()
    successor = Backend(ip, port, name="successor")
    successor.healthy = False
    try:
        balancer.register("cluster", successor, healthy=False)
        assert balancer.state("cluster", successor) == "initial"
        assert balancer.get("cluster")[1].status_code == 503
        successor.healthy = True
        eventually(lambda: balancer.state("cluster", successor) == "healthy", "healthy")
        assert answered_by(balancer, "cluster", 20) == {"successor": 20}
    finally:
        balancer.deregister("cluster", successor)
        successor.close()


def test_weight_lag_is_honoured_and_setting_it_to_0_makes_what_waits_due(balancer: Balancer, pods: MakePod) -> None:
    pod = pods()
    balancer.register("cluster", pod)
    balancer.lag(weights_s=2)
    written = time.monotonic()
    set_weights(balancer, "weighted", 100)
    assert connect(balancer.target, balancer.service).weights("weighted") == Weights(0, 100), "the API holds it at once"
    eventually(lambda: balancer.get("weighted")[1].text == pod.name, "weights follow")
    assert time.monotonic() - written >= 2
    balancer.lag(weights_s=300)
    set_weights(balancer, "weighted", 0)
    assert answered_by(balancer, "weighted", 20) == {pod.name: 20}
    balancer.lag(weights_s=0)
    eventually(lambda: answered_by(balancer, "weighted", 5)[pod.name] == 0, "back on legacy")


def test_registration_lag_holds_back_coming_and_going(balancer: Balancer, pods: MakePod) -> None:
    pod = pods()
    balancer.lag(registration_s=2, deregistration_s=None)
    written = time.monotonic()
    balancer.register("cluster", pod, healthy=False)
    assert balancer.states("cluster")[f"{pod.ip}:{pod.port}"] == ("initial", "Elb.RegistrationInProgress")
    eventually(lambda: balancer.state("cluster", pod) == "healthy", "healthy")
    assert time.monotonic() - written >= 2
    balancer.lag(registration_s=300)
    balancer.deregister("cluster", pod)
    assert answered_by(balancer, "cluster", 10) == {pod.name: 10}, "a late load balancer still sends"
    balancer.lag(registration_s=0)
    eventually(lambda: balancer.state("cluster", pod) == "draining", "draining")


def test_a_target_that_leaves_is_sent_to_for_some_seconds_more_unless_it_is_told_otherwise(
    balancer: Balancer, pods: MakePod
) -> None:
    pod = pods()
    balancer.register("cluster", pod)
    balancer.lag(deregistration_s=None)
    left = time.monotonic()
    balancer.deregister("cluster", pod)
    assert answered_by(balancer, "cluster", 10) == {pod.name: 10}
    eventually(lambda: balancer.state("cluster", pod) == "draining", "draining")
    assert time.monotonic() - left >= LETS_GO_S


@pytest.mark.parametrize(
    "body",
    [
        '{"weights_s": -1}',
        '{"deregistration_s": -1}',
        '{"weights_s": "soon"}',
        "[]",
        '{"weight_s": 1}',
        "no",
        '{"registration_s": 1e9}',
    ],
)
def test_bad_lag_is_refused_and_changes_nothing(balancer: Balancer, body: str) -> None:
    answer = httpx.put(f"{balancer.api}/_lab/lag", content=body)
    assert answer.status_code == 400
    assert answer.json()["problem"]
    held = httpx.get(f"{balancer.api}/_lab/lag").json()
    assert held == {"weights_s": 0.0, "registration_s": 0.0, "deregistration_s": 0.0}


@pytest.mark.parametrize("weight", [1000, -1])
def test_weights_that_aws_refuses_are_refused(balancer: Balancer, weight: int) -> None:
    rules = _rules(balancer)
    groups: Any = [{"TargetGroupArn": balancer.group("legacy"), "Weight": weight}]
    with pytest.raises(ClientError, match="ValidationError"):
        balancer.elbv2.modify_rule(
            RuleArn=rules[-1],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
        )
    assert connect(balancer.target, balancer.service).weights("customers") == Weights(100, 0)


def test_rule_condition_that_the_lab_cannot_follow_is_refused(balancer: Balancer) -> None:
    with pytest.raises(ClientError, match="does not follow"):
        balancer.elbv2.modify_rule(
            RuleArn=_rules(balancer)[0],
            Conditions=[{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}],
        )


def test_new_rule_reloads_and_no_connection_or_health_is_lost(balancer: Balancer, pods: MakePod) -> None:
    pod = pods()
    balancer.register("cluster", pod)
    before = _haproxy_pid(balancer)
    held: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: held.append(balancer.get("cluster", "/held")[1]))
    thread.start()
    eventually(lambda: pod.arrivals, "a request in flight")
    arn = balancer.elbv2.create_rule(
        ListenerArn=_listener(balancer),
        Priority=900,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/gone/*"]}}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "410"}}],
    )["Rules"][0]["RuleArn"]
    statuses: Counter[int] = Counter()

    def reloaded() -> bool:
        statuses[balancer.get("cluster")[1].status_code] += 1
        return balancer.get(None, "/gone/x")[1].status_code == 410

    eventually(reloaded, "the new rule")
    assert set(statuses) == {200}, "targets were healthy before, and are so after"
    assert _haproxy_pid(balancer) != before
    pod.release.set()
    thread.join(timeout=60)
    assert held[0].text == pod.name
    balancer.elbv2.delete_rule(RuleArn=arn)
    eventually(lambda: balancer.get(None, "/gone/x")[1].text.startswith("legacy"), "the rule gone")
    assert balancer.state("cluster", pod) == "healthy"


def test_access_log_names_the_request_and_keeps_the_query_out(balancer: Balancer) -> None:
    identity, _ = balancer.get("legacy", "/payments/1?token=secret")
    line = balancer.log_of(identity)
    assert (line["rehearsal"], line["method"], line["path"], line["status"]) == ("legacy", "GET", "/payments/1", 200)
    assert abs(line["t_us"] / 1e6 - time.time()) < 60
    assert "secret" not in balancer.access_log.read_text(encoding="utf-8")
    httpx.get(f"{balancer.entry}/x", headers={"x-shiftproof-id": 'a"b\\c' + "d" * 500})
    balancer.log_of('a"b\\c' + "d" * (64 - 5))  # every line is JSON still: log_of reads them all


def _vpc(balancer: Balancer) -> str:
    return balancer.elbv2.describe_target_groups()["TargetGroups"][0]["VpcId"]


def _listener(balancer: Balancer) -> str:
    arn = balancer.elbv2.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    return balancer.elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"][0]["ListenerArn"]


def _rules(balancer: Balancer) -> list[str]:
    rules = balancer.elbv2.describe_rules(ListenerArn=_listener(balancer))["Rules"]
    return [rule["RuleArn"] for rule in rules if not rule["IsDefault"]]


def _haproxy_pid(balancer: Balancer) -> int:
    from shiftproof.lab.lb.runtime import Runtime

    return Runtime(Path(balancer.folder) / "haproxy.sock").pid()


def test_clients_stick_to_a_group_and_no_longer_than_said(estate: Estate, balancer: Balancer, pods: MakePod) -> None:
    """Target group stickiness: the group, not the target; whatever the weights are by then."""
    pod = pods()
    balancer.register("cluster", pod)
    router = connect(balancer.target, balancer.service)
    set_weights(balancer, "weighted", 100)
    eventually(lambda: balancer.get("weighted")[1].text == pod.name, "weighted requests on the cluster")
    assert "set-cookie" not in balancer.get("weighted")[1].headers
    router.set_stickiness("weighted", 10)
    eventually(lambda: "set-cookie" in balancer.get("weighted")[1].headers, "a cookie")
    assert router.weights("weighted") == Weights(0, 100)
    with httpx.Client(timeout=60) as client:
        first = balancer.get("weighted", client=client)[1]
        began = time.monotonic()
        assert (first.text, first.headers["set-cookie"].split("=")[0]) == (pod.name, "AWSALBTG")
        set_weights(balancer, "weighted", 0)
        eventually(lambda: balancer.get("weighted")[1].text.startswith("legacy-"), "others on legacy")
        stuck = balancer.get("weighted", client=client)[1]
        assert stuck.text == pod.name
        assert "set-cookie" not in stuck.headers, "it is not prolonged"
        assert balancer.get("legacy", client=client)[1].text.startswith("legacy-"), "another rule has its own"
        eventually(lambda: balancer.get("weighted", client=client)[1].text.startswith("legacy-"), "let go")
        assert time.monotonic() - began >= 9, "whole seconds are counted"
        assert len({balancer.get("weighted", client=client)[1].text for _ in range(8)}) == 2, "no target is kept"
    router.set_stickiness("weighted", 0)
    eventually(lambda: "set-cookie" not in balancer.get("weighted")[1].headers, "no cookie any more")
    assert router.stickiness_s("weighted") == 0


def test_a_cookie_that_nobody_gave_decides_nothing(balancer: Balancer) -> None:
    router = connect(balancer.target, balancer.service)
    router.set_stickiness("weighted", 60)
    eventually(lambda: "set-cookie" in balancer.get("weighted")[1].headers, "a cookie")
    for value in ("@payments-cluster", "payments-cluster.9999999999", "5.9999999999", "@nothing.9999999999", "@.x", ""):
        answer = httpx.get(
            f"{balancer.entry}/payments",
            headers={"x-shiftproof-rehearsal": "weighted", "cookie": f"AWSALBTG={value}"},
            timeout=60,
        )
        assert answer.text.startswith("legacy-"), value
    router.set_stickiness("weighted", 0)
