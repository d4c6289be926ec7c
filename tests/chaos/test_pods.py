from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.kubernetes_api import FakeKubernetes, pod

from shiftproof.chaos.pods import delete_one, kill_one
from shiftproof.chaos.scene import Scene
from shiftproof.errors import FaultError, LabError, RefusedError
from shiftproof.lab.control import LabControl
from shiftproof.model.target import Target

PODS = "/api/v1/namespaces/payments/pods"


class Lab(LabControl):
    """Kills what it is told to, in the fake cluster."""

    def __init__(self, fake: FakeKubernetes, *, pids: list[int] | None = None, exit_code: int = 137) -> None:
        super().__init__(Path("/nowhere"))
        self.fake = fake
        self.pids = [4711] if pids is None else pids
        self.exit_code = exit_code
        self.killed: list[tuple[str, str]] = []

    def kill_pod(self, node: str, pod_uid: str) -> list[int]:
        self.killed.append((node, pod_uid))
        name = pod_uid.removeprefix("uid-")
        dead = pod(name, node=node, restarts=1)
        dead["status"]["containerStatuses"][0]["lastState"] = {
            "terminated": {"containerID": f"c://{name}/0", "exitCode": self.exit_code}
        }
        self.fake.put(f"{PODS}/{name}", dead)
        return self.pids


def goes_at_once(fake: FakeKubernetes) -> None:
    """A pod that was marked for deletion is gone at the next look at it."""

    def on_call(verb: str, path: str, body: Any) -> None:
        if verb == "GET" and "deletionTimestamp" in fake.objects.get(path, {}).get("metadata", {}):
            fake.remove(path)

    fake.on_call = on_call


def test_a_deleted_pod_is_named_and_was_seen_to_go(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    goes_at_once(fake)
    report = delete_one(scene, 5)
    (victim,) = report["victims"]
    assert report["effect"] == "confirmed"
    assert f"{PODS}/{victim.removeprefix('pod/')}" not in fake.objects
    assert len(fake.items(PODS)) == 1


def test_a_pod_that_stays_is_no_success(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    _, scene = fake_and_scene
    with pytest.raises(FaultError, match="is still there"):
        delete_one(scene, 0.1)


def test_with_no_ready_pod_nothing_is_broken_and_nothing_passes(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    for name in ("p1", "p2"):
        fake.put(f"{PODS}/{name}", pod(name, ready=False))
    lab = Lab(fake)
    with pytest.raises(FaultError, match="no ready pod"):
        delete_one(scene, 1)
    with pytest.raises(FaultError, match="no ready pod"):
        kill_one(scene, lab, 1)
    assert lab.killed == []
    assert not [call for call in fake.calls if call[0] == "DELETE"]


def test_a_pod_that_nothing_would_replace_is_left_alone(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    for name in ("p1", "p2"):
        bare = pod(name)
        bare["metadata"]["ownerReferences"] = []
        fake.put(f"{PODS}/{name}", bare)
    with pytest.raises(FaultError, match="no controller"):
        delete_one(scene, 1)


def test_a_kill_names_its_victim_once_the_death_is_reported(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    lab = Lab(fake)
    report = kill_one(scene, lab, 5)
    assert report["effect"] == "confirmed"
    assert report["facts"]["pids"] == [4711]
    assert [f"pod/{uid.removeprefix('uid-')}" for _, uid in lab.killed] == report["victims"]


def test_a_kill_that_matches_no_process_is_an_error(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    with pytest.raises(FaultError, match="no process of pod"):
        kill_one(scene, Lab(fake, pids=[]), 1)


def test_a_container_that_ended_by_itself_was_not_killed(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    with pytest.raises(FaultError, match="no container was seen to die"):
        kill_one(scene, Lab(fake, exit_code=0), 0.1)


def test_a_pod_that_was_killed_before_is_spared(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    fake.put(f"{PODS}/p1", pod("p1", restarts=1))
    for seed in range(5):
        scene.random.seed(seed)
        lab = Lab(fake)
        fake.put(f"{PODS}/p2", pod("p2", node="node-2"))
        assert kill_one(scene, lab, 5)["victims"] == ["pod/p2"]


def test_the_seed_decides_who_is_hit(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    goes_at_once(fake)
    hit = set()
    for seed in range(8):
        for name in ("p1", "p2"):
            fake.put(f"{PODS}/{name}", pod(name))
        scene.random.seed(seed)
        hit.add(delete_one(scene, 5)["victims"][0])
    assert hit == {"pod/p1", "pod/p2"}


def test_faults_outside_the_lab_are_refused_unless_asked_for(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    eks = Target.model_validate({**scene.target.model_dump(), "name": "prod", "kind": "eks"})
    not_asked = replace(scene, target=eks)
    with pytest.raises(RefusedError, match="not allowed"):
        delete_one(not_asked, 1)
    with pytest.raises(RefusedError, match="in the lab only"):
        kill_one(replace(not_asked, faults_allowed=True), Lab(fake), 1)
    assert not [call for call in fake.calls if call[0] == "DELETE"]


def test_a_lab_that_is_not_there_is_an_error(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    _, scene = fake_and_scene
    with pytest.raises(LabError):
        kill_one(scene, LabControl(Path("/nowhere/control.sock")), 1)
