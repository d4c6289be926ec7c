"""What the whole side was like at one moment: how many pods could serve, which the load balancer had not taken in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftproof.judge.lives import Lives, PodLife
from shiftproof.judge.pairing import Ints
from shiftproof.judge.words import count, length

#: A pod that is ready for longer and that the load balancer still does not call healthy joins late.
LATE_NS = 2_500_000_000
#: A watcher may hear that a pod is not ready after requests were lost for it.
HEARD_NS = 1_500_000_000
#: Pods that cease to be ready within this time of each other do so for one reason.
TOGETHER_NS = 10_000_000_000
#: A stretch without a request that is this long is a quiet spell, and what fails this soon after it may be its doing.
QUIET_NS = 2_500_000_000
AFTER_QUIET_NS = 4_000_000_000


@dataclass(frozen=True, slots=True)
class Around:
    """Pods at one moment. usual: as many as were ready at once at some time of the run before.

    serving: ready, and healthy in the load balancer. late: ready for long, and not once healthy in the load balancer.
    unready: not ready (or a moment later not), though nobody told them to go, and ready before.
    """

    usual: int
    serving: tuple[PodLife, ...]
    late: tuple[PodLife, ...]
    unready: tuple[PodLife, ...]

    @property
    def all_unready(self) -> bool:
        """Every pod that is to serve has ceased to be ready, and there are several."""
        return len(self.unready) > 1 and not self.serving and not self.late


def around(lives: Lives, t_ns: int) -> Around:
    """The pods of the service at t_ns."""
    living = [pod for pod in lives.pods.values() if _staying(pod, t_ns)]
    unready = [pod for pod in living if pod.ready_ns is not None and _ceased(pod, t_ns)]
    ready = [pod for pod in living if pod.ready_at(t_ns) and pod not in unready]
    late = [pod for pod in ready if not _joined(pod, t_ns) and t_ns - (pod.ready_since(t_ns) or t_ns) > LATE_NS]
    serving = [pod for pod in ready if pod.balanced_at(t_ns)]
    return Around(_usual(lives, t_ns), tuple(serving), tuple(late), tuple(unready))


def joining_late(seen: Around, t_ns: int) -> str:
    """As in "2 pods had been ready for 4.1 s and more, and the load balancer had not taken them in"."""
    since = min(t_ns - (pod.ready_since(t_ns) or t_ns) for pod in seen.late)
    them, more = ("it", "") if len(seen.late) == 1 else ("them", " and more")
    ready = f"{count(len(seen.late), 'pod')} had been ready for {length(since / 1e6)}{more}"
    return f"{ready}, and the load balancer had not taken {them} in"


def all_unready(seen: Around) -> str:
    """As in "all 3 pods ceased to be ready within 0.9 s, and none was told to go"."""
    times = [max(when for when, good in pod.ready if not good) for pod in seen.unready]
    within = length((max(times) - min(times)) / 1e6)
    return f"all {count(len(seen.unready), 'pod')} ceased to be ready within {within}, and none was told to go"


def quiet_before(intended_ns: Ints, t_ns: int) -> tuple[int, int] | None:
    """(length of the quiet spell, how long ago it ended), when requests set in again shortly before t_ns; else None.

    intended_ns: of all requests, by time.
    """
    last = int(np.searchsorted(intended_ns, t_ns, side="right"))
    first = max(1, int(np.searchsorted(intended_ns, t_ns - AFTER_QUIET_NS)))
    if last <= first:
        return None
    gaps = np.diff(intended_ns[first - 1 : last])
    longest = int(np.argmax(gaps))
    if gaps[longest] < QUIET_NS:
        return None
    return int(gaps[longest]), t_ns - int(intended_ns[first + longest])


def _staying(pod: PodLife, t_ns: int) -> bool:
    told = pod.terminating_ns is not None and pod.terminating_ns <= t_ns
    return not told and (pod.gone_ns is None or pod.gone_ns > t_ns)


def _joined(pod: PodLife, t_ns: int) -> bool:
    """Whether the load balancer had ever found it healthy by then."""
    return pod.healthy_ns is not None and pod.healthy_ns <= t_ns


def _ceased(pod: PodLife, t_ns: int) -> bool:
    """Whether it ceased to be ready not long ago, or is about to, and was not ready again by then."""
    ended = [when for when, good in pod.ready if not good and when <= t_ns + HEARD_NS]
    if not ended or t_ns - ended[-1] > TOGETHER_NS or ended[-1] == pod.terminating_ns:
        return False
    return not any(good and ended[-1] < when <= t_ns for when, good in pod.ready)


def _usual(lives: Lives, t_ns: int) -> int:
    """The most pods that were ready at once before."""
    changes = sorted((when, good) for pod in lives.pods.values() for when, good in _turns(pod.ready) if when <= t_ns)
    most = now = 0
    for _, good in changes:
        now += 1 if good else -1
        most = max(most, now)
    return most


def _turns(changes: list[tuple[int, bool]]) -> list[tuple[int, bool]]:
    """Changes that change something: a pod is told to go and is then gone, and ceases to be ready once."""
    turns: list[tuple[int, bool]] = []
    for when, good in changes:
        if good != (bool(turns) and turns[-1][1]):
            turns.append((when, good))
    return turns
