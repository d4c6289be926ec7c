"""Thresholds that spend just the error rates that are stated, found by dynamic programming."""

from __future__ import annotations

import math
from collections.abc import Callable

from shiftproof.judge.sequential.stopping import Stopping

_TOLERANCE = 1e-4  # of a threshold, in nats
_ROUNDS = 3


def check_rates(p0: float, p1: float) -> None:
    """Raises ValueError unless 0 < p0 < p1 < 1."""
    if not 0 < p0 < p1 < 1:
        raise ValueError(f"need 0 < p0 < p1 < 1, got {p0} and {p1}")


def check_errors(alpha: float, beta: float) -> None:
    """Raises ValueError unless both lie in (0, 0.5)."""
    if not (0 < alpha < 0.5 and 0 < beta < 0.5):
        raise ValueError(f"need alpha and beta in (0, 0.5), got {alpha} and {beta}")


def calibrated(
    build: Callable[[float, float], Stopping], p0: float, p1: float, alpha: float, beta: float
) -> tuple[float, float]:
    """(reject_at, accept_at), the lowest thresholds at which `build` holds both error rates.

    The chance of a wrong REJECT under p0 falls as `reject_at` rises and hardly depends on the other, so each is found
    by halving with the other held, in turns; what is left over is smaller than the tolerance and added in the end.
    """
    reject_at, accept_at = math.log(1 / alpha), math.log(1 / beta)

    def holds_alpha(threshold: float) -> bool:
        return build(threshold, accept_at).operating(p0).reject <= alpha

    def holds_beta(threshold: float) -> bool:
        return build(reject_at, threshold).operating(p1).accept <= beta

    for _ in range(_ROUNDS):
        accept_at = _lowest(holds_beta, accept_at)
        reject_at = _lowest(holds_alpha, reject_at)
    while not (holds_alpha(reject_at) and holds_beta(accept_at)):
        reject_at, accept_at = reject_at + _TOLERANCE, accept_at + _TOLERANCE
    return reject_at, accept_at


def _lowest(holds: Callable[[float], bool], near: float) -> float:
    """The lowest x > 0 that holds, to _TOLERANCE and from above; searched outwards from `near`."""
    step = 0.05
    low, high = near - step, near + step
    while not holds(high):
        low, high, step = high, high + 2 * step, 2 * step
    while low > 0 and holds(low):
        low, high, step = low - 2 * step, low, 2 * step
    low = max(low, 0.0)
    while high - low > _TOLERANCE:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
