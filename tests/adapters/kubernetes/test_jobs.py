"""A worker's jobs by the worker's own commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from shiftproof.adapters.kubernetes import jobs
from shiftproof.adapters.kubernetes.api import Api
from shiftproof.adapters.kubernetes.commands import Command, CommandFailed, job_of, run_command
from shiftproof.adapters.kubernetes.jobs import counts
from shiftproof.errors import FaultError, MeasureError, UndoError
from shiftproof.gate.config import find_target, read_platform

INFRA = Path(__file__).parents[3] / "infra"
DEPLOYMENT: dict[str, Any] = {
    "spec": {
        "template": {
            "spec": {
                "nodeSelector": {"karpenter.sh/capacity-type": "spot"},
                "tolerations": [{"key": "spot"}],
                "topologySpreadConstraints": [{}],
                "containers": [{"name": "w", "image": "w:1", "args": ["work"], "env": [], "livenessProbe": {}}],
            }
        }
    }
}
ASK = Command("statements", "statements", ("python3", "-m", "statements", "ask", "3"), "shiftproof-ask", anywhere=True)
JOBS = "/apis/batch/v1/namespaces/statements/jobs"


class FakeApi:
    """A cluster on which the Job ends as told."""

    def __init__(self, **status: int) -> None:
        self.status = status
        self.job: dict[str, Any] | None = None
        self.calls: list[str] = []

    def find(self, path: str) -> Any:
        return self.job if path == f"{JOBS}/shiftproof-ask" else None

    def get(self, path: str) -> Any:
        return {**(self.job or {}), "status": self.status} if path.startswith(JOBS) else DEPLOYMENT

    def post(self, path: str, body: dict[str, Any]) -> Any:
        self.calls.append("post")
        self.job = body
        return body

    def delete(self, path: str, body: Any = None) -> Any:
        self.calls.append("delete")
        self.job = None

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        said = {"state": {"terminated": {"message": "first\nthe queue is not there\n"}}}
        return [{"metadata": {"name": "p-1"}, "status": {"containerStatuses": [said]}}]

    def text(self, path: str) -> str:
        assert path.endswith("/pods/p-1/log")
        return "asked for 3\n"


def _never(seconds: float) -> None:
    raise AssertionError("nothing to wait for")


def test_a_command_runs_in_the_workloads_own_image_and_on_any_node() -> None:
    spec = job_of(DEPLOYMENT, ASK)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["command"] == ["python3", "-m", "statements", "ask", "3"]
    assert container["image"] == "w:1"
    assert not {"args", "livenessProbe"} & container.keys()
    assert not {"nodeSelector", "topologySpreadConstraints"} & spec.keys()
    own = job_of(DEPLOYMENT, Command("statements", "statements", ("x",), "j"))
    assert "nodeSelector" in own["spec"]["template"]["spec"]
    assert DEPLOYMENT["spec"]["template"]["spec"]["containers"][0]["args"] == ["work"]


def test_what_it_printed_is_returned_and_the_job_goes() -> None:
    api = FakeApi(succeeded=1)
    assert run_command(cast("Api", api), ASK, _never, read=True) == "asked for 3\n"
    assert api.calls == ["post", "delete"]


def test_a_command_that_fails_says_its_last_words_and_the_job_goes() -> None:
    api = FakeApi(failed=1)
    with pytest.raises(CommandFailed, match=r"^the queue is not there$"):
        run_command(cast("Api", api), ASK, _never)
    assert api.calls == ["post", "delete"]


def test_a_job_that_an_earlier_run_left_goes_first() -> None:
    api = FakeApi(succeeded=1)
    api.job = {}
    run_command(cast("Api", api), ASK, _never)
    assert api.calls == ["delete", "post", "delete"]


class NoJournal:
    def record(self, **_: Any) -> None:
        raise AssertionError("nothing is promised here")


def test_a_job_that_does_not_go_away_is_no_end_of_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps the worker's jobs from being counted, and nothing else from being judged."""

    def stuck(api: Api, command: Command, *_: Any, **__: Any) -> str:
        asked.append(command.words)
        raise UndoError("the Job shiftproof-ask does not go away")

    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(jobs, "run_command", stuck)
    (worker,) = read_platform(INFRA).workers
    mine = jobs.WorkerJobs(cast("Any", None), find_target(INFRA, "lab"), worker, cast("Any", NoJournal()), _never)
    with pytest.raises(FaultError, match="does not go away"):
        mine.ask()
    with pytest.raises(MeasureError, match="does not go away"):
        mine.check()
    assert str(mine.planned) in asked[0], "as many as are counted against in the end"


def test_counts_are_the_last_whole_object() -> None:
    said = 'warming up\n{"asked": 3, "produced": 2, "twice": 0, "lost": 1}\n'
    assert counts(said, "statements") == {"asked": 3, "produced": 2, "twice": 0, "lost": 1}


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no",
        "3",
        '{"asked": 3}',
        '{"asked": 3, "produced": 2, "twice": 0, "lost": -1}',
        '{"asked": true, "produced": 2, "twice": 0, "lost": 1}',
    ],
)
def test_what_counts_nothing_is_no_count(said: str) -> None:
    with pytest.raises(MeasureError, match="did not say what became of its jobs"):
        counts(said, "statements")
