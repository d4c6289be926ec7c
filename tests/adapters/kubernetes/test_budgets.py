"""Which PodDisruptionBudgets block every drain."""

from __future__ import annotations

from typing import Any

import pytest

from shiftproof.adapters.kubernetes.budgets import blocking


def budget(name: str = "payments", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "replicas"),
    [
        ({"maxUnavailable": 0}, 3),
        ({"maxUnavailable": "0%"}, 3),
        ({"minAvailable": 3}, 3),
        ({"minAvailable": "100%"}, 3),
        ({"minAvailable": "70%"}, 3),  # rounded up to three
        ({"minAvailable": 5}, 3),
        ({}, 1),  # the API's default is one
    ],
)
def test_a_budget_that_lets_no_pod_go_is_said(spec: dict[str, Any], replicas: int) -> None:
    (why,) = blocking([budget(**spec)], replicas)
    assert "PodDisruptionBudget payments" in why
    assert f"of {replicas}" in why


@pytest.mark.parametrize(
    ("spec", "replicas"),
    [
        ({"maxUnavailable": 1}, 3),
        ({"maxUnavailable": "1%"}, 3),  # rounded up to one
        ({"minAvailable": 2}, 3),
        ({"minAvailable": "50%"}, 3),
        ({"maxUnavailable": 1}, 1),  # a drain is an outage then, but it is possible
    ],
)
def test_a_budget_that_lets_one_go_is_not(spec: dict[str, Any], replicas: int) -> None:
    assert blocking([budget(**spec)], replicas) == ()


def test_two_budgets_for_the_same_pods_block_whatever_they_allow() -> None:
    (why,) = blocking([budget(maxUnavailable=1), budget("other", maxUnavailable=1)], 3)
    assert why == "2 PodDisruptionBudgets select the same pods (payments, other)"


def test_without_a_budget_nothing_is_blocked() -> None:
    assert blocking([], 3) == ()
