"""Was it watched? A timeline with a gap, or without a voice that should be in it, proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shiftproof.judge.words import clock
from shiftproof.model.history import WATCH_GAP, Happening, Source


def unwatched(timeline: Sequence[Happening], watchers: Iterable[Source]) -> Iterator[str]:
    """Every gap, and every watcher that was not heard, in words."""
    for happening in timeline:
        if happening.kind == WATCH_GAP:
            problem = happening.data.get("problem") or happening.detail
            yield f"the timeline has a gap at {clock(happening.t_ns)}: {happening.subject}: {problem}"
    heard = {happening.source for happening in timeline}
    for source in watchers:
        if source not in heard:
            yield f"nothing was heard from {source.value}: its watcher saw nothing"
