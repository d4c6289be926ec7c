"""Where objects live in the Kubernetes API, and what selects them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NODES = "/api/v1/nodes"


def pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


def core(namespace: str, plural: str) -> str:
    """ConfigMaps, Secrets, Services, Events… of a namespace."""
    return f"/api/v1/namespaces/{namespace}/{plural}"


def grouped(group: str, namespace: str, plural: str) -> str:
    """`group` with its version, e.g. "apps/v1"."""
    return f"/apis/{group}/namespaces/{namespace}/{plural}"


def deployment(namespace: str, name: str) -> str:
    return f"{grouped('apps/v1', namespace, 'deployments')}/{name}"


def node(name: str) -> str:
    return f"{NODES}/{name}"


def selector_text(selector: Mapping[str, Any]) -> str:
    """A LabelSelector in the words of the query `labelSelector`."""
    parts = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    for expression in selector.get("matchExpressions", []):
        key, operator = expression["key"], expression["operator"]
        values = ",".join(expression.get("values", []))
        words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        parts.append(words.get(operator, f"!{key}"))
    return ",".join(parts)


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector takes in `labels`; an absent one takes in nothing, an empty one everything."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_expression_holds(expression, labels) for expression in selector.get("matchExpressions", []))


def _expression_holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values", [])
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "NotIn":
        return labels.get(key) not in values
    return bool((key in labels) == (operator == "Exists"))
