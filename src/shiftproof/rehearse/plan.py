"""What a rehearsal would do, in a few lines: its curve, its seconds, and what it asks of machine and service."""

from __future__ import annotations

from shiftproof.model.demand import Demand
from shiftproof.rehearse.settings import PAIRS_PER_S, RehearsalSettings, highest_plateau
from shiftproof.report.words import clean, duration

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60


def plan_lines(settings: RehearsalSettings) -> list[str]:
    """For people, a line each."""
    event, demand, scaling = settings.event, settings.demand, settings.scaling
    base, peak = demand.rates_per_s[0], demand.peak_per_s
    load = settings.service.load
    lines = [
        f"{clean(event.name)}   {clean(event.title)}   {settings.service.name}   {settings.target.name}",
        f"  {sparkline(demand)}  {base:.0f} to {peak:.0f}/s",
        f"  {duration(demand.seconds)} of load, {demand.count:,} requests; on the day {duration(event.real_s)}",
    ]
    lines += [
        f"  shortened: the plateau at {at_s:.0f} s lasts {duration(hold.seconds)}, on the day {duration(hold.real_s)}"
        for at_s, hold in event.shortened()
    ]
    scale, workers = settings.target.events.demand_scale, settings.target.events.workers
    lines.append(
        f"  {load.peak_per_s:g}/s at the declared peak, times {scale:g} on this target; {workers} load workers"
    )
    lines.append(f"  beside it {PAIRS_PER_S:g} pairs/s, whose legacy side is the control")
    pods = f"{settings.pods_for(base)} at the base, {settings.pods_needed} at the highest rate"
    lines.append(f"  pods: {pods}; there may be {scaling.least_pods} to {scaling.most_pods}")
    lines += _experiments(settings)
    if settings.fixed_pods is not None:
        lines.append(f"  autoscaling is taken away: {settings.fixed_pods} pods throughout")
    if settings.target.events.overlay is not None:
        lines.append(
            f"  before it the target is put into its overlay {settings.target.events.overlay!r}, and back after"
        )
    limit = scaling.limits.return_within_s
    lines.append(f"  after it: until all is back at its base, {duration(limit)} at most")
    return lines


def sparkline(demand: Demand, width: int = WIDTH) -> str:
    """The rates from beginning to end, in eight steps; the highest of each slice, so that no peak is lost."""
    slices = [
        max(demand.rate_at(demand.seconds * (number + part / 8) / width) for part in range(8))
        for number in range(width)
    ]
    return "".join(BARS[min(len(BARS) - 1, int(rate / demand.peak_per_s * len(BARS)))] for rate in slices)


def _experiments(settings: RehearsalSettings) -> list[str]:
    plateau, names = highest_plateau(settings.event), (*settings.experiments, *settings.of_workers)
    if not names or plateau is None:
        return []
    return [f"  at {duration(plateau.strike_s)}: {', '.join(names)}"]
