"""Journals that were recorded on the lab pass; every way known of passing wrongly does not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shiftproof.adapters.chaostoolkit.audit import Plan, audit

JOURNALS = Path(__file__).parent / "journals"
DRAIN = Plan(probes=1, method=1, rollbacks=1)


def journal(name: str = "node-drain") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((JOURNALS / f"{name}.json").read_text())
    return found


def test_a_recorded_drain_passes_with_its_victims() -> None:
    found = audit(journal(), DRAIN)
    assert found.problem is None
    assert found.service_problem is None
    assert [victim.split("/")[0] for victim in found.victims] == ["node", "pod", "pod"]
    assert found.facts["evictions_refused"] == 9


def test_a_recorded_kill_passes_without_rollbacks_since_its_file_has_none() -> None:
    found = audit(journal("pod-kill"), Plan(probes=1, method=1, rollbacks=0))
    assert found.problem is None
    assert found.victims[0].startswith("pod/")


def _no_method(found: dict[str, Any]) -> None:
    found["run"] = []


def _method_failed(found: dict[str, Any]) -> None:
    found["run"][0] |= {
        "status": "failed",
        "output": None,
        "exception": ["Traceback\n", "X: FaultError: not cordoned\n"],
    }


def _method_did_not_end(found: dict[str, Any]) -> None:
    del found["run"][0]["status"]


def _dry(found: dict[str, Any]) -> None:
    found["run"][0]["output"] = None  # what a dry run leaves: "succeeded", without having done anything


def _no_victims(found: dict[str, Any]) -> None:
    found["run"][0]["output"]["victims"] = []


def _no_effect(found: dict[str, Any]) -> None:
    found["run"][0]["output"]["effect"] = "unknown"


def _rollbacks_skipped(found: dict[str, Any]) -> None:
    found["rollbacks"] = []


def _rollback_failed(found: dict[str, Any]) -> None:
    found["rollbacks"][0] |= {"status": "failed", "exception": ["UndoError: still cordoned\n"]}


def _no_hypothesis_before(found: dict[str, Any]) -> None:
    found["steady_states"]["before"] = None


def _not_steady_before(found: dict[str, Any]) -> None:
    before = found["steady_states"]["before"]
    before["steady_state_met"] = False
    before["probes"][0] |= {"output": "not steady: 2 of 3 pods are ready", "tolerance_met": False}


def _probe_without_tolerance(found: dict[str, Any]) -> None:
    found["steady_states"]["before"]["probes"] = []


def _no_hypothesis_after(found: dict[str, Any]) -> None:
    found["steady_states"]["after"] = None


def _probe_failed_after(found: dict[str, Any]) -> None:
    after = found["steady_states"]["after"]
    after["steady_state_met"] = False
    after["probes"][0] |= {"status": "failed", "exception": ["KubernetesError: does not answer\n"]}
    found |= {"status": "failed", "deviated": True}


def _interrupted(found: dict[str, Any]) -> None:
    found["status"] = "interrupted"


def _aborted(found: dict[str, Any]) -> None:
    found["status"] = "aborted"


def _deviated_without_a_reason(found: dict[str, Any]) -> None:
    found["deviated"] = True


def _empty(found: dict[str, Any]) -> None:
    found.clear()


FALSE_PASSES: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (_no_method, "0 of 1 of the method were run"),
    (_method_failed, "not cordoned"),
    (_method_did_not_end, "did not end"),
    (_dry, "no action named a victim"),
    (_no_victims, "no action named a victim"),
    (_no_effect, "no action confirmed its effect"),
    (_rollbacks_skipped, "0 of 1 of the rollbacks were run"),
    (_rollback_failed, "still cordoned"),
    (_no_hypothesis_before, "no steady state was checked before"),
    (_not_steady_before, "2 of 3 pods are ready"),
    (_probe_without_tolerance, "0 of 1 probes were met before"),
    (_no_hypothesis_after, "no steady state was checked after"),
    (_probe_failed_after, "could not be checked: KubernetesError: does not answer"),
    (_interrupted, "ended as 'interrupted'"),
    (_aborted, "ended as 'aborted'"),
    (_deviated_without_a_reason, "no probe shows why"),
    (_empty, "no steady state was checked before"),
]


@pytest.mark.parametrize(("spoil", "words"), FALSE_PASSES, ids=[case[0].__name__[1:] for case in FALSE_PASSES])
def test_what_proves_nothing_is_a_problem_and_never_the_services(
    spoil: Callable[[dict[str, Any]], None], words: str
) -> None:
    spoiled = copy.deepcopy(journal())
    spoil(spoiled)
    found = audit(spoiled, DRAIN)
    assert found.problem is not None
    assert words in found.problem
    assert found.service_problem is None


def not_back(found: dict[str, Any]) -> None:
    after = found["steady_states"]["after"]
    after["steady_state_met"] = False
    after["probes"][0] |= {"output": "not steady after 30 s: 2 of 3 pods are ready", "tolerance_met": False}
    found["deviated"] = True  # chaoslib leaves the status at "completed"


def test_a_service_that_does_not_come_back_is_its_own_fault() -> None:
    found = journal()
    not_back(found)
    judged = audit(found, DRAIN)
    assert judged.problem is None
    assert judged.service_problem is not None
    assert "2 of 3 pods are ready" in judged.service_problem


def test_a_service_that_does_not_come_back_after_an_undo_that_failed_is_ours() -> None:
    found = journal()
    not_back(found)
    _rollback_failed(found)
    judged = audit(found, DRAIN)
    assert judged.problem is not None
    assert judged.service_problem is None


def test_a_budget_that_refuses_a_drain_to_the_end_is_the_services_fault() -> None:
    found = journal()
    found["run"][0]["output"]["service_problem"] = "the drain was refused for 45 s"
    judged = audit(found, DRAIN)
    assert judged.problem is None
    assert judged.service_problem == "the drain was refused for 45 s"
