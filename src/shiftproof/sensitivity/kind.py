"""What a campaign is made of: gates to one weight, or rehearsals of one load event; how long each takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

AROUND_S = 170.0
"""A rehearsal beside its event: preflight, the base, the return, and everything put back. Payday's own are 300 s."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One and many of them, as people read it. event: None for gates.

    planted_s, clean_s: what one takes while none of its name was run yet. longest_s: one that takes longer is ended.
    put_back_within_s: one that was told to end undoes its fault and its defect first; then it is killed.
    """

    one: str
    many: str
    planted_s: float
    clean_s: float
    longest_s: float
    put_back_within_s: float
    event: str | None = None


def kind_named(event: str | None) -> tuple[str, str]:
    """(one, many) of a campaign of which no more is known than its event."""
    return ("gate", "gates") if event is None else ("rehearsal", "rehearsals")


#: With a defect most end early; a clean one runs to its end.
GATES = Kind(*kind_named(None), planted_s=90.0, clean_s=210.0, longest_s=1200.0, put_back_within_s=240.0)


def rehearsals(event: str, event_s: float) -> Kind:
    """Of an event that takes so many seconds. With a defect they last as long: what is seen after it counts, too."""
    whole_s = event_s + AROUND_S
    return Kind(
        *kind_named(event),
        planted_s=whole_s,
        clean_s=whole_s,
        longest_s=1800.0,
        put_back_within_s=600.0,  # the overlay and its rollout, jobs, and the nodes that they were on
        event=event,
    )
