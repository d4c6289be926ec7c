"""Whole gates over a made-up world: what each kind of trouble does to the verdict and the exit code."""

from __future__ import annotations

import errno
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.world import CLEANED, SMALL, World

from shiftproof.errors import LoadError, LockHeldError, ServiceFault, SetupError
from shiftproof.gate.outcome import Outcome
from shiftproof.model.event import Side
from shiftproof.model.verdict import Verdict
from shiftproof.ports import Rollout, Weights
from shiftproof.safety.journal import Journal, journal_dir
from shiftproof.safety.lock import exclusive

ROOT = Path(__file__).parents[2]
Gate = Callable[..., Outcome]


def _not_passed(outcome: Outcome) -> str:
    assert outcome.result is not None
    bad = [f for f in outcome.result.findings if f.verdict is not Verdict.PASS]
    return "\n".join(f"{f.claim} {f.phase} {f.verdict}: {f.reason}" for f in bad)


def _claims(outcome: Outcome, verdict: Verdict) -> set[str]:
    assert outcome.result is not None
    return {finding.claim for finding in outcome.result.findings if finding.verdict is verdict}


def _suite(tmp_path: Path, text: str) -> str:
    # A name of its own: pytest remembers modules by name, and all these gates run in one process.
    path = tmp_path / f"test_{tmp_path.name}.py"
    path.write_text(text)
    return str(path)


def test_a_clean_world_passes(gate: Gate, world: World, tmp_path: Path) -> None:
    outcome = gate()

    assert outcome.error is None
    assert outcome.result is not None
    assert outcome.result.verdict is Verdict.PASS, _not_passed(outcome)
    assert outcome.exit_code == 0
    assert world.router.weights("weighted") == Weights(100, 0)
    assert not Journal(journal_dir()).pending()
    assert CLEANED == ["payments"]
    written = json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert written["verdict"] == "PASS"
    assert written["customers"]["requests"] > 1000
    assert written["customers"]["failed"] == 0
    assert written["run"]["load_s"] > sum(row.seconds for row in outcome.result.phases if row.pairs) > 0
    assert {claim["name"] for claim in written["claims"]} >= {"availability", "outage", "deploy", "rollback"}
    for name in ("index.html", "events.parquet", "timeline.jsonl"):
        assert (tmp_path / "run" / name).stat().st_size > 0


def test_requests_lost_in_rollouts_fail_and_end_the_run_early(gate: Gate, world: World) -> None:
    world.lost_when_rolling = True
    outcome = gate()
    assert outcome.exit_code == 1
    assert "availability" in _claims(outcome, Verdict.FAIL)
    assert outcome.result is not None
    assert "rollback" not in {row.name for row in outcome.result.phases}


def test_a_total_outage_of_the_cluster_fails_within_the_steady_phase(gate: Gate, world: World) -> None:
    world.broken = {Side.CLUSTER}
    outcome = gate()
    assert outcome.exit_code == 1
    assert outcome.result is not None
    assert [row.name for row in outcome.result.phases if row.name != "preflight"] == ["steady"]
    assert outcome.result.run.load_s is not None
    assert 0 < outcome.result.run.load_s < SMALL.steady_s


def test_a_failure_of_both_sides_is_not_blamed_on_the_cluster(gate: Gate, world: World) -> None:
    world.broken = {Side.CLUSTER, Side.LEGACY, Side.WEIGHTED}
    assert gate().exit_code == 2


def test_a_rollout_that_hangs_fails_by_the_deploy_claim(gate: Gate, world: World) -> None:
    world.cluster.problem = "CreateContainerConfigError: no key PARTNER_TOKEN in Secret payments"
    outcome = gate()
    assert outcome.exit_code == 1
    assert outcome.result is not None
    deploy = [f for f in outcome.result.findings if f.claim == "deploy" and f.verdict is Verdict.FAIL]
    assert deploy
    assert "PARTNER_TOKEN" in deploy[0].reason


def test_traffic_that_does_not_follow_the_weights_fails(gate: Gate, world: World) -> None:
    world.router.ignored = True
    outcome = gate()
    assert outcome.exit_code == 1
    assert outcome.result is not None
    assert any("did not follow" in finding.reason for finding in outcome.result.findings)


def test_a_sick_legacy_side_fails_before_any_load(gate: Gate, world: World) -> None:
    world.router.legacy_state = "unhealthy"
    outcome = gate()
    assert outcome.exit_code == 1
    assert outcome.result is not None
    assert outcome.result.requests.pairs == 0
    assert outcome.result.run.load_s == 0
    assert world.running.made == 0


def test_a_fault_without_effect_is_inconclusive(gate: Gate, world: World) -> None:
    world.faults.problem = "no pod was deleted"
    outcome = gate()
    assert outcome.exit_code == 2
    assert outcome.result is not None
    assert any("no pod was deleted" in finding.reason for finding in outcome.result.findings)


def test_a_load_child_that_dies_is_inconclusive(gate: Gate, world: World) -> None:
    def die(deadline_s: float) -> Any:
        world.running.dead = True
        world.clock.sleep(3)
        pytest.fail("the gate went on without load")

    world.cluster.roll = die  # type: ignore[method-assign]
    outcome = gate()
    assert outcome.exit_code == 2


def test_a_load_that_sends_nothing_never_passes(gate: Gate, world: World) -> None:
    world.running.silent = True
    outcome = gate("-k", "steady")
    assert outcome.exit_code == 2


def test_a_load_that_will_not_start_is_inconclusive(gate: Gate, world: World, monkeypatch: Any) -> None:
    def refuse(*_: Any) -> Any:
        raise LoadError("no request was recorded within 20 s")

    monkeypatch.setattr("fakes.world.FakeLoad.start", refuse)
    outcome = gate()
    assert outcome.exit_code == 2
    assert world.customers.started is False


def test_a_gap_in_the_timeline_is_inconclusive(gate: Gate, world: World) -> None:
    world.kubernetes.gap = "the watch of pods was cut off for 3 s"
    assert gate().exit_code == 2


@pytest.mark.parametrize("arguments", [("-k", "not rollback"), ("-m", "cutover")])
def test_a_part_of_the_suite_cannot_pass(gate: Gate, arguments: tuple[str, ...]) -> None:
    outcome = gate(*arguments)
    assert outcome.exit_code == 2
    assert "suite" in _claims(outcome, Verdict.INCONCLUSIVE)


def test_a_skipped_drill_is_inconclusive(gate: Gate, tmp_path: Path) -> None:
    text = "import pytest\n\ndef test_own(rehearsal):\n    pytest.skip('not today')\n"
    outcome = gate(suites=_suite(tmp_path, text))
    assert outcome.exit_code == 2
    assert outcome.result is not None
    assert any("not today" in finding.reason for finding in outcome.result.findings)


def test_a_drill_with_a_bug_is_inconclusive(gate: Gate, tmp_path: Path) -> None:
    outcome = gate(suites=_suite(tmp_path, "def test_own(rehearsal):\n    raise RuntimeError('typo')\n"))
    assert outcome.exit_code == 2


def test_a_step_to_where_it_is_already_is_refused(gate: Gate, world: World) -> None:
    world.router.rules["customers"] = Weights(75, 25)
    outcome = gate()
    assert outcome.exit_code == 3
    assert outcome.error is not None
    assert "25%" in outcome.error.one_line()


def test_a_second_gate_is_told_who_holds_the_lock(gate: Gate, tmp_path: Path) -> None:
    with _locked(tmp_path):
        outcome = gate()
    assert outcome.exit_code == 3
    assert isinstance(outcome.error, LockHeldError)
    assert "gate payments --to 50" in str(outcome.error)


@contextmanager
def _locked(tmp_path: Path) -> Iterator[None]:
    folder = tmp_path / "state"
    folder.mkdir(exist_ok=True)
    with exclusive("gate payments --to 50", folder):
        yield


def test_ctrl_c_puts_the_weights_back_and_exits_3(gate: Gate, world: World) -> None:
    def interrupt(deadline_s: float) -> Any:
        world.router.set_weights("weighted", Weights(50, 50))
        raise KeyboardInterrupt

    world.cluster.roll = interrupt  # type: ignore[method-assign]
    outcome = gate()
    assert outcome.exit_code == 3
    assert isinstance(outcome.error, SetupError)
    assert world.router.weights("weighted") == Weights(100, 0)
    assert not Journal(journal_dir()).pending()
    assert world.customers.started is False


def test_naming_files_by_hand_cannot_pass_without_the_rest(gate: Gate) -> None:
    outcome = gate(suites=str(ROOT / "suites" / "test_cutover.py"))
    assert outcome.exit_code == 2
    assert outcome.result is not None
    reasons = " ".join(finding.reason for finding in outcome.result.findings)
    assert "not checked" in reasons
    assert "node-loss" in reasons


def test_a_module_that_skips_itself_is_inconclusive(gate: Gate, tmp_path: Path) -> None:
    outcome = gate(suites=_suite(tmp_path, "import pytest\npytest.skip('later', allow_module_level=True)\n"))
    assert outcome.exit_code == 2
    assert outcome.result is not None
    assert any("later" in finding.reason for finding in outcome.result.findings)


def test_a_suite_that_cannot_be_imported_exits_3_with_its_error(gate: Gate, tmp_path: Path) -> None:
    outcome = gate("--continue-on-collection-errors", suites=_suite(tmp_path, "import no_such_module\n"))
    assert outcome.exit_code == 3
    assert outcome.error is not None
    assert "no_such_module" in str(outcome.error)


def test_an_expected_failure_that_passes_is_inconclusive(gate: Gate, tmp_path: Path) -> None:
    text = "import pytest\n\n@pytest.mark.xfail(strict=True, reason='known')\ndef test_own(rehearsal):\n    pass\n"
    assert gate(suites=_suite(tmp_path, text)).exit_code == 2


@pytest.mark.parametrize("arguments", [("-k", "("), ("no-such-folder",)])
def test_drills_that_cannot_be_selected_exit_3(gate: Gate, arguments: tuple[str, ...]) -> None:
    assert gate(*arguments).exit_code == 3


def test_a_page_that_cannot_be_written_leaves_no_verdict(gate: Gate, tmp_path: Path, monkeypatch: Any) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shiftproof.gate.outcome.write_page", full)
    outcome = gate("-k", "steady")
    assert outcome.exit_code == 3
    assert not (tmp_path / "run" / "verdict.json").exists()


def test_a_workload_that_cannot_be_read_at_the_end_keeps_the_fail(gate: Gate, world: World) -> None:
    def gone() -> Any:
        raise ServiceFault("there is no Deployment payments")

    world.cluster.workload = gone  # type: ignore[method-assign]
    outcome = gate()
    assert outcome.exit_code == 1
    assert outcome.result is not None


def test_a_deploy_by_somebody_else_is_inconclusive(gate: Gate, world: World) -> None:
    def rolled(deadline_s: float) -> Any:
        world.cluster.state = replace(world.cluster.state, image_ids=("sha256:22",))
        return Rollout(0.1, True, 3)

    world.cluster.roll = rolled  # type: ignore[method-assign]
    outcome = gate()
    assert outcome.exit_code == 2
    assert outcome.result is not None
    assert any("somebody else deployed" in finding.reason for finding in outcome.result.findings)


def test_a_terminated_gate_cleans_up_as_an_interrupted_one(gate: Gate, world: World) -> None:
    def terminate(deadline_s: float) -> Any:
        signal.raise_signal(signal.SIGTERM)

    world.cluster.roll = terminate  # type: ignore[method-assign]
    outcome = gate()
    assert outcome.exit_code == 3
    assert not Journal(journal_dir()).pending()
    assert CLEANED == ["payments"]
