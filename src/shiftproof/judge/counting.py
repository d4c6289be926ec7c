"""The counting rule of graceful actions, what is more than noise, and when nothing can be counted: what the judge that
looks on and those at the end both ask.
"""

from __future__ import annotations

from collections.abc import Sequence

from shiftproof.judge.sequential import excess_p, least_rate
from shiftproof.model.event import Side
from shiftproof.model.history import PhaseKind

#: Repeats of one graceful action that must lose a request before it is a FAIL.
LOSING_REPEATS = 2
#: A chance this small that noise alone lost as many, where legacy alone has lost some: the rule is looked at often.
_NOISE_P = 0.0005
#: The same where legacy has lost none yet but the run is still under way, so that few of its requests have been seen.
_EARLY_P = 0.01
_SICK_CONFIDENCE = 0.99


def recurring_loss(
    losses: Sequence[int], pairs: int, legacy_only: int, all_pairs: int, *, under_way: bool = False
) -> bool:
    """The counting rule of graceful actions: two repeats lost a request.

    losses: attributed failures of each repeat; pairs: of all these repeats. legacy_only, all_pairs: what legacy lost
    alone over the run so far, which measures the noise that both sides have. If there is any, the losses must exceed it
    (`beyond_noise`). While the run is under way they must be more than chance even if there is none: a control of
    which little was seen excludes little. What is not clear yet is asked again at the end.
    """
    if sum(1 for lost in losses if lost) < LOSING_REPEATS:
        return False
    if under_way and not legacy_only:
        return excess_p(sum(losses), pairs, 0, all_pairs, 1.0) <= _EARLY_P
    return beyond_noise(sum(losses), pairs, legacy_only, all_pairs)


def beyond_noise(lost: int, pairs: int, legacy_only: int, all_pairs: int) -> bool:
    """More than what legacy alone loses of all pairs so far would make of these, if it loses any.

    Exact conditional test: noise that hits both sides alike lets each of the lost + legacy_only failures fall among
    these pairs of the treatment with probability pairs / (pairs + all_pairs).
    """
    return legacy_only == 0 or excess_p(lost, pairs, legacy_only, all_pairs, 1.0) <= _NOISE_P


def control_failures(kind: PhaseKind, legacy: int, cluster: int) -> int:
    """How often the control failed, of what the pinned sides did: in a triple both are, and one may be the fault.

    legacy, cluster: failures of each, or those in which the other did not fail.
    """
    return min(legacy, cluster) if kind.treatment is Side.WEIGHTED else legacy


def is_sick(control_failed: int, pairs: int, unacceptable: float) -> bool:
    """Whether the control is proven to fail more often than its own objective allows, at 99%.

    On a machine or a network that fails both sides at random, some requests of one side alone are lost in most repeats,
    and counting them would blame the action. What is not counting (McNemar, both sides failing with the action) says
    what can still be said.
    """
    return least_rate(pairs, control_failed, _SICK_CONFIDENCE) > unacceptable
