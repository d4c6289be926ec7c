"""Finding a service's rules and target groups: by names from platform.yaml and by tags, never by a written-down ARN."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shiftproof.adapters.aws import aws_errors
from shiftproof.errors import SetupError
from shiftproof.model.marks import RULES, TAG_RULE, TAG_SERVICE
from shiftproof.model.platform import Service

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

TAGS_AT_ONCE = 20  # AWS's limit for DescribeTags


@dataclass(frozen=True, slots=True)
class Found:
    """ARNs: `rules` by name (customers, legacy, cluster, weighted), `groups` by side (legacy, cluster)."""

    rules: Mapping[str, str]
    groups: Mapping[str, str]


def find(client: ElasticLoadBalancingv2Client, service: Service) -> Found:
    """All four rules and both groups. Raises SetupError naming what is missing or there twice."""
    with aws_errors(f"find the rules of {service.name}"):
        names = (service.load_balancer.legacy_target_group, service.load_balancer.cluster_target_group)
        groups = client.describe_target_groups(Names=list(names))["TargetGroups"]
        arns = {group["TargetGroupName"]: group["TargetGroupArn"] for group in groups}
        tagged = tags(client, list(_rule_arns(client, service.load_balancer.name)))
    rules: dict[str, str] = {}
    for arn, marks in tagged.items():
        name = marks.get(TAG_RULE)
        if marks.get(TAG_SERVICE) != service.name or name is None:
            continue
        if name in rules:
            raise SetupError(
                f"two rules carry {TAG_SERVICE}={service.name} and {TAG_RULE}={name}: {rules[name]}, {arn}"
            )
        rules[name] = arn
    missing = [rule for rule in RULES if rule not in rules]
    if missing:
        raise SetupError(
            f"load balancer {service.load_balancer.name} has no rule {', '.join(missing)} of {service.name}",
            hint=f"tag its rules with {TAG_SERVICE}={service.name} and {TAG_RULE}={'|'.join(RULES)}",
        )
    return Found(rules=rules, groups={"legacy": arns[names[0]], "cluster": arns[names[1]]})


def tags(client: ElasticLoadBalancingv2Client, arns: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """Tags by ARN."""
    found: dict[str, Mapping[str, str]] = {}
    for start in range(0, len(arns), TAGS_AT_ONCE):
        answer = client.describe_tags(ResourceArns=list(arns[start : start + TAGS_AT_ONCE]))
        for entry in answer["TagDescriptions"]:
            found[entry["ResourceArn"]] = {tag["Key"]: tag.get("Value", "") for tag in entry.get("Tags", ())}
    return found


def _rule_arns(client: ElasticLoadBalancingv2Client, balancer: str) -> Iterator[str]:
    arn = client.describe_load_balancers(Names=[balancer])["LoadBalancers"][0]["LoadBalancerArn"]
    for listeners in client.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn):
        for listener in listeners["Listeners"]:
            for page in client.get_paginator("describe_rules").paginate(ListenerArn=listener["ListenerArn"]):
                yield from (rule["RuleArn"] for rule in page["Rules"] if not rule.get("IsDefault"))
