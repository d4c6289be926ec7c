"""Why the new side is slow, as far as anybody can tell from outside its processes."""

from __future__ import annotations

from collections.abc import Iterator

from shiftproof.judge.words import count, percent
from shiftproof.model.history import Happening, History

#: A pod that is stopped in fewer periods than this is hardly slowed down by it.
_MUCH = 0.05
LIMIT = "raise the CPU limit or take it away: the request protects the neighbours, a limit only stops bursts"
_ELSEWHERE = (
    "compare what the cluster side is given with what legacy has: CPU, the size of its pools, places for requests, and"
    " what lies between it and the database"
)


def why_slow(history: History) -> dict[str, str]:
    """The culprit's sentence and a hint, as a finding carries them; only a hint where nothing is known."""
    text = stopped_by_limit(history)
    if text is None:
        return {"hint": _ELSEWHERE}
    return {"culprit": f"{text}.", "pattern": "throttled", "hint": LIMIT}


def stopped_by_limit(history: History, pod: str | None = None) -> str | None:
    """The pod that its CPU limit stopped most (or `pod`, if it was), in words; None when none was stopped much."""
    stopped = sorted(_stopped(history), reverse=True)
    mine = [one for one in stopped if pod in (None, one[1])]
    if not mine:
        return None
    share, name, limit = mine[0]
    others = len(stopped) - 1
    more = f" (and {count(others, 'other pod')})" if others else ""
    return (
        f"pod {name}{more} was stopped by its CPU limit of {limit} in {percent(share)} of the tenths of a second in"
        " which it had work"
    )


def _stopped(history: History) -> Iterator[tuple[float, str, str]]:
    """(share of its periods, pod, limit) of each pod that was stopped much."""
    last: dict[str, Happening] = {h.subject: h for h in history.timeline if h.kind == "pod.throttled"}
    for subject, happening in last.items():
        share = float(happening.data.get("throttled", 0)) / max(1, int(happening.data.get("periods", 0)))
        if share >= _MUCH:
            yield share, subject.removeprefix("pod/"), str(happening.data.get("cpu_limit", ""))
