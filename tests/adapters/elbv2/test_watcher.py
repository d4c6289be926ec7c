"""What the load balancer's watcher records, from a router that a test plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fakes.clock import SteppingClock, wait_until

from shiftproof.adapters.elbv2 import LoadBalancerWatcher
from shiftproof.errors import SetupError
from shiftproof.model.event import Side
from shiftproof.ports import TargetState, Weights

POD = "198.18.1.7:8080"


class PlayedRouter:
    def __init__(self) -> None:
        self.cluster: list[TargetState] = []
        self.rules: dict[str, Weights] = {"customers": Weights(100, 0)}
        self.broken = False
        self.spoiled = False

    def targets(self, side: Side) -> Sequence[TargetState]:
        if self.broken:
            raise SetupError("no answer")
        if self.spoiled:
            raise KeyError("TargetHealth")
        return self.cluster if side is Side.CLUSTER else [TargetState("198.18.0.31:8080", "healthy")]

    def all_weights(self) -> Mapping[str, Weights]:
        return dict(self.rules)


def watching() -> tuple[PlayedRouter, SteppingClock, LoadBalancerWatcher]:
    router, clock = PlayedRouter(), SteppingClock()
    watcher = LoadBalancerWatcher(router, clock)
    watcher.poll()
    return router, clock, watcher


def kinds(watcher: LoadBalancerWatcher, after: int) -> list[tuple[str, str]]:
    return [(happening.kind, happening.subject) for happening in watcher.happenings()[after:]]


def test_what_is_there_at_the_start_is_a_baseline() -> None:
    _, _, watcher = watching()
    assert all(happening.data["baseline"] for happening in watcher.happenings())
    assert kinds(watcher, 0) == [
        ("target.registered", "target/198.18.0.31:8080"),
        ("target.healthy", "target/198.18.0.31:8080"),
        ("weights.set", "rule/customers"),
    ]


def test_life_of_a_target() -> None:
    router, clock, watcher = watching()
    seen = len(watcher.happenings())
    for state in ("initial", "healthy", "unhealthy", "healthy", "draining", "initial", "draining", None):
        clock.sleep(0.25)
        router.cluster = [] if state is None else [TargetState(POD, state, "why")]
        watcher.poll()
    assert [kind for kind, _ in kinds(watcher, seen)] == [
        "target.registered",
        "target.healthy",
        "target.unhealthy",
        "target.healthy",
        "target.draining",
        "target.registered",
        "target.draining",
        "target.gone",
    ]
    last = watcher.happenings()[-1]
    assert last.data == {"ip": "198.18.1.7", "port": 8080, "side": "cluster", "within_ms": 250.0}
    assert last.t_ns == clock.now_ns()


def test_weights_are_recorded_when_they_change() -> None:
    router, _, watcher = watching()
    seen = len(watcher.happenings())
    watcher.poll()
    router.rules["customers"] = Weights(75, 25)
    watcher.poll()
    watcher.poll()
    assert kinds(watcher, seen) == [("weights.set", "rule/customers")]
    assert watcher.happenings()[-1].data["cluster_pct"] == 25


def test_short_silence_is_no_gap_and_a_long_one_is() -> None:
    router, clock, watcher = watching()
    router.broken = True
    clock.sleep(1)
    watcher.poll()
    assert watcher.problem() is None
    clock.sleep(5)
    watcher.poll()
    assert "no answer" in str(watcher.problem())
    router.broken = False
    watcher.poll()
    assert watcher.problem() is not None, "a gap does not heal"


def test_thread_polls_until_stopped() -> None:
    router, clock = PlayedRouter(), SteppingClock()
    watcher = LoadBalancerWatcher(router, clock, poll_s=0.01)
    watcher.start()
    router.cluster = [TargetState(POD, "healthy")]
    watcher.stop()
    watcher.stop()
    assert ("target.healthy", f"target/{POD}") in kinds(watcher, 0), "stop looks a last time"


def test_a_thread_that_dies_leaves_a_gap_also_after_stop() -> None:
    router, clock = PlayedRouter(), SteppingClock()
    watcher = LoadBalancerWatcher(router, clock, poll_s=0.01)
    watcher.start()
    router.spoiled = True
    wait_until(lambda: watcher.problem() is not None)
    watcher.stop()
    assert "the watch of the load balancer ended: KeyError" in str(watcher.problem())


def test_silence_counts_until_the_watch_ends_and_not_after_it() -> None:
    router, clock = PlayedRouter(), SteppingClock()
    whole = LoadBalancerWatcher(router, clock, poll_s=0.01)
    whole.start()
    whole.stop()
    clock.sleep(60)
    assert whole.problem() is None, "nobody looks any more, and nobody has to"

    silent = LoadBalancerWatcher(router, clock, poll_s=600)
    silent.start()
    clock.sleep(6)
    router.broken = True  # its last look fails as well
    silent.stop()
    clock.sleep(60)
    assert "not seen for 6.0 s" in str(silent.problem())
