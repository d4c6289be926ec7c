from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from fakes.kubernetes_api import FakeKubernetes, deployment, lab_target, node, pod, serving

from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.chaos.scene import Scene
from shiftproof.model.platform import Service
from shiftproof.safety.journal import Journal

PODS = "/api/v1/namespaces/payments/pods"


@pytest.fixture
def fake_and_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeKubernetes, Scene]]:
    """Two nodes, and one pod of payments on each; undo handlers find the fake by the target's name."""
    monkeypatch.setattr("shiftproof.chaos.scene.POLL_S", 0.01)
    monkeypatch.setattr("shiftproof.chaos.eviction.AGAIN_AFTER_S", 0.01)
    with serving(tmp_path) as (fake, kubeconfig):
        target = lab_target(kubeconfig)
        monkeypatch.setattr("shiftproof.chaos.undo.load_target", lambda name: target)
        fake.put("/apis/apps/v1/namespaces/payments/deployments/payments", deployment())
        for number in (1, 2):
            fake.put(f"/api/v1/nodes/node-{number}", node(f"node-{number}"))
            fake.put(f"{PODS}/p{number}", pod(f"p{number}", node=f"node-{number}", ip=f"198.18.{number}.2"))
        yield (
            fake,
            Scene(
                target=target,
                service=_service(),
                api=Api(connect(target)),
                journal=Journal(tmp_path / "journal", run_id="this-run", scope="test"),
                random=Random(1),
                faults_allowed=False,
                run_id="this-run",
            ),
        )


def _service() -> Service:
    return Service.model_validate(
        {
            "name": "payments",
            "namespace": "payments",
            "deployment": "payments",
            "manifests": "x",
            "load_balancer": {"name": "l", "legacy_target_group": "a", "cluster_target_group": "b"},
            "load": {"operations": [{"name": "list", "method": "GET", "path": "/"}]},
        }
    )
