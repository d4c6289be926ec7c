"""Pure judges: a history goes in, findings come out. No I/O, no clock, no randomness.

    case = make_case(history, objectives)
    findings = judge_all(case)

A claim of your own: `@claim("name")` over a function from Case to findings. Of a load event: an EventCase,
`judge_event`, `@event_claim("name")`.
"""

from shiftproof.judge import claims as _claims  # noqa: F401  (registers the built-in claims)
from shiftproof.judge.case import REQUIRED_PHASES, Case, make_case
from shiftproof.judge.elasticity import EventCase
from shiftproof.judge.elasticity import claims as _event_claims  # noqa: F401  (registers those of load events)
from shiftproof.judge.elasticity.registry import (
    EventJudge,
    event_claim,
    event_claim_names,
    forget_event_claim,
    judge_event,
)
from shiftproof.judge.live import LiveJudge, PhaseCount
from shiftproof.judge.outages import OutageSpan, find_outages, outages_of
from shiftproof.judge.pairing import Pairs, SideColumns, pair_up
from shiftproof.judge.registry import Judge, claim, claim_names, forget_claim, judge_all
from shiftproof.judge.sequential import ruled_out_rate

__all__ = [
    "REQUIRED_PHASES",
    "Case",
    "EventCase",
    "EventJudge",
    "Judge",
    "LiveJudge",
    "OutageSpan",
    "Pairs",
    "PhaseCount",
    "SideColumns",
    "claim",
    "claim_names",
    "event_claim",
    "event_claim_names",
    "find_outages",
    "forget_claim",
    "forget_event_claim",
    "judge_all",
    "judge_event",
    "make_case",
    "outages_of",
    "pair_up",
    "ruled_out_rate",
]
