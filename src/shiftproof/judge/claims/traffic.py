"""Where weighted traffic really went, by who served it: nobody is believed who says that the weights are set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftproof.judge.case import Case
from shiftproof.judge.pairing import Bools, Ints
from shiftproof.judge.sequential import binomial_at_least, binomial_at_most
from shiftproof.model.history import Phase

#: So unlikely a share is no chance: the weights have no effect.
IMPOSSIBLE = 1e-6


@dataclass(frozen=True, slots=True)
class Followed:
    """Weighted requests of one phase that were answered, within it, by a server we know.

    One still open as the phase ends says nothing: the weights that come next may have routed it, when the load stood
    still between its noted time and the socket.

    sent_ns, on_cluster: one each. before: sent before the action began; after: after it ended. free: the weights alone
    chose, as no cookie went along that a sticky load balancer could have gone by. client: whose it was (0: unknown).
    """

    sent_ns: Ints
    on_cluster: Bools
    before: Bools
    after: Bools
    free: Bools
    client: Ints

    def share(self, where: Bools) -> tuple[int, int]:
        """(on the cluster side, all)."""
        return int((self.on_cluster & where).sum()), int(where.sum())


def followed(case: Case, index: int, phase: Phase) -> Followed:
    """A server is the cluster's when pinned `cluster` requests were served by it, and no pinned `legacy` one."""
    pairs, rows = case.pairs, case.pairs.rows(index)
    cluster = np.unique(pairs.cluster.served_by[pairs.cluster.ok])
    legacy = np.unique(pairs.legacy.served_by[pairs.legacy.ok])
    ours = np.setdiff1d(cluster, np.append(legacy, 0))
    theirs = np.setdiff1d(legacy, np.append(cluster, 0))
    served = pairs.weighted.served_by[rows]
    within = pairs.weighted.ended_ns[rows] <= phase.end_ns
    known = pairs.weighted.ok[rows] & within & (np.isin(served, ours) | np.isin(served, theirs))
    sent = pairs.weighted.sent_ns[rows][known]
    return Followed(
        sent_ns=sent,
        on_cluster=np.isin(served[known], ours),
        before=sent < phase.action_start_ns,
        after=sent >= phase.action_end_ns,
        free=~pairs.weighted.with_cookies[rows][known],
        client=pairs.weighted.client[rows][known].astype(np.int64),
    )


def fits(k: int, n: int, pct: float) -> bool:
    """Whether k of n on the cluster side can be pct percent at all (exact binomial, the smaller tail doubled)."""
    return k == n * pct / 100 if pct in (0, 100) else chance(k, n, pct) > IMPOSSIBLE


def chance(k: int, n: int, pct: float) -> float:
    """p of k of n on the cluster side, each with pct percent (0 < pct < 100): the smaller binomial tail, twice."""
    share = pct / 100
    return min(1.0, 2 * min(binomial_at_least(k, n, share), binomial_at_most(k, n, share))) if n else 1.0
