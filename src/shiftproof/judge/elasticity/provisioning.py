"""Under- and over-provisioning: how far supply was from demand, for how long, and how restless it was.

After Herbst, Krebs, Oechsner, Kousiouris, Evangelinou, Iosup, Kounev: Ready for Rain? A View from SPEC Research on the
Future of Cloud Metrics (2016): accuracy and time share of either kind, and jitter. Shares and not percent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftproof.judge.elasticity.hindsight import Units


@dataclass(frozen=True, slots=True)
class Provisioning:
    """under_accuracy: units missing, relative to demand, mean over time; over_accuracy: units idle, the same.

    under_share, over_share: of the time. jitter_per_s: changes of supply less changes of demand, by the second: above 0
    supply flaps, below 0 it misses changes. shortfall_unit_s: units missing times seconds.
    """

    under_accuracy: float
    over_accuracy: float
    under_share: float
    over_share: float
    jitter_per_s: float
    shortfall_unit_s: float


def provisioning(demand: Units, supply: Units, step_s: float) -> Provisioning:
    """Figures of one run. Raises ValueError when the two are of different length or of none.

    Demand must be positive (ValueError, too), since both accuracies are relative to it: a service that is wanted at all
    wants one unit.
    """
    if len(demand) != len(supply) or not len(demand):
        raise ValueError(f"need demand and supply on the same steps, got {len(demand)} and {len(supply)}")
    if int(demand.min()) < 1:
        raise ValueError("demand must be at least one unit: accuracy is relative to it")
    missing, idle = np.maximum(demand - supply, 0), np.maximum(supply - demand, 0)
    changes = [int(np.count_nonzero(np.diff(curve))) for curve in (supply, demand)]
    return Provisioning(
        under_accuracy=float((missing / demand).mean()),
        over_accuracy=float((idle / demand).mean()),
        under_share=float((missing > 0).mean()),
        over_share=float((idle > 0).mean()),
        jitter_per_s=(changes[0] - changes[1]) / (len(demand) * step_s),
        shortfall_unit_s=float(missing.sum()) * step_s,
    )
