"""PodDisruptionBudgets that let no pod go: with one of these, no node that carries the service can ever be drained.

Read off what is written and not off the budget's status, which its controller brings up to date a moment later, and
which also says "none" while pods are merely on their way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]


def blocking(budgets: Sequence[Json], replicas: int) -> tuple[str, ...]:
    """Why pods of a workload of `replicas`, all of them well, could not be evicted, in words; empty when they could.

    budgets: those whose selector takes in its pods. Two for one pod make the eviction API refuse, whatever they allow.
    """
    if len(budgets) > 1:
        return (f"{len(budgets)} PodDisruptionBudgets select the same pods ({', '.join(map(_name, budgets))})",)
    return tuple(why for budget in budgets if (why := _why(budget, replicas)) is not None)


def _why(budget: Json, replicas: int) -> str | None:
    spec = budget.get("spec") or {}
    if spec.get("maxUnavailable") is not None:
        # Kubernetes rounds a share of pods up here, so that a share above 0% always lets one go.
        allowed = _pods(spec["maxUnavailable"], replicas)
        wants = f"allows {spec['maxUnavailable']} to be unavailable"
    else:
        least = spec.get("minAvailable", 1)  # the API's own default
        allowed = replicas - _pods(least, replicas)
        wants = f"wants {least} available"
    if allowed > 0:
        return None
    return f"PodDisruptionBudget {_name(budget)} {wants} of {replicas}"


def _pods(value: int | str, replicas: int) -> int:
    """A number of pods, or a share of them rounded up."""
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(int(value[:-1]) * replicas / 100)
    return int(value)


def _name(budget: Json) -> str:
    return str(budget["metadata"]["name"])
