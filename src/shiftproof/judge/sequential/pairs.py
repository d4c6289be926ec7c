"""McNemar's comparison of pairs, sequentially: does the treatment fail alone more often than its control does?"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from shiftproof.judge.sequential.evidence import MIN_ERRORS, Bools, Crossing, Floats, Ints, first_crossing
from shiftproof.judge.sequential.stopping import Stopping, by_counts

#: Chances that a discordant pair is the treatment's, which the evidence mixes: from a slight excess (geometric steps of
#: q - 1/2) to an outage of the treatment alone, on which three sevenths lie, as it has to be decided fastest.
MCNEMAR_Q = (0.55, 0.6, 0.7, 0.85, 0.99)
MCNEMAR_WEIGHTS = (1 / 7, 1 / 7, 1 / 7, 1 / 7, 3 / 7)


def mcnemar_log_e(treatment_only: Ints | int, control_only: Ints | int) -> Floats:
    """Log e-value of "the treatment fails alone no more often than the control does" (one-sided McNemar).

    Of the discordant pairs, each is the treatment's with probability q <= 1/2 under the null. The e-value is the
    likelihood ratio against q = 1/2 of a mixture of alternatives:
        sum over j of w_j (2 q_j)^t (2 (1 - q_j))^c
    with t, c the counts so far. As every alternative exceeds 1/2, the ratio is a supermartingale for all q <= 1/2,
    whatever the rate of discordant pairs does meanwhile; it may be looked at after every pair.
    """
    t = np.asarray(treatment_only, dtype=np.float64)[..., None]
    c = np.asarray(control_only, dtype=np.float64)[..., None]
    q, weights = np.array(MCNEMAR_Q), np.array(MCNEMAR_WEIGHTS)
    result: Floats = special.logsumexp(t * np.log(2 * q) + c * np.log(2 * (1 - q)), axis=-1, b=weights)
    return result


def mcnemar(treatment_only: Bools, control_only: Bools, alpha: float, *, min_errors: int = MIN_ERRORS) -> Crossing:
    """The McNemar e-process over pairs in order (two columns of one length); index is the row that decided."""
    discordant = np.flatnonzero(treatment_only | control_only)
    if not len(discordant):
        return Crossing(-1, 0.0)
    t = np.cumsum(treatment_only[discordant], dtype=np.int64)
    c = np.cumsum(control_only[discordant], dtype=np.int64)
    return first_crossing(mcnemar_log_e(t, c), alpha, t >= min_errors, discordant)


def mcnemar_stopping(alpha: float, cap: int, *, min_errors: int = MIN_ERRORS) -> Stopping:
    """When `mcnemar` rejects, over discordant pairs alone ("failed": the treatment's); it never accepts."""
    threshold = math.log(1 / alpha)
    return by_counts(lambda k, n: mcnemar_log_e(k, n - k) >= threshold, None, cap, min_errors=min_errors)
