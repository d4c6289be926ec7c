"""When our own load changed (a pause, a peak) and requests were lost after it: is that more than noise?

A pause is tried once, since what a quiet spell breaks, it breaks each time: every connection that was kept is dead. But
connections are few, so the losses are few, and neither the rule of three repeats nor McNemar over them alone can tell.
"""

from __future__ import annotations

import math

from shiftproof.judge.counting import beyond_noise
from shiftproof.judge.sequential import MIN_ERRORS, rate_log_e


def loses_by_change(lost: int, pairs: int, legacy_only: int, all_pairs: int, rate: float, alpha: float) -> bool:
    """Whether `lost` attributed failures of `pairs` prove more than the unacceptable `rate`, and more than noise.

    The e-process of `rate_log_e`, so it may be looked at after every pair. legacy_only, all_pairs: what legacy lost
    alone over the run so far; if there is any, the losses must also exceed it (`beyond_noise`).
    """
    if lost < MIN_ERRORS or float(rate_log_e(lost, pairs, rate)) < math.log(1 / alpha):
        return False
    return beyond_noise(lost, pairs, legacy_only, all_pairs)
