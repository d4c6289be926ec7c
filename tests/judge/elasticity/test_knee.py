"""Headroom by ramps whose knee is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from shiftproof.judge.elasticity.knee import knee
from shiftproof.judge.sequential import mean_log_e, tails_log_e

Floats = npt.NDArray[np.float64]
RAMP = np.linspace(20.0, 200.0, 181)  # one more each second
MARGIN, ALPHA = 0.05, 0.01


def served(capacity_per_s: float, noise: float = 0.0, seed: int = 1) -> Floats:
    """Shares of bad requests on RAMP: what exceeds the capacity is refused, and some of the rest is slow by chance."""
    draw = np.random.default_rng(seed)
    slow = draw.binomial(RAMP.astype(int), noise) / RAMP.astype(int)
    refused = np.maximum(0.0, 1 - capacity_per_s / RAMP)
    shares: Floats = np.minimum(1.0, refused + slow)
    return shares


@pytest.mark.parametrize("capacity_per_s", [60.0, 120.0, 150.0])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_it_is_found_within_its_error(capacity_per_s: float, noise: float) -> None:
    found = knee(RAMP, served(capacity_per_s, noise), MARGIN, ALPHA)
    assert found.broke
    # Bad is more than the margin: so much above the capacity is still carried.
    assert abs(found.carried_per_s - capacity_per_s / (1 - MARGIN)) <= found.error_per_s
    assert found.error_per_s < 0.25 * capacity_per_s


def test_a_service_that_carries_all_of_it_did_not_break() -> None:
    found = knee(RAMP, served(1_000.0, noise=0.01), MARGIN, ALPHA)
    assert (found.carried_per_s, found.broke) == (200.0, False)


def test_what_healed_is_no_knee() -> None:
    shares = served(150.0)
    shares[30:40] = 1.0  # too few pods for ten seconds, at 50 to 60 a second
    found = knee(RAMP, shares, MARGIN, ALPHA)
    assert abs(found.carried_per_s - 150.0 / (1 - MARGIN)) <= found.error_per_s


def test_a_bad_second_at_the_very_end_is_not_enough() -> None:
    shares = served(1_000.0)
    shares[-1] = 0.5
    assert not knee(RAMP, shares, MARGIN, ALPHA).broke


def test_broken_from_the_first_second_nothing_was_carried_for_sure() -> None:
    found = knee(RAMP, np.ones(len(RAMP)), MARGIN, ALPHA)
    assert found.broke
    assert found.carried_per_s == RAMP[0]


@pytest.mark.parametrize(
    ("rates", "shares"),
    [([], []), ([1.0], [0.0, 0.0]), ([1.0, 2.0], [0.0, 1.1]), ([2.0, 1.0], [0.0, 0.0])],
)
def test_what_is_no_ramp_is_refused(rates: list[float], shares: list[float]) -> None:
    with pytest.raises(ValueError, match=r"for each second|lie in"):
        knee(np.array(rates), np.array(shares), MARGIN, ALPHA)


def test_the_tails_are_what_each_start_alone_would_say() -> None:
    values = 2 * np.random.default_rng(3).random(60) - 1
    alone = [mean_log_e(values[start:], -0.4)[-1] for start in range(len(values))]
    assert tails_log_e(values, -0.4).tolist() == pytest.approx(alone)
