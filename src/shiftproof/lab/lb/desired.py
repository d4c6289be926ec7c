"""What the API says the load balancer should be: rules and target groups, read out of moto as plain values.

The only module that knows moto's objects. It reads them in process, and not through HTTP, because it is asked ten
times a second on a machine whose cores the load needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.elbv2.models import elbv2_backends

ACCOUNT = "123456789012"  # moto's own default account

TAG_CHECK_INTERVAL_MS = "shiftproof:lab-check-interval-ms"
"""AWS checks health every 5 s at best; the lab may be told to do so more often, so that crash drills fit in a gate."""

FORWARD = "forward"
FIXED = "fixed-response"


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """One registered target."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"{self.ip}:{self.port}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule: any of `values` must match (AWS wildcards * and ?). `name`: of the header, else ""."""

    field: str
    values: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One listener rule. `weights`: (target group name, 0..999) in order; empty for a fixed response of `status`.

    stickiness_s: how long a client keeps the group that it first came to; 0: not at all.
    """

    key: str
    priority: int
    conditions: tuple[Condition, ...]
    weights: tuple[tuple[str, int], ...]
    status: int = 503
    stickiness_s: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """One target group. `in_use`: some rule forwards to it (else AWS does not check it, and says unused)."""

    arn: str
    name: str
    port: int
    check_path: str
    check_codes: str
    interval_ms: int
    timeout_ms: int
    rise: int
    fall: int
    delay_s: float
    in_use: bool
    targets: frozenset[Address]


@dataclass(frozen=True, slots=True)
class Desired:
    """All of it. `rules` by priority, the default last; `groups` by name."""

    rules: tuple[Rule, ...]
    groups: Mapping[str, Group]


DEFAULT_PRIORITY = 100_000  # behind AWS's highest, 50,000


def read(region: str) -> Desired:
    """The state of the API now. Lists are copied first, since other threads write while we read."""
    backend = elbv2_backends[ACCOUNT][region]
    names = {group.arn: group.name for group in list(backend.target_groups.values())}
    rules = tuple(
        sorted(
            (
                _rule(rule, names)
                for balancer in list(backend.load_balancers.values())
                for listener in list(balancer.listeners.values())
                for rule in list(listener.rules.values())
            ),
            key=lambda rule: rule.priority,
        )
    )
    used = {name for rule in rules for name, _ in rule.weights}
    groups = {
        group.name: _group(group, backend.tagging_service.get_tag_dict_for_resource(group.arn), group.name in used)
        for group in list(backend.target_groups.values())
    }
    return Desired(rules=rules, groups=groups)


def _rule(rule: Any, names: Mapping[str, str]) -> Rule:
    default = rule.priority == "default"
    action = rule.actions[-1].data
    status = 503
    if action.get("Type") == FIXED:
        status = int(action.get("FixedResponseConfig", {}).get("StatusCode", status))
    return Rule(
        # A default rule's ARN changes with every process, so its listener names it.
        key="default" if default else str(rule.arn).rsplit("/", 1)[-1],
        priority=DEFAULT_PRIORITY if default else int(rule.priority),
        conditions=tuple(_condition(condition) for condition in rule.conditions),
        weights=tuple(_weights(action, names)),
        status=status,
        stickiness_s=_stickiness_s(action),
    )


def _stickiness_s(action: Mapping[str, Any]) -> int:
    held = action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig") or {}
    return int(held.get("DurationSeconds") or 0) if str(held.get("Enabled")).lower() == "true" else 0


def _weights(action: Mapping[str, Any], names: Mapping[str, str]) -> Iterable[tuple[str, int]]:
    if action.get("Type") != FORWARD:
        return
    several = action.get("ForwardConfig", {}).get("TargetGroups", [])
    for entry in several or [{"TargetGroupArn": action.get("TargetGroupArn"), "Weight": 1}]:
        if entry["TargetGroupArn"] in names:
            yield names[entry["TargetGroupArn"]], int(entry.get("Weight", 1))


def _condition(condition: Mapping[str, Any]) -> Condition:
    field = str(condition["Field"])
    config: Mapping[str, Any] = next((value for key, value in condition.items() if key.endswith("Config")), {})
    values = tuple(str(value) for value in config.get("Values") or condition.get("Values") or ())
    return Condition(field=field, values=values, name=str(config.get("HttpHeaderName", "")))


def _group(group: Any, tags: Mapping[str, str | None], in_use: bool) -> Group:
    interval_ms = int(tags.get(TAG_CHECK_INTERVAL_MS) or 1000 * int(group.health_check_interval_seconds))
    return Group(
        arn=group.arn,
        name=group.name,
        port=int(group.port),
        check_path=str(group.health_check_path or "/"),
        check_codes=str((group.matcher or {}).get("HttpCode", "200")),
        interval_ms=interval_ms,
        timeout_ms=min(1000 * int(group.health_check_timeout_seconds), interval_ms),
        rise=int(group.healthy_threshold_count),
        fall=int(group.unhealthy_threshold_count),
        delay_s=float(group.attributes["deregistration_delay.timeout_seconds"]),
        in_use=in_use,
        targets=frozenset(
            Address(str(target["Id"]), int(target.get("Port") or group.port)) for target in list(group.targets.values())
        ),
    )
