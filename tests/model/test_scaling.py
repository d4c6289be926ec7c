"""How many pods a rate asks for."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shiftproof.model.scaling import Scaling, Signal, Worker

SIGNAL = Signal(kind="requests-per-second", per_pod=30, reason="as it rises")


def scaling(tolerance: float = 0.0) -> Scaling:
    return Scaling(signal=SIGNAL, requests_per_pod=30, tolerance=tolerance, least_pods=2, most_pods=6)


@pytest.mark.parametrize(("rate", "pods"), [(0, 2), (60, 2), (60.1, 3), (90, 3), (161, 6), (400, 14)])
def test_as_many_as_carry_it_and_at_least_the_least(rate: float, pods: int) -> None:
    assert scaling().pods_for(rate) == pods


@pytest.mark.parametrize(("rate", "pods"), [(66, 2), (66.1, 3), (161, 5), (165, 5), (165.1, 6)])
def test_what_an_autoscaler_is_content_with_is_enough(rate: float, pods: int) -> None:
    """An HPA does nothing while its metric is within a tenth of its target."""
    assert scaling(tolerance=0.1).pods_for(rate) == pods


def test_bounds_that_leave_nothing_to_scale_are_refused() -> None:
    with pytest.raises(ValidationError, match="must be above least_pods"):
        Scaling(signal=SIGNAL, requests_per_pod=30, least_pods=3, most_pods=3)


def worker(*ask: str) -> Worker:
    return Worker(
        name="statements",
        namespace="statements",
        deployment="statements",
        manifests="services/statements",
        queue="statements",
        scaling=Signal(kind="queue-depth", per_pod=5, reason="what waits is the work itself"),
        most_pods=4,
        jobs=650,
        ask=ask,
        check=("check",),
    )


def test_a_worker_is_asked_for_as_many_jobs_as_are_counted() -> None:
    assert worker("ask", "{jobs}", "test-").asks == ("ask", "650", "test-")
    with pytest.raises(ValidationError, match=r"ask needs \{jobs\}"):
        worker("ask", "640", "test-")
