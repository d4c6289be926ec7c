"""What watchers would have told of the made-up pods: a timeline made from how many there were at each moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from shiftproof.gate.clock import RunClock
from shiftproof.model.history import Happening, Source

STEP_NS = 50_000_000
LETTERS = "bcdfghjklmnpqrstvwxz"
WHERE = {"namespace": "payments", "workload": "payments"}


class FakeScalingWatch:
    """Implements ports.Watcher. pods_at, needed_at: by the run clock."""

    def __init__(self, clock: RunClock, pods_at: Callable[[int], int], needed_at: Callable[[int], float]) -> None:
        self.clock = clock
        self._pods_at = pods_at
        self._needed_at = needed_at
        self._since_ns: int | None = None
        self._until_ns: int | None = None
        self.gap: str | None = None
        self.leftover: tuple[str, ...] = ()  # machines that are there all the time

    def start(self) -> None:
        self._since_ns = self.clock.now_ns()

    def stop(self) -> None:
        self._until_ns = self._until_ns or self.clock.now_ns()

    def problem(self) -> str | None:
        return self.gap

    def happenings(self) -> Sequence[Happening]:
        return sorted(self._told(), key=lambda happening: happening.t_ns)

    def _told(self) -> Iterator[Happening]:
        if self._since_ns is None:
            return
        t_ns, end_ns = self._since_ns, self._until_ns or self.clock.now_ns()
        for name in ("node-1", "node-2"):
            yield _say(t_ns, "node.present", f"node/{name}", ready=True, capacity_type="on-demand", machine="")
        for name in self.leftover:
            yield _say(t_ns, "node.present", f"node/{name}", ready=True, capacity_type="on-demand", machine="i-1")
        pods = self._pods_at(t_ns)
        yield _say(t_ns, "scale.wanted", "deployment/payments", replicas=pods, namespace="payments")
        for number in range(pods):
            yield _pod(t_ns, "pod.present", number, ready=True)
        ratio = 0.0
        while (t_ns := t_ns + STEP_NS) < end_ns:
            seen = round(self._needed_at(t_ns) / max(1, pods), 1)
            if seen != ratio:
                ratio = seen
                yield _say(t_ns, "scale.observed", "autoscaler/payments", metric="rate", ratio=ratio, **WHERE)
            now = self._pods_at(t_ns)
            if now != pods:
                yield _say(t_ns, "scale.wanted", "deployment/payments", replicas=now, namespace="payments")
            for number in range(pods, now):
                for later, kind in enumerate(("pod.created", "pod.scheduled", "pod.ready")):
                    yield _pod(t_ns + later * 1_000_000, kind, number)
            for number in range(now, pods):
                yield _pod(t_ns, "pod.terminating", number)
                yield _pod(t_ns + 1_000_000, "pod.gone", number)
            pods = now


def _pod(t_ns: int, kind: str, number: int, **data: object) -> Happening:
    name = f"payments-7d4c9b-{LETTERS[number] * 5}"
    placed = {} if kind == "pod.created" else {"node": f"node-{1 + number % 2}", "ip": f"198.18.1.{number + 5}"}
    return _say(t_ns, kind, f"pod/{name}", **WHERE, **placed, **data)


def _say(t_ns: int, kind: str, subject: str, **data: object) -> Happening:
    return Happening(t_ns, Source.KUBERNETES, kind, subject, data=data)
