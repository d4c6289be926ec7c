from __future__ import annotations

from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

from shiftproof.adapters.chaostoolkit import read_experiment
from shiftproof.adapters.chaostoolkit.files import read_file
from shiftproof.errors import ConfigError, UserError
from shiftproof.gate.config import read_platform
from shiftproof.model.history import Budget, PhaseKind

EXPERIMENTS = Path(__file__).parents[3] / "experiments"

GOOD = """\
title: A title
description: What it shows
extensions:
  - {name: shiftproof, kind: graceful}
steady-state-hypothesis:
  title: Steady
  probes:
    - type: probe
      name: steady
      tolerance: steady
      provider: {type: python, module: shiftproof.chaos.probes, func: service_is_steady}
method:
  - type: action
    name: hit
    provider: {type: python, module: shiftproof.chaos.pods, func: delete_pod}
"""


FOR_EVENTS = {"spot-interruption", "spot-reclaim-pool", "zone-loss", "metrics-outage", "node-slow-join"}
OWN = sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))


@pytest.mark.parametrize("name", OWN)
def test_our_own_are_good(name: str) -> None:
    found = read_experiment(EXPERIMENTS, name)
    assert found.name == name
    assert found.repeats == (3 if found.kind is PhaseKind.GRACEFUL and name not in FOR_EVENTS else 1)
    assert (found.budget is None) == (found.kind is PhaseKind.GRACEFUL)


@pytest.mark.parametrize("name", OWN)
def test_what_our_own_call_is_there_and_takes_their_arguments(name: str) -> None:
    file = read_file(EXPERIMENTS, name)
    assert ("event" in file.tags) == (name in FOR_EVENTS)
    for activity in (*file.hypothesis.probes, *file.method, *file.rollbacks):
        function = getattr(import_module(activity.provider.module), activity.provider.func)
        signature(function).bind(**activity.provider.arguments)


def test_those_of_a_gate_are_not_those_of_events() -> None:
    gates = {name for service in read_platform(EXPERIMENTS.parent / "infra").services for name in service.experiments}
    assert gates
    assert not gates & FOR_EVENTS


def test_graceful_runs_three_times_when_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(GOOD)
    assert read_experiment(tmp_path, "x").repeats == 3


def test_a_crash_has_its_budget(tmp_path: Path) -> None:
    budget = "{name: shiftproof, kind: crash, budget: {outage_ms: 50, lost_requests: 0, recover_s: 1}}"
    (tmp_path / "x.yaml").write_text(GOOD.replace("{name: shiftproof, kind: graceful}", budget))
    found = read_experiment(tmp_path, "x")
    assert (found.kind, found.repeats, found.budget) == (PhaseKind.CRASH, 1, Budget(50, 0, 1))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: graceful", "kind: crash", "4: extensions[0]: a crash needs a budget"),
        ("kind: graceful", "kind: gracefull", "4: extensions[0].kind"),
        (
            "kind: graceful",
            "kind: graceful, budget: {outage_ms: 1, lost_requests: 1, recover_s: 1}",
            "4: extensions[0]: graceful work may cost no request",
        ),
        ("method:", "methods:", "1: method is missing (and 1 more, line 12)"),
        ("extensions:", "rollback: []\nextensions:", "rollback is not a key that is known here: is rollbacks meant?"),
        ("type: action", "type: probe", "12: the method has no action"),
        ("      tolerance: steady\n", "", "8: probe 'steady' has no tolerance"),
        ("shiftproof.chaos.pods", "shiftproof.chaos.cats", "15: there is no Python module shiftproof.chaos.cats"),
        (
            "{type: python, module: shiftproof.chaos.pods",
            "{type: process, module: shiftproof.chaos.pods",
            "provider.type",
        ),
    ],
)
def test_a_bad_file_names_its_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "x.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        read_experiment(tmp_path, "x")
    assert words in str(caught.value)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "pod-delete.yaml").write_text(GOOD)
    with pytest.raises(UserError, match=r"no experiment 'cat' .* known: pod-delete"):
        read_experiment(tmp_path, "cat")
