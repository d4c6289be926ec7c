from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from shiftproof.adapters.ec2 import Ec2Machine, MachineWatcher
from shiftproof.adapters.ec2 import watcher as watcher_module
from shiftproof.errors import SetupError
from shiftproof.model.history import WATCH_GAP

S = 1_000_000_000
BEGAN_S = 1_800_000_000


def machine(name: str, launched_s: float = BEGAN_S - 600, state: str = "running", spot: bool = False) -> Ec2Machine:
    return Ec2Machine(name, launched_s, "spot" if spot else "on-demand", "eu-west-1a", state, "1", {})


class Clock:
    """Run clock and wall clock in one; the run clock is a second behind, as after a correction of the other."""

    def __init__(self) -> None:
        self.wall_s = float(BEGAN_S)

    def now_ns(self) -> int:
        return round((self.wall_s - 1) * S)

    def wall_ns(self) -> int:
        return round(self.wall_s * S)

    def sleep(self, seconds: float) -> None:
        self.wall_s += seconds


class Fake:
    def __init__(self, *found: Ec2Machine) -> None:
        self.found: Sequence[Ec2Machine] = found
        self.error: str | None = None
        self.asked: list[Collection[str]] = []

    def nodes(self, known: Collection[str] = (), cluster: str = "") -> Sequence[Ec2Machine]:
        if self.error is not None:
            raise SetupError(self.error)
        self.asked.append(known)
        return self.found


@pytest.fixture
def clock() -> Clock:
    return Clock()


def watching(fake: Fake, clock: Clock) -> MachineWatcher:
    watcher = MachineWatcher(fake, clock, known=lambda: {"i-known"}, wall_ns=clock.wall_ns)
    watcher._look()
    return watcher


def told(watcher: MachineWatcher) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in watcher.happenings()]


def test_a_launch_has_its_own_time_and_an_end_that_of_the_poll(clock: Clock) -> None:
    fake = Fake(machine("i-there"), machine("i-past", state="terminated"))
    watcher = watching(fake, clock)
    (there,) = watcher.happenings()
    assert (there.kind, there.subject, there.data["baseline"]) == ("machine.launched", "machine/i-there", True)
    clock.sleep(2)
    fake.found = [*fake.found, machine("i-new", launched_s=BEGAN_S + 1, spot=True)]
    watcher.poll()
    launched = watcher.happenings()[-1]
    assert (launched.subject, launched.t_ns) == ("machine/i-new", BEGAN_S * S), "on the run's clock, a second behind"
    assert launched.data == {"capacity_type": "spot", "zone": "eu-west-1a", "resolution_s": 1.0}
    clock.sleep(2)
    fake.found = [replace(one, state="shutting-down") if one.id == "i-new" else one for one in fake.found]
    watcher.poll()
    ended = watcher.happenings()[-1]
    assert (ended.kind, ended.subject, ended.t_ns) == ("machine.ended", "machine/i-new", clock.now_ns())
    assert ended.data["within_ms"] == 2000
    fake.found = [machine("i-there")]
    watcher.poll()
    assert len(told(watcher)) == 3, "its end was told, and what had ended before the watch is not ours to tell"
    assert fake.asked[0] == {"i-known"}


def test_a_machine_that_is_no_longer_listed_has_ended(clock: Clock) -> None:
    fake = Fake(machine("i-there"))
    watcher = watching(fake, clock)
    fake.found = []
    watcher.poll()
    assert told(watcher)[-1] == ("machine.ended", "machine/i-there")


def test_a_life_between_two_polls_is_told_whole(clock: Clock) -> None:
    fake = Fake()
    watcher = watching(fake, clock)
    clock.sleep(2)
    fake.found = [machine("i-short", launched_s=BEGAN_S + 1, state="terminated")]
    watcher.poll()
    watcher.poll()
    assert told(watcher) == [("machine.launched", "machine/i-short"), ("machine.ended", "machine/i-short")]


def test_a_long_silence_is_a_gap_and_a_short_one_is_none(clock: Clock) -> None:
    fake = Fake()
    watcher = watching(fake, clock)
    fake.error = "AWS refused: Throttling"
    clock.sleep(watcher_module.GAP_S / 2)
    watcher.poll()
    assert watcher.problem() is None
    clock.sleep(watcher_module.GAP_S)
    watcher.poll()
    clock.sleep(5)
    watcher.poll()
    gaps = [one for one in watcher.happenings() if one.kind == WATCH_GAP]
    assert [one.subject for one in gaps] == ["watcher/ec2"], "one gap is told once"
    assert "Throttling" in str(watcher.problem())


def test_an_answer_that_comes_too_late_is_a_gap_too(clock: Clock) -> None:
    watcher = watching(Fake(), clock)
    clock.sleep(watcher_module.GAP_S + 1)
    watcher.poll()
    assert "no answer in time" in str(watcher.problem())


def test_it_does_not_start_where_aws_refuses(clock: Clock) -> None:
    fake = Fake()
    fake.error = "AWS refused"
    with pytest.raises(SetupError):
        MachineWatcher(fake, clock).start()


def test_its_thread_looks_and_ends(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "POLL_S", 0.01)
    fake = Fake(machine("i-there"))
    watcher = MachineWatcher(fake, clock, wall_ns=clock.wall_ns)
    watcher.start()
    fake.found = []
    watcher.stop()
    watcher.stop()
    assert told(watcher)[-1] == ("machine.ended", "machine/i-there"), "it looks a last time"
    assert watcher.problem() is None


@pytest.mark.parametrize(
    ("tags", "cluster", "is_node"),
    [
        ({"karpenter.sh/nodepool": "spot"}, "", True),
        ({"karpenter.sh/nodepool": "spot", "kubernetes.io/cluster/other": "owned"}, "mine", False),
        ({"kubernetes.io/cluster/mine": "owned"}, "mine", True),
        ({"k8s.io/cluster-autoscaler/enabled": "true"}, "mine", True),
        ({"eks:cluster-name": "other"}, "mine", False),
        ({"Name": "bastion"}, "", False),
        ({}, "", False),
    ],
)
def test_a_node_is_known_by_its_tags(tags: dict[str, str], cluster: str, is_node: bool) -> None:
    assert replace(machine("i"), tags=tags).is_node_of(cluster) is is_node
