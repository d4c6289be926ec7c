"""Run inside the lab by test_on_lab.py: rolls, or runs experiments, and prints what came of it as one line of JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from shiftproof.adapters.chaostoolkit import ChaosToolkitFaults
from shiftproof.adapters.kubernetes import KubernetesCluster, KubernetesWatcher, connect
from shiftproof.adapters.targets import infra_dir, load_service, load_target
from shiftproof.errors import ClearFail
from shiftproof.gate.clock import RunClock, take_anchor
from shiftproof.safety.journal import Journal, journal_dir


class _CutShort:
    """A checkpoint that decides once a fault is on record."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __call__(self) -> None:
        if self._journal.pending():
            raise ClearFail("decided")


def main(run_dir: Path, *words: str) -> None:
    target, service = load_target("lab"), load_service("payments")
    anchor = take_anchor()
    journal = Journal(journal_dir())
    clock = RunClock(anchor)
    watcher = KubernetesWatcher(connect(target), service.namespace, clock)
    cluster = KubernetesCluster(connect(target), service, clock, target=target.name, journal=journal)
    assert cluster.wait_steady(90), "the lab's payments must be whole before it is broken"
    faults_clock = RunClock(anchor)
    if "--cut" in words:
        faults_clock.watch(_CutShort(journal))
    faults = ChaosToolkitFaults(
        target,
        service,
        faults_clock,
        infra_dir().parent / "experiments",
        infra_dir=infra_dir(),
        seed=1,
    )
    watcher.start()
    print("ready", flush=True)
    found: dict[str, object] = {"digests": [cluster.workload().manifest_digest]}
    try:
        if words[0] == "roll":
            found["rollout"] = asdict(cluster.roll(90))
        else:
            found["result"] = asdict(faults.run(words[0], run_dir, 1))
    except ClearFail:
        found["cut"] = True
    finally:
        faults.close()
        found["steady"] = cluster.wait_steady(90)
        watcher.stop()
    found["digests"] = [*found["digests"], cluster.workload().manifest_digest]  # type: ignore[misc]
    found["pending"] = [entry.subject for entry in journal.pending()]
    found["problem"] = watcher.problem()
    seen = sorted([*watcher.happenings(), *faults.happenings()], key=lambda happening: happening.t_ns)
    found["happenings"] = [[happening.t_ns, happening.kind, happening.subject] for happening in seen]
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
