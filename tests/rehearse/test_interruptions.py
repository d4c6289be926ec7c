"""From experiments to what the Spot claims are given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shiftproof.judge.elasticity.case import Strike
from shiftproof.model.history import Happening, Source
from shiftproof.rehearse.interruptions import interruptions
from shiftproof.rehearse.request import EventRequest
from shiftproof.rehearse.settings import RehearsalSettings, settings_for

S = 1_000_000_000
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def settings() -> RehearsalSettings:
    return settings_for(EventRequest("payday", infra_dir=ROOT / "infra"))


def _pod(t_s: float, kind: str, name: str, node: str, workload: str = "statements") -> Happening:
    data = {"node": node, "namespace": workload, "workload": workload, "ready": True, "ip": "198.18.1.9"}
    return Happening(int(t_s * S), Source.KUBERNETES, kind, f"pod/{name}", data=data)


WORKERS = [_pod(1, "pod.present", f"statements-5c-{name}", "spot-1") for name in ("bbbbb", "ccccc")]
STRUCK = Strike("spot-interruption", 10 * S, 90 * S, victims=("node/spot-1", "pod/x"), facts={"noticed": True})


def test_workers_are_back_once_as_many_as_before_are_ready(settings: RehearsalSettings) -> None:
    timeline = [
        *WORKERS,
        Happening(12 * S, Source.CHAOS, "fault.begin", "node/spot-1"),
        _pod(20, "pod.terminating", "statements-5c-bbbbb", "spot-1"),
        _pod(21, "pod.terminating", "statements-5c-ccccc", "spot-1"),
        _pod(60, "pod.created", "statements-5c-ddddd", ""),
        _pod(61, "pod.ready", "statements-5c-ddddd", "spot-2"),
        _pod(75, "pod.created", "statements-5c-fffff", ""),
        _pod(76, "pod.ready", "statements-5c-fffff", "spot-2"),
    ]
    (found,) = interruptions([STRUCK], timeline, settings)
    assert (found.t_ns, found.node, found.noticed) == (12 * S, "spot-1", True)
    assert found.back_ns == 76 * S
    assert found.critical_pods == ()


def test_workers_that_never_come_back_have_no_moment(settings: RehearsalSettings) -> None:
    timeline = [*WORKERS, _pod(20, "pod.terminating", "statements-5c-bbbbb", "spot-1")]
    (found,) = interruptions([STRUCK], timeline, settings)
    assert found.back_ns is None


def _wanted(t_s: float, pods: int, worker: str = "statements") -> Happening:
    return Happening(int(t_s * S), Source.KUBERNETES, "scale.wanted", f"deployment/{worker}", data={"replicas": pods})


LOST = [
    *WORKERS,
    _wanted(1, 2),
    _pod(20, "pod.terminating", "statements-5c-bbbbb", "spot-1"),
    _pod(21, "pod.terminating", "statements-5c-ccccc", "spot-1"),
]
NEW = _pod(60, "pod.ready", "statements-5c-fffff", "spot-2")


@pytest.mark.parametrize("left", [0, 1])
def test_workers_that_nobody_wanted_back_say_nothing(settings: RehearsalSettings, left: int) -> None:
    timeline = [*(LOST if not left else LOST[:-1]), _wanted(35, left)]
    (found,) = interruptions([STRUCK], timeline, settings)
    assert found.back_ns is None
    assert found.moot is not None
    assert found.moot.startswith("25 s later statements had too little to do")


def test_as_many_as_were_still_wanted_are_enough_once_a_new_one_came(settings: RehearsalSettings) -> None:
    (found,) = interruptions([STRUCK], [*LOST, _wanted(50, 1), NEW], settings)
    assert (found.back_ns, found.moot) == (60 * S, None)
    (sooner,) = interruptions([STRUCK], [*LOST, NEW, _wanted(70, 1)], settings)
    assert (sooner.back_ns, sooner.moot) == (70 * S, None), "two were wanted until then"


def test_more_than_before_need_not_come(settings: RehearsalSettings) -> None:
    timeline = [*LOST[:-1], _wanted(22, 4), NEW]
    assert interruptions([STRUCK], timeline, settings)[0].back_ns == 60 * S


def test_one_that_is_wanted_and_never_comes_has_no_moment(settings: RehearsalSettings) -> None:
    (found,) = interruptions([STRUCK], [*LOST, _wanted(50, 1)], settings)
    assert (found.back_ns, found.moot) == (None, None)


def test_a_worker_with_nothing_left_to_do_does_not_excuse_another(settings: RehearsalSettings) -> None:
    (statements,) = settings.platform.workers
    letters = statements.model_copy(update={"name": "letters", "namespace": "letters", "deployment": "letters"})
    two = settings.platform.model_copy(update={"workers": (letters, statements)})
    idle = [
        _pod(1, "pod.present", "letters-7d-bbbbb", "spot-1", "letters"),
        _wanted(1, 1, "letters"),
        _pod(20, "pod.terminating", "letters-7d-bbbbb", "spot-1", "letters"),
        _wanted(35, 0, "letters"),
    ]
    (never,) = interruptions([STRUCK], [*LOST, *idle], replace(settings, platform=two))
    assert (never.back_ns, never.moot) == (None, None)
    timeline = [*LOST, *idle, _wanted(50, 1), NEW]
    (back,) = interruptions([STRUCK], timeline, replace(settings, platform=two))
    assert (back.back_ns, back.moot) == (60 * S, None)


@pytest.mark.parametrize(
    ("timeline", "why"),
    [
        ([], "no pod of a worker was on it: nothing was taken away"),
        (WORKERS, "2 pods of statements were ready before and ever since: nothing was taken away"),
        (
            [_pod(1, "pod.scheduled", "statements-5c-bbbbb", "spot-1"), _wanted(1, 1)],
            "0 pods of statements were ready before and ever since: nothing was taken away",
        ),
    ],
)
def test_without_a_loss_nothing_is_proven(settings: RehearsalSettings, timeline: list[Happening], why: str) -> None:
    (found,) = interruptions([STRUCK], timeline, settings)
    assert (found.back_ns, found.moot) == (None, why)


def test_a_node_of_the_service_alone_is_no_matter_of_spot(settings: RehearsalSettings) -> None:
    mine = _pod(1, "pod.present", "payments-7d-bbbbb", "node-1", "payments")
    lost = Strike("node-loss", 10 * S, 90 * S, victims=("node/node-1",))
    assert interruptions([lost], [*WORKERS, mine], settings) == ()
    spot = Happening(1 * S, Source.KUBERNETES, "node.present", "node/node-1", data={"capacity_type": "spot"})
    (found,) = interruptions([lost], [spot, *WORKERS, mine], settings)
    assert found.critical_pods == ("pod/payments-7d-bbbbb",)


def test_critical_pods_on_the_machine_are_named_and_others_are_not(settings: RehearsalSettings) -> None:
    timeline = [
        *WORKERS,
        _pod(1, "pod.present", "payments-7d-bbbbb", "spot-1", "payments"),
        _pod(1, "pod.present", "payments-7d-ccccc", "node-1", "payments"),
        _pod(1, "pod.present", "payments-7d-ddddd", "spot-1", "payments"),
        _pod(5, "pod.gone", "payments-7d-ddddd", "spot-1", "payments"),
    ]
    (found,) = interruptions([STRUCK], timeline, settings)
    assert found.critical_pods == ("pod/payments-7d-bbbbb",)


def test_what_took_no_effect_interrupted_nothing(settings: RehearsalSettings) -> None:
    assert (
        interruptions([Strike("spot-interruption", 1, 2, victims=("node/spot-1",), problem="no effect")], [], settings)
        == ()
    )
    assert interruptions([Strike("pod-kill", 1, 2, victims=("pod/a",))], [], settings) == ()
