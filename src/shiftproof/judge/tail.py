"""The tail of latency against the old side's own: a limit that the control sets, below the objective's threshold.

A side may keep its objective and still be several times slower than the side that it replaces: a CPU limit that stops
bursts, a pool that is too small, a proxy on the way. Customers notice, and at the next peak the objective goes too. So
the control's own 99th percentile in the steady phase, times the ratio that is allowed, is a second limit. Small times
are let alone: below a fifth of the threshold a ratio means nothing to anybody.

Such a tail is a few percent of the requests, in bursts, which is little for a mean over seconds to go by. So the value
of a second is 1 when the new side misses the limit more often than the old by more than the margin, and -1 when not;
the claim is that most seconds are good.
"""

from __future__ import annotations

import numpy as np

from shiftproof.judge.pairing import Floats
from shiftproof.judge.sequential import Crossing, mean_above
from shiftproof.judge.words import percent
from shiftproof.model.platform import Latency

QUANTILE = 0.99
#: Fewer than this many requests of the control say too little of their 99th percentile.
LEAST = 500
#: Of the objective's threshold: below it no limit is set.
FLOOR = 0.2


def tail_limit_ms(control_ms: Floats, objective: Latency) -> float | None:
    """The second limit from the control's latencies without action; None when it would not be below the threshold."""
    if len(control_ms) < LEAST:
        return None
    limit = max(objective.tail_ratio * float(np.quantile(control_ms, QUANTILE)), FLOOR * objective.threshold_ms)
    return limit if limit < objective.threshold_ms else None


def mostly_above(difference: Floats, margin: float, alpha: float) -> tuple[int, Crossing]:
    """(bad seconds, evidence that most are). difference: shares over the limit, treatment less control, by second."""
    bad = difference > margin
    return int(bad.sum()), mean_above(np.where(bad, 1.0, -1.0), 0.0, alpha)


def tail_reason(treatment: Floats, control: Floats, bad: int, limit_ms: float, objective: Latency) -> str:
    """As in "7.5% took over 112 ms (2 times what 99% of the control's keep to at rest), 0.2% on the control; ..."."""
    ratio = f"{objective.tail_ratio:g} times what 99% of the control's keep to at rest"
    return (
        f"{percent(float(treatment.mean()))} took over {limit_ms:.0f} ms ({ratio}),"
        f" {percent(float(control.mean()))} on the control; more than {percent(objective.margin)} more in {bad}"
        f" of {len(treatment)} s: its tail is too slow."
    )
