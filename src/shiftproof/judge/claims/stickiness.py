"""Stickiness: traffic goes by the weights, also that of clients who were somewhere else before.

A load balancer that sends a client back to where its cookie says outranks the weights: a shift then moves less than it
says, and a rollback leaves customers on the side that is to be left. So weighted requests are of two kinds. Those that
carried no cookie are free: their share must be the weight's (exact binomial, each repeat, and all together). Those that
carried one must have followed within the objective for rollbacks, too. There the unit is the client: one whose cookie
holds it makes the same choice over and over.

Traffic without cookies that does not come back is the claim `rollback`'s, and is told there alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from shiftproof.judge.case import Case
from shiftproof.judge.claims.traffic import Followed, chance, fits, followed
from shiftproof.judge.registry import claim
from shiftproof.judge.words import count, percent
from shiftproof.model.history import Phase, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "stickiness"
_S = 1_000_000_000
#: The end of a phase: clients that are still where they were then have not followed.
_TAIL_NS = 1_000_000_000
#: A weight of 0 is taken as this much, so that one stray request is unlikely and not impossible.
_STRAY = 0.001
_SURE = math.log(1000)
#: A share of all repeats together that the weight gives less often than this is a doubt.
_DOUBT_P = 0.001
_HINT = (
    "turn stickiness off on the forward action before traffic moves, or let its cookies live no longer than"
    " rollback_within_s"
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One repeat. free, held: (on the cluster side, all) of the requests after it; lag_s: of the last stray."""

    verdict: Verdict
    reason: str = ""
    free: tuple[int, int] = (0, 0)
    held: tuple[int, int] = (0, 0)
    lag_s: float = 0.0
    hint: str | None = None


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """One finding for each drill that moves weights."""
    groups = case.groups(PhaseKind.SHIFT, PhaseKind.ROLLBACK)
    if not groups:
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, "no weights were moved, so nothing shows who follows them.")
    for name, phases in groups.items():
        yield _one(case, name, [phase for _, phase in phases], [_repeat(case, *one) for one in phases])


def _one(case: Case, name: str, phases: list[Phase], repeats: list[_Seen]) -> Finding:
    data: dict[str, object] = {
        "free_on_cluster": [list(one.free) for one in repeats],
        "with_cookies_on_cluster": [list(one.held) for one in repeats],
        "lag_s": [one.lag_s for one in repeats],
        "limit_s": case.objectives.rollback_within_s,
    }
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        bad = [(number, one) for number, one in enumerate(repeats, 1) if one.verdict is verdict]
        if bad:
            number, one = bad[0]
            if one.hint:
                data["hint"] = one.hint
            reason = f"{len(bad)} of {count(len(repeats), 'repeat')}: {one.reason} (repeat {number})."
            return Finding(_NAME, name, verdict, reason, data)
    together = _together(case, phases, repeats)
    if together.verdict is not Verdict.PASS:
        return Finding(_NAME, name, together.verdict, f"{together.reason}.", data)
    carried = sum(one.held[1] for one in repeats)
    total = carried + sum(one.free[1] for one in repeats)
    reason = f"{count(total, 'weighted request')} went by the weights; {carried:,} of them carried cookies."
    return Finding(_NAME, name, Verdict.PASS, reason, data)


def _together(case: Case, phases: list[Phase], repeats: list[_Seen]) -> _Seen:
    """What no single repeat shows may be plain in all: the free requests of shifts to one weight, as one sample.

    A rollback's are the claim `rollback`'s.
    """
    weights = {float(str(phase.facts["to_pct"])) for phase in phases if phase.kind is PhaseKind.SHIFT}
    if len(weights) != 1 or weights & {0.0, 100.0}:
        return _Seen(Verdict.PASS)
    (to_pct,) = weights
    k, n = (sum(one.free[part] for one in repeats) for part in (0, 1))
    p = chance(k, n, to_pct)
    if p >= _DOUBT_P:
        return _Seen(Verdict.PASS)
    said = f"the weights said {to_pct:g}% but in all repeats together {_share_of(k, n)}"
    if p < case.alpha_share:
        return _Seen(Verdict.FAIL, said)
    return _Seen(Verdict.INCONCLUSIVE, f"{said}: too few to be sure")


def _share_of(k: int, n: int) -> str:
    return f"{k:,} of {n:,} weighted requests ({percent(k / n)}) went to the cluster side"


def _repeat(case: Case, index: int, phase: Phase) -> _Seen:
    to_pct = phase.facts.get("to_pct")
    if phase.problem is not None:
        return _Seen(Verdict.INCONCLUSIVE, phase.problem)
    if isinstance(to_pct, bool) or not isinstance(to_pct, int | float) or not 0 <= to_pct <= 100:
        return _Seen(Verdict.INCONCLUSIVE, "it left no record of its weight")
    return _followed(case, phase, followed(case, index, phase), float(to_pct))


def _followed(case: Case, phase: Phase, seen: Followed, to_pct: float) -> _Seen:
    free, held = seen.share(seen.after & seen.free), seen.share(seen.after & ~seen.free)
    if not free[1] + held[1]:
        return _Seen(Verdict.INCONCLUSIVE, "no weighted request after it names its server, so nobody saw who follows")
    if to_pct in (0, 100):
        return _all_or_none(case, phase, seen, to_pct, (free, held))
    if phase.kind is PhaseKind.SHIFT and not fits(*free, to_pct):
        return _Seen(Verdict.FAIL, f"the weights said {to_pct:g}% but {_share_of(*free)}", free, held)
    if not held[1]:
        return _Seen(Verdict.PASS, free=free, held=held)
    return _some(case, phase, seen, to_pct, (free, held))


Shares = tuple[tuple[int, int], tuple[int, int]]


def _all_or_none(case: Case, phase: Phase, seen: Followed, to_pct: float, shares: Shares) -> _Seen:
    """One side is to get nothing more, so the last request that it did get says how long it took."""
    limit_s = case.objectives.rollback_within_s
    stray = (seen.sent_ns >= phase.action_start_ns) & (seen.on_cluster == (to_pct == 0))
    if phase.kind is PhaseKind.ROLLBACK:
        stray &= ~seen.free
    if not stray.any():
        return _Seen(Verdict.PASS, "", *shares)
    last_ns = int(seen.sent_ns[stray].max())
    lag_s = (last_ns - phase.action_start_ns) / _S
    held, side = stray & ~seen.free, "cluster" if to_pct == 0 else "legacy"
    kept = f" ({int(held.sum()):,} with cookies, of {count(len(np.unique(seen.client[held])), 'client')})"
    said = (
        f"{count(int(stray.sum()), 'weighted request')}{kept if held.any() else ''} still went to the {side} side, the"
        f" last {lag_s:.1f} s after the weights said {to_pct:g}% (it may take {limit_s:g} s)"
    )
    hint = _HINT if held.any() else None
    if lag_s > limit_s:
        return _Seen(Verdict.FAIL, said, *shares, lag_s, hint)
    if last_ns >= phase.end_ns - _TAIL_NS:
        return _Seen(Verdict.INCONCLUSIVE, f"{said}, and nobody watched for longer", *shares, lag_s, hint)
    return _Seen(Verdict.PASS, "", *shares, lag_s)


def _some(case: Case, phase: Phase, seen: Followed, to_pct: float, shares: Shares) -> _Seen:
    """A share in between: of the clients with cookies, as they were last seen, each counts once."""
    held = ~seen.free & seen.after
    last_ns = int(seen.sent_ns[held].max())
    ended = last_ns < phase.end_ns - 2 * _TAIL_NS  # their cookies: who is free since then is judged by the free share
    until_ns = last_ns if ended else phase.end_ns
    late = held & (seen.sent_ns >= until_ns - 2 * _TAIL_NS)
    k, n = seen.share(late)
    if fits(*shares[1], to_pct) or (fits(k, n, to_pct) and _rather(k, n, phase.facts.get("from_pct"), to_pct)):
        return _Seen(Verdict.PASS, "", *shares)
    lag_s = (until_ns - phase.action_start_ns) / _S
    if ended and lag_s <= case.objectives.rollback_within_s:
        return _Seen(Verdict.PASS, "", *shares, lag_s)
    clients, number = np.unique(seen.client[late], return_inverse=True)
    on_cluster = np.bincount(number, weights=seen.on_cluster[late]) / np.bincount(number)
    m, moved = len(clients), round(float(on_cluster.sum()))
    p = chance(moved, m, to_pct)
    said = (
        f"{lag_s:.1f} s after the weights said {to_pct:g}%, {percent(k / n)} of {count(n, 'request')} with cookies"
        f" ({count(m, 'client')}) went to the cluster side, and {percent(shares[0][0] / max(1, shares[0][1]))} of those"
        " without"
    )
    if lag_s < case.objectives.rollback_within_s:
        return _Seen(Verdict.INCONCLUSIVE, f"{said}, and nobody watched for longer", *shares, lag_s, _HINT)
    if p < case.alpha_share:
        return _Seen(Verdict.FAIL, said, *shares, lag_s, _HINT)
    return _Seen(Verdict.INCONCLUSIVE, f"{said}: too few clients to be sure", *shares, lag_s, _HINT)


def _rather(k: int, n: int, from_pct: object, to_pct: float) -> bool:
    """Whether k of n speak for the new share and against the old one, 1,000 to 1."""
    if not isinstance(from_pct, int | float):
        return False
    old, new = (min(max(pct / 100, _STRAY), 1 - _STRAY) for pct in (float(from_pct), to_pct))
    return k * math.log(new / old) + (n - k) * math.log((1 - new) / (1 - old)) > _SURE
