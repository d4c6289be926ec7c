"""The gate as a command: what a person's mistake looks like, once and in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from shiftproof.errors import LockHeldError, UserError
from shiftproof.gate import opening
from shiftproof.gate.request import Request
from shiftproof.gate.run import dry_run_gate, run_gate
from shiftproof.safety.lock import exclusive

INFRA = Path(__file__).parents[2] / "infra"


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv("SHIFTPROOF_STATE", str(state))
    monkeypatch.setattr(opening, "recover_all", lambda target: pytest.fail("nothing may be touched"))
    return Request("payments", 25, infra_dir=INFRA, run_dir=tmp_path / "run")


def test_a_gate_that_is_locked_out_says_so_once(
    request_: Request, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with exclusive("gate payments --to 50", tmp_path / "state"), pytest.raises(LockHeldError, match="--to 50"):
        run_gate(request_, None, "", "")
    assert capfd.readouterr().err == ""
    assert not (tmp_path / "run").exists()


def test_an_old_verdict_is_not_left_to_be_taken_for_a_new_one(request_: Request, tmp_path: Path) -> None:
    old = tmp_path / "verdict.json"
    old.write_text('{"verdict": "PASS"}')
    with exclusive("gate payments --to 50", tmp_path / "state"), pytest.raises(LockHeldError):
        run_gate(request_, str(old), "", "")
    assert not old.exists()


def test_a_dry_run_plants_nothing(request_: Request) -> None:
    planting = Request("payments", 25, infra_dir=INFRA, defect=Path("x.yaml"))
    with pytest.raises(UserError, match="--defect"):
        dry_run_gate(planting, None)
