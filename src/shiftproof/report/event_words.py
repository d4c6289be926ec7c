"""What a load event's page says beside its figure and tables: what was rehearsed, and its main figures."""

from __future__ import annotations

from shiftproof.model.rehearsed import Rehearsed, Shortened
from shiftproof.model.result import RunResult
from shiftproof.report.event_evidence import EventEvidence
from shiftproof.report.event_tables import NOT_MEASURED, capacity_data
from shiftproof.report.words import attributed_of, clean, count, duration, percent, rate, zero_bound


def facts(event: Rehearsed, result: RunResult) -> list[tuple[str, str]]:
    """What was rehearsed, as (name, value)."""
    scaled = "" if event.scale == 1 else f", the declared rates times {event.scale:.3g}"
    return [
        ("event", f"{clean(event.name)}: {clean(event.title)}"),
        ("service", clean(result.service)),
        ("target", clean(result.target)),
        ("load", f"{rate(event.base_per_s)} to {rate(event.peak_per_s)} requests a second{scaled}"),
        ("length", _length(event)),
        ("plateaus", shortened_words(event)),
        ("requests", f"{attributed_of(event.sent, event.planned)} sent, {count(event.bad)} of them bad"),
    ]


def _length(event: Rehearsed) -> str:
    if event.real_s <= event.seconds:
        return f"{duration(event.seconds)}, as on the day"
    return f"{duration(event.seconds)} for {duration(event.real_s)} of the day"


def shortened_words(event: Rehearsed) -> str:
    """ "shortened: 60 min of base to 40 s, 45 min of peak to 1 min 15 s"; all else goes as fast as on the day."""
    if not event.shortened:
        return "none shortened"
    return "shortened: " + ", ".join(
        f"{_plainly(one.really_s)} of {_plateau(one, event)} to {_plainly(one.seconds)}" for one in event.shortened
    )


def _plateau(one: Shortened, event: Rehearsed) -> str:
    if one.rate_per_s is None:
        return f"the plateau at {duration(one.at_s)}"
    names = {event.base_per_s: "base", event.peak_per_s: "peak"}
    return names.get(one.rate_per_s, f"{rate(one.rate_per_s)}/s")


def _plainly(seconds: float) -> str:
    """Whole minutes as such: "60 min", "40 s", else as `duration`."""
    return f"{seconds / 60:.0f} min" if seconds >= 120 and seconds % 60 == 0 else duration(seconds)


def tiles(result: RunResult, event: Rehearsed, evidence: EventEvidence | None) -> list[tuple[str, str, str]]:
    """(name, figure, what it is of), the few figures that everybody looks for."""
    share = percent(event.bad / event.sent) if event.sent else NOT_MEASURED
    of = f"{attributed_of(event.bad, event.sent)} failed or came late"
    if event.sent and not event.bad:
        of += f"; below {percent(zero_bound(event.sent))} at 99%"
    return [
        ("Bad requests", share, of),
        _capacity(result),
        *_headroom(result),
        *([] if evidence is None else [_pods(evidence), _cost(evidence)]),
        ("Took", duration(result.seconds), f"{duration(event.seconds)} of them the event"),
    ]


def _capacity(result: RunResult) -> tuple[str, str, str]:
    timed = [(rise, data) for data in capacity_data(result) for rise in data.rises]
    if not timed:
        return ("Time to capacity", NOT_MEASURED, "no rise of the load was timed")
    never = next((rise for rise, _ in timed if rise.seconds is None), None)
    if never is not None:
        return ("Time to capacity", "never", f"{count(never.pods)} pods were not ready in time")
    longest, data = max(timed, key=lambda one: one[0].seconds or 0.0)
    limit = "" if data.limit_s is None else f"; limit {duration(data.limit_s)}"
    return ("Time to capacity", duration(longest.seconds or 0.0), f"until {count(longest.pods)} pods were ready{limit}")


def _headroom(result: RunResult) -> list[tuple[str, str, str]]:
    """Of a ramp that goes on until the service breaks: what it carried."""
    data = next((finding.data for finding in result.findings if finding.claim == "headroom"), {})
    carried, error, times = (data.get(key) for key in ("carried_per_s", "error_per_s", "multiple"))
    if not isinstance(carried, int | float) or not isinstance(error, int | float):
        return []
    of = f"{times:g} times the declared peak" if isinstance(times, int | float) else "no peak is declared"
    return [("Carried", f"{rate(carried)} ± {rate(error)}/s", of)]


def _pods(evidence: EventEvidence) -> tuple[str, str, str]:
    curves = evidence.curves
    if not len(curves.pods_ready):
        return ("Pods ready", NOT_MEASURED, "")
    during = (curves.seconds >= 0) & (curves.seconds < evidence.demand.seconds)
    ready, needed = curves.pods_ready[during], curves.pods_needed[during]
    if not len(ready):
        return ("Pods ready", NOT_MEASURED, "")
    short = int((needed > ready).sum())
    return (
        "Pods ready",
        f"{count(int(ready.min()))} to {count(int(ready.max()))}",
        f"up to {count(int(needed.max()))} needed; too few for {duration(short)} of the event",
    )


def _cost(evidence: EventEvidence) -> tuple[str, str, str]:
    if not len(evidence.curves.cost):
        return ("Cost of pods", NOT_MEASURED, "")
    cost, hindsight = float(evidence.curves.cost[-1]), float(evidence.curves.hindsight_cost[-1])
    return (
        "Cost of pods",
        f"{cost:.3g}",
        f"{cost / hindsight:.2f} times hindsight ({hindsight:.3g})" if hindsight else "",
    )
