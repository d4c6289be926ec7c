"""ports.Router on AWS's elbv2 API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shiftproof.adapters.aws import aws_client, aws_errors
from shiftproof.adapters.elbv2.find import Found, find, tags
from shiftproof.errors import FaultError, SetupError
from shiftproof.model.event import Side
from shiftproof.model.marks import CUSTOMERS_RULE, RULES, TAG_WRITER, WRITER
from shiftproof.model.platform import Service
from shiftproof.model.target import Target
from shiftproof.ports import TargetState, Weights

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import RuleTypeDef

SPLIT_RULES = (CUSTOMERS_RULE, "weighted")
READ_BACK_S = 5.0
READ_BACK_PAUSE_S = 0.25
CONTROLLER_TAGS = ("elbv2.k8s.aws/", "ingress.k8s.aws/")
"""Prefixes of the tags by which the AWS Load Balancer Controller marks what it made, and will write again."""


def connect(target: Target, service: Service) -> Elbv2Router:
    """A router with boto3's own credentials; the lab's API takes any. Calls nothing yet. Raises SetupError."""
    client: ElasticLoadBalancingv2Client = aws_client("elbv2", target)
    return Elbv2Router(client, service)


class Elbv2Router:
    """One service's rules and targets. Every call may raise SetupError when AWS refuses or does not answer."""

    def __init__(
        self,
        client: ElasticLoadBalancingv2Client,
        service: Service,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._service = service
        self._monotonic = monotonic
        self._sleep = sleep
        self._found: Found | None = None

    def weights(self, rule: str) -> Weights:
        """Read from the API. Raises SetupError when the rule's weights are no whole percents of our two groups."""
        return _percents(self._rule(rule), rule, self._arns().groups)

    def all_weights(self) -> Mapping[str, Weights]:
        """Those of all four rules, in one call."""
        found = self._arns()
        arns = {arn: name for name, arn in found.rules.items()}
        with aws_errors(f"read the rules of {self._service.name}"):
            rules = self._client.describe_rules(RuleArns=list(arns))["Rules"]
        return {arns[rule["RuleArn"]]: _percents(rule, arns[rule["RuleArn"]], found.groups) for rule in rules}

    def set_weights(self, rule: str, weights: Weights) -> None:
        """Write, then read back until the API holds it. Raises FaultError when it does not within READ_BACK_S.

        Only the weights change; the groups' stickiness stays as the infrastructure code set it.
        """
        if rule not in SPLIT_RULES:
            raise SetupError(f"rule {rule!r} is pinned to its side and has no weights to set")
        if weights.legacy_pct + weights.cluster_pct != 100 or min(weights.legacy_pct, weights.cluster_pct) < 0:
            raise SetupError(f"weights must be percents that add up to 100, not {_words(weights)}")
        actions = _with_weights(self._rule(rule), self._arns().groups, weights)
        with aws_errors(f"set the weights of {self._service.name}/{rule} to {_words(weights)}"):
            self._client.modify_rule(RuleArn=self._arns().rules[rule], Actions=actions)
        deadline = self._monotonic() + READ_BACK_S
        while (held := self.weights(rule)) != weights:
            if self._monotonic() >= deadline:
                raise FaultError(
                    f"rule {self._service.name}/{rule} holds {_words(held)} although {_words(weights)} was written",
                    hint="look for another writer of the rule",
                )
            self._sleep(READ_BACK_PAUSE_S)

    def stickiness_s(self, rule: str) -> int:
        """Seconds for which a client keeps the side that it first came to; 0 when it may change with each request."""
        held = _forward(self._rule(rule), rule).get("ForwardConfig", {}).get("TargetGroupStickinessConfig") or {}
        return int(held.get("DurationSeconds") or 0) if held.get("Enabled") else 0

    def set_stickiness(self, rule: str, seconds: int) -> None:
        """Write, and read back; 0 turns it off. The weights stay. Raises FaultError when the API does not hold it.

        For planted defects: in production stickiness is the infrastructure code's.
        """
        action = _forward(self._rule(rule), rule)
        if rule not in SPLIT_RULES:
            raise SetupError(f"rule {rule!r} is pinned to its side, so nobody can stick to another")
        held = action.get("ForwardConfig", {}).get("TargetGroups", [])
        config: dict[str, Any] = {"Enabled": seconds > 0, **({"DurationSeconds": seconds} if seconds > 0 else {})}
        forward: Any = {"TargetGroups": held, "TargetGroupStickinessConfig": config}
        with aws_errors(f"set the stickiness of {self._service.name}/{rule} to {seconds} s"):
            self._client.modify_rule(
                RuleArn=self._arns().rules[rule], Actions=[{"Type": "forward", "ForwardConfig": forward}]
            )
        found = self.stickiness_s(rule)
        if found != seconds:
            raise FaultError(f"rule {self._service.name}/{rule} sticks for {found} s although {seconds} s were written")

    def targets(self, side: Side) -> Sequence[TargetState]:
        """The targets registered or draining on the legacy or the cluster side."""
        if side not in (Side.LEGACY, Side.CLUSTER):
            raise SetupError(f"side {side!r} has no target group of its own")
        arn = self._arns().groups[side.name.lower()]
        with aws_errors(f"read the targets of {self._service.name} on the {side.name.lower()} side"):
            answer = self._client.describe_target_health(TargetGroupArn=arn)
        return [
            TargetState(
                address=f"{entry['Target']['Id']}:{entry['Target'].get('Port', '')}",
                state=entry["TargetHealth"].get("State", ""),
                reason=entry["TargetHealth"].get("Reason", ""),
            )
            for entry in answer["TargetHealthDescriptions"]
        ]

    def other_writers(self) -> Sequence[str]:
        """By the customers' rule's tags: a writer that is not ours, none at all, or a controller that marked it."""
        arn = self._arns().rules[CUSTOMERS_RULE]
        with aws_errors(f"read the tags of {self._service.name}/{CUSTOMERS_RULE}"):
            marks = tags(self._client, [arn]).get(arn, {})
        others = []
        writer = marks.get(TAG_WRITER)
        if writer is None:
            others.append(f"somebody unknown (the rule has no tag {TAG_WRITER})")
        elif writer != WRITER:
            others.append(writer)
        if any(key.startswith(CONTROLLER_TAGS) for key in marks):
            others.append("AWS Load Balancer Controller")
        return others

    def _arns(self) -> Found:
        """Looked up once: ARNs do not change, and what they stand for is read each time."""
        if self._found is None:
            self._found = find(self._client, self._service)
        return self._found

    def _rule(self, rule: str) -> RuleTypeDef:
        if rule not in RULES:
            raise SetupError(f"there is no rule {rule!r}, only {', '.join(RULES)}")
        with aws_errors(f"read the rule {self._service.name}/{rule}"):
            return self._client.describe_rules(RuleArns=[self._arns().rules[rule]])["Rules"][0]


def _forward(rule: RuleTypeDef, name: str) -> Mapping[str, Any]:
    for action in rule.get("Actions", ()):
        if action["Type"] == "forward":
            return action
    raise SetupError(f"rule {name!r} does not forward to target groups")


def _percents(rule: RuleTypeDef, name: str, groups: Mapping[str, str]) -> Weights:
    action = _forward(rule, name)
    entries = action.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"]}]
    weights = {entry["TargetGroupArn"]: int(entry.get("Weight", 1)) for entry in entries}
    strangers = [arn for arn, weight in weights.items() if weight and arn not in groups.values()]
    if strangers:
        raise SetupError(f"rule {name!r} also forwards to {', '.join(strangers)}")
    legacy, cluster = weights.get(groups["legacy"], 0), weights.get(groups["cluster"], 0)
    total = legacy + cluster
    if total == 0 or 100 * cluster % total:
        raise SetupError(f"rule {name!r} has the weights {legacy} and {cluster}, which are no whole percents")
    cluster_pct = 100 * cluster // total
    return Weights(legacy_pct=100 - cluster_pct, cluster_pct=cluster_pct)


def _with_weights(rule: RuleTypeDef, groups: Mapping[str, str], weights: Weights) -> Any:
    action = _forward(rule, "")
    forward: dict[str, Any] = {
        "TargetGroups": [
            {"TargetGroupArn": groups["legacy"], "Weight": weights.legacy_pct},
            {"TargetGroupArn": groups["cluster"], "Weight": weights.cluster_pct},
        ]
    }
    stickiness = action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig")
    if stickiness:
        forward["TargetGroupStickinessConfig"] = stickiness
    return [{"Type": "forward", "ForwardConfig": forward}]


def _words(weights: Weights) -> str:
    return f"legacy {weights.legacy_pct} and cluster {weights.cluster_pct}"
