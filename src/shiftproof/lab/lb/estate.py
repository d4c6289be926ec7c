"""The load balancer's objects, made from platform.yaml with boto3: what Terraform does in production.

For each service: two target groups, the customers' rule, and three rehearsal rules, all tagged so that the elbv2
adapter finds them. Values are such as AWS takes; the only thing of the lab's own is the tag that makes health checks
more frequent than AWS allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from shiftproof.errors import ConfigError
from shiftproof.lab.lb.desired import TAG_CHECK_INTERVAL_MS, Address
from shiftproof.model.marks import (
    CUSTOMERS_RULE,
    REHEARSAL_HEADER,
    TAG_RULE,
    TAG_SERVICE,
    TAG_SIDE,
    TAG_WRITER,
    WRITER,
)
from shiftproof.model.platform import Platform, Service

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import ActionTypeDef, TagTypeDef

CHECK_INTERVAL_MS = 1000
DEREGISTRATION_DELAY_S = 5
CUSTOMERS_PRIORITY = 1000
SUBNETS_PER_BALANCER = 2
MAX_PATHS = 4  # AWS allows five values in one rule, and the header is one of them


def load_platform(path: Path) -> Platform:
    """The platform file; raises ConfigError."""
    try:
        return Platform.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"cannot be used for the load balancer: {error}", file=path) from error


def build(
    elbv2: ElasticLoadBalancingv2Client,
    subnets: Sequence[str],
    vpc: str,
    platform: Platform,
    legacy_targets: Sequence[Address],
    port: int,
) -> Mapping[str, str]:
    """Make everything. Returns the cluster target group's ARN by service. Raises ConfigError for two balancers."""
    names = {service.load_balancer.name for service in platform.services}
    if len(names) != 1:
        raise ConfigError(f"the lab has one load balancer, and {sorted(names)} are named", file="platform.yaml")
    balancer = elbv2.create_load_balancer(
        Name=names.pop(), Subnets=list(subnets), Scheme="internal", Type="application"
    )["LoadBalancers"][0]
    listener = elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=port,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Listeners"][0]
    clusters = {}
    for index, service in enumerate(platform.services):
        legacy = _group(elbv2, service, "legacy", vpc, legacy_targets[0].port)
        cluster = _group(elbv2, service, "cluster", vpc, legacy_targets[0].port)
        elbv2.register_targets(
            TargetGroupArn=legacy, Targets=[{"Id": target.ip, "Port": target.port} for target in legacy_targets]
        )
        paths = None if len(platform.services) == 1 else service_paths(service)
        _rules(elbv2, service, index, listener["ListenerArn"], legacy, cluster, paths)
        clusters[service.name] = cluster
    return clusters


def service_paths(service: Service) -> Sequence[str]:
    """Path patterns of a service that shares its load balancer: the first segments of its operations' paths."""
    first = {"/" + operation.path.split("?")[0].split("/")[1] for operation in service.load.operations}
    if len(first) > MAX_PATHS:
        raise ConfigError(f"{service.name} has more than {MAX_PATHS} path prefixes", file="platform.yaml")
    return [f"{path}*" for path in sorted(first)]


def _group(elbv2: ElasticLoadBalancingv2Client, service: Service, side: str, vpc: str, port: int) -> str:
    names = {
        "legacy": service.load_balancer.legacy_target_group,
        "cluster": service.load_balancer.cluster_target_group,
    }
    tags: list[TagTypeDef] = [
        {"Key": TAG_SERVICE, "Value": service.name},
        {"Key": TAG_SIDE, "Value": side},
        {"Key": TAG_CHECK_INTERVAL_MS, "Value": str(CHECK_INTERVAL_MS)},
    ]
    arn = elbv2.create_target_group(
        Name=names[side],
        Protocol="HTTP",
        Port=port,
        VpcId=vpc,
        TargetType="ip",
        HealthCheckProtocol="HTTP",
        HealthCheckPath=service.health_path,
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
        Matcher={"HttpCode": "200"},
        Tags=tags,
    )["TargetGroups"][0]["TargetGroupArn"]
    elbv2.modify_target_group_attributes(
        TargetGroupArn=arn,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(DEREGISTRATION_DELAY_S)}],
    )
    return arn


def _rules(
    elbv2: ElasticLoadBalancingv2Client,
    service: Service,
    index: int,
    listener: str,
    legacy: str,
    cluster: str,
    paths: Sequence[str] | None,
) -> None:
    """Rehearsal rules come before every customers' rule, so that no path of another service can catch ours."""
    split = _forward({legacy: 100, cluster: 0})
    rehearsal = {"legacy": _forward({legacy: 1}), "cluster": _forward({cluster: 1}), "weighted": split}
    here = [] if paths is None else [_path(paths)]
    for offset, (rule, action) in enumerate(rehearsal.items(), start=1):
        elbv2.create_rule(
            ListenerArn=listener,
            Priority=3 * index + offset,
            Conditions=[_header(rule), *here],
            Actions=[action],
            Tags=[{"Key": TAG_SERVICE, "Value": service.name}, {"Key": TAG_RULE, "Value": rule}],
        )
    elbv2.create_rule(
        ListenerArn=listener,
        Priority=CUSTOMERS_PRIORITY + index,
        Conditions=here or [_path(["/*"])],
        Actions=[split],
        Tags=[
            {"Key": TAG_SERVICE, "Value": service.name},
            {"Key": TAG_RULE, "Value": CUSTOMERS_RULE},
            {"Key": TAG_WRITER, "Value": WRITER},
        ],
    )


def _forward(weights: Mapping[str, int]) -> ActionTypeDef:
    groups: Any = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def _header(rule: str) -> Any:
    return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": REHEARSAL_HEADER, "Values": [rule]}}


def _path(patterns: Sequence[str]) -> Any:
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(patterns)}}
