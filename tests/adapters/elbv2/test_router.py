"""The router and the undo handlers against the lab's load balancer: the API that production has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes.backends import Backend
from fakes.balancer import PLATFORM, Balancer, eventually, running_balancer

from shiftproof.adapters.elbv2 import Elbv2Router, connect, undo_lag, undo_weights
from shiftproof.adapters.targets import load_service, load_target
from shiftproof.errors import FaultError, SetupError, UndoError, UserError
from shiftproof.model.event import Side
from shiftproof.model.marks import CUSTOMERS_RULE, TAG_RULE, TAG_WRITER
from shiftproof.ports import Weights

pytestmark = pytest.mark.component


@pytest.fixture(scope="module")
def balancer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    legacy = Backend("127.0.3.2")
    with running_balancer(tmp_path_factory.mktemp("balancer"), [legacy]) as running:
        yield running
    legacy.close()


@pytest.fixture
def router(balancer: Balancer) -> Iterator[Elbv2Router]:
    made = connect(balancer.target, balancer.service)
    yield made
    for rule in (CUSTOMERS_RULE, "weighted"):
        made.set_weights(rule, Weights(100, 0))


@pytest.fixture
def infra(balancer: Balancer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working copy's infra folder that describes the running balancer."""
    (tmp_path / "platform.yaml").write_text(PLATFORM)
    (tmp_path / "targets").mkdir()
    target = f"name: lab\nkind: lab\naws_endpoint: {balancer.api}\nkubeconfig: none\nentry: {balancer.entry}\n"
    (tmp_path / "targets" / "lab.yaml").write_text(target)
    monkeypatch.setenv("SHIFTPROOF_INFRA", str(tmp_path))
    return tmp_path


def test_rules_as_the_infrastructure_code_made_them(router: Elbv2Router) -> None:
    assert router.all_weights() == {
        "customers": Weights(100, 0),
        "legacy": Weights(100, 0),
        "cluster": Weights(0, 100),
        "weighted": Weights(100, 0),
    }
    assert router.other_writers() == []


def test_weights_written_are_held_and_nothing_else_changes(router: Elbv2Router) -> None:
    router.set_weights("weighted", Weights(75, 25))
    assert router.weights("weighted") == Weights(75, 25)
    assert router.weights(CUSTOMERS_RULE) == Weights(100, 0)


@pytest.mark.parametrize("rule", ["legacy", "cluster", "nonsense"])
def test_pinned_rules_are_never_written(router: Elbv2Router, rule: str) -> None:
    with pytest.raises(SetupError, match="pinned"):
        router.set_weights(rule, Weights(50, 50))


@pytest.mark.parametrize("weights", [Weights(50, 51), Weights(-1, 101)])
def test_weights_that_are_no_percents_are_refused(router: Elbv2Router, weights: Weights) -> None:
    with pytest.raises(SetupError, match="add up to 100"):
        router.set_weights("weighted", weights)


def test_stickiness_of_the_rule_is_kept(balancer: Balancer, router: Elbv2Router) -> None:
    arn = _rule_arn(balancer, "weighted")
    sticky = {"Enabled": True, "DurationSeconds": 60}
    forward: Any = {
        "TargetGroups": [{"TargetGroupArn": balancer.group(side), "Weight": 1} for side in ("legacy", "cluster")],
        "TargetGroupStickinessConfig": sticky,
    }
    balancer.elbv2.modify_rule(RuleArn=arn, Actions=[{"Type": "forward", "ForwardConfig": forward}])
    assert router.weights("weighted") == Weights(50, 50)
    router.set_weights("weighted", Weights(90, 10))
    action = balancer.elbv2.describe_rules(RuleArns=[arn])["Rules"][0]["Actions"][0]
    assert action["ForwardConfig"]["TargetGroupStickinessConfig"] == sticky


def test_weights_that_another_writer_takes_back_are_a_fault(balancer: Balancer) -> None:
    """It writes after us, and again and again, as a controller that reconciles does."""
    waits: list[float] = []
    client: Any = _Overwritten(balancer.elbv2, connect(balancer.target, balancer.service))
    ours = Elbv2Router(client, balancer.service, monotonic=lambda: sum(waits), sleep=waits.append)
    with pytest.raises(FaultError, match="holds legacy 100 and cluster 0 although legacy 75"):
        ours.set_weights("weighted", Weights(75, 25))
    assert sum(waits) >= 5


class _Overwritten:
    """A client after whose every write somebody else writes."""

    def __init__(self, client: Any, other: Elbv2Router) -> None:
        self._client = client
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def modify_rule(self, **arguments: Any) -> None:
        self._client.modify_rule(**arguments)
        self._other.set_weights("weighted", Weights(100, 0))


def test_other_writers_are_seen_by_their_marks(balancer: Balancer, router: Elbv2Router) -> None:
    arn = _rule_arn(balancer, CUSTOMERS_RULE)
    balancer.elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": TAG_WRITER, "Value": "argo-rollouts"}])
    assert router.other_writers() == ["argo-rollouts"]
    balancer.elbv2.remove_tags(ResourceArns=[arn], TagKeys=[TAG_WRITER])
    assert "unknown" in router.other_writers()[0]
    tags: Any = [{"Key": TAG_WRITER, "Value": "shiftproof"}, {"Key": "ingress.k8s.aws/stack", "Value": "x"}]
    balancer.elbv2.add_tags(ResourceArns=[arn], Tags=tags)
    assert router.other_writers() == ["AWS Load Balancer Controller"]
    balancer.elbv2.remove_tags(ResourceArns=[arn], TagKeys=["ingress.k8s.aws/stack"])
    assert router.other_writers() == []


def test_targets_with_their_states(balancer: Balancer, router: Elbv2Router) -> None:
    eventually(lambda: [target.state for target in router.targets(Side.LEGACY)] == ["healthy"], "legacy healthy")
    assert router.targets(Side.LEGACY)[0].address.startswith("127.0.3.2:")
    assert list(router.targets(Side.CLUSTER)) == []
    with pytest.raises(SetupError):
        router.targets(Side.WEIGHTED)


def test_missing_and_doubled_rules_are_named(balancer: Balancer, router: Elbv2Router) -> None:
    arn = _rule_arn(balancer, "weighted")
    for value, words in (("other", "no rule weighted"), ("legacy", "two rules carry")):
        balancer.elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": TAG_RULE, "Value": value}])
        with pytest.raises(SetupError, match=words):
            connect(balancer.target, balancer.service).weights("customers")
    balancer.elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": TAG_RULE, "Value": "weighted"}])


def test_api_that_does_not_answer_is_our_own_set_up(balancer: Balancer) -> None:
    gone = balancer.target.model_copy(update={"aws_endpoint": "http://127.0.0.1:9"})
    with pytest.raises(SetupError, match="could not find the rules of payments"):
        connect(gone, balancer.service).weights("customers")


@pytest.mark.usefixtures("infra")
def test_undo_of_weights_is_idempotent(router: Elbv2Router) -> None:
    router.set_weights("weighted", Weights(40, 60))
    payload = {"target": "lab", "service": "payments", "rule": "weighted", "legacy_pct": 100, "cluster_pct": 0}
    undo_weights(payload)
    undo_weights(payload)
    assert router.weights("weighted") == Weights(100, 0)
    with pytest.raises(UndoError, match="lacks 'rule'"):
        undo_weights({key: value for key, value in payload.items() if key != "rule"})
    with pytest.raises(UndoError, match="no service 'cards'"):
        undo_weights(payload | {"service": "cards"})


@pytest.mark.usefixtures("infra")
def test_undo_of_the_lag(balancer: Balancer) -> None:
    balancer.lag(weights_s=3, registration_s=4)
    undo_lag({"target": "lab", "weights_s": 0, "registration_s": 0})
    now = httpx.get(f"{balancer.api}/_lab/lag").json()
    assert now == {"weights_s": 0.0, "registration_s": 0.0, "deregistration_s": None}
    with pytest.raises(UndoError, match="could not be put back: the load balancer refuses"):
        undo_lag({"target": "lab", "weights_s": -1, "registration_s": 0})


def test_unknown_target_is_told_which_there_are(infra: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load_target("lab").kind == "lab"
    assert load_service("payments").name == "payments"
    with pytest.raises(UserError, match="known: lab"):
        load_target("prod")
    monkeypatch.delenv("SHIFTPROOF_INFRA")
    monkeypatch.chdir("/")
    with pytest.raises(UserError, match=r"no infra/platform\.yaml"):
        load_target("lab")


def _rule_arn(balancer: Balancer, name: str) -> str:
    client = balancer.elbv2
    balancer_arn = client.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    listener = client.describe_listeners(LoadBalancerArn=balancer_arn)["Listeners"][0]["ListenerArn"]
    for rule in client.describe_rules(ListenerArn=listener)["Rules"]:
        found = client.describe_tags(ResourceArns=[rule["RuleArn"]])["TagDescriptions"][0]["Tags"]
        if {"Key": TAG_RULE, "Value": name} in found:
            return rule["RuleArn"]
    raise AssertionError(f"no rule {name}")
