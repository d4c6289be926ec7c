from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from fakes.clock import SteppingClock
from fakes.kubernetes_api import FakeKubernetes, deployment, node, pod

from shiftproof.adapters.kubernetes import KubernetesCluster, KubernetesError
from shiftproof.adapters.kubernetes.digest import ROLLED
from shiftproof.adapters.kubernetes.patience import SILENT_FOR_S
from shiftproof.errors import ClearFail, ServiceFault
from shiftproof.model.platform import Service

DEPLOYMENT = "/apis/apps/v1/namespaces/payments/deployments/payments"
PODS = "/api/v1/namespaces/payments/pods"
NO_KEY = "couldn't find key PARTNER_TOKEN in Secret payments/payments"


class Journal:
    """Notes the order of what is recorded, so that a test can hold it against what was changed."""

    def __init__(self) -> None:
        self.pending: dict[str, Mapping[str, Any]] = {}
        self.recorded: list[str] = []

    def record(self, *, kind: str, subject: str, undo: Mapping[str, Any], lease_s: float) -> str:
        self.pending[kind] = undo
        self.recorded.append(f"{kind} {subject}")
        return kind

    def done(self, entry_id: str) -> None:
        del self.pending[entry_id]


def service() -> Service:
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


def cluster(client: Any, clock: SteppingClock, journal: Journal) -> KubernetesCluster:
    return KubernetesCluster(client, service(), clock, target="lab", journal=journal)


def stand_up(fake: FakeKubernetes) -> None:
    fake.put(DEPLOYMENT, deployment())
    for number in (1, 2):
        fake.put(f"{PODS}/old-{number}", pod(f"old-{number}"))


def template_annotations(fake: FakeKubernetes) -> dict[str, str]:
    return dict(fake.objects[DEPLOYMENT]["spec"]["template"]["metadata"].get("annotations") or {})


def roll_out(fake: FakeKubernetes, **how: Any) -> None:
    """What the controllers do: the new template is observed, new pods come, old ones go."""
    thing = fake.objects[DEPLOYMENT]
    thing["status"]["observedGeneration"] = thing["metadata"]["generation"]
    for number in (1, 2):
        fake.put(f"{PODS}/new-{number}", pod(f"new-{number}", annotations=template_annotations(fake), **how))


def test_a_rollout_ends_when_only_new_pods_are_left(fake_and_client: tuple[FakeKubernetes, Any]) -> None:
    fake, client = fake_and_client
    stand_up(fake)

    def world(slept_s: float) -> None:
        if f"{PODS}/new-1" not in fake.objects and slept_s >= 1:
            roll_out(fake)
        if f"{PODS}/old-1" in fake.objects and slept_s >= 6:
            fake.remove(f"{PODS}/old-1")
            fake.remove(f"{PODS}/old-2")

    journal = Journal()
    rollout = cluster(client, SteppingClock(world), journal).roll(60)
    assert rollout.complete
    assert rollout.problem is None
    assert rollout.replicas == 2
    assert 6.0 <= rollout.seconds < 6.5
    assert journal.recorded == ["object deployment/payments"]
    assert journal.pending == {}
    assert ROLLED in template_annotations(fake)


def test_the_undo_is_on_disk_before_anything_is_patched(fake_and_client: tuple[FakeKubernetes, Any]) -> None:
    fake, client = fake_and_client
    stand_up(fake)
    journal = Journal()
    pending_at_patch: list[dict[str, Any]] = []
    fake.on_call = lambda verb, path, body: pending_at_patch.append(dict(journal.pending)) if verb == "PATCH" else None
    cluster(client, SteppingClock(), journal).roll(1)
    before = pending_at_patch[0]["object"]["before"]
    assert ROLLED not in (before["spec"]["template"]["metadata"].get("annotations") or {})
    assert before["kind"] == "Deployment"


def test_a_missing_secret_key_is_said_in_the_pods_own_words_and_undone(
    fake_and_client: tuple[FakeKubernetes, Any],
) -> None:
    fake, client = fake_and_client
    stand_up(fake)

    def world(slept_s: float) -> None:
        if f"{PODS}/new-1" not in fake.objects:
            roll_out(fake, waiting=("CreateContainerConfigError", NO_KEY))

    clock = SteppingClock(world)
    journal = Journal()
    rollout = cluster(client, clock, journal).roll(60)
    assert not rollout.complete
    assert rollout.problem is not None
    assert f"CreateContainerConfigError: {NO_KEY} (pod new-1)" in rollout.problem
    assert 15 <= rollout.seconds < 17, "given up on the pods' own word, long before the deadline"
    assert ROLLED not in template_annotations(fake)
    assert journal.pending == {}


def test_a_refusal_that_ends_does_not_count_against_a_rollout(fake_and_client: tuple[FakeKubernetes, Any]) -> None:
    fake, client = fake_and_client
    stand_up(fake)

    def world(slept_s: float) -> None:
        if f"{PODS}/new-1" not in fake.objects:
            roll_out(fake, waiting=("CreateContainerConfigError", NO_KEY))
        if slept_s >= 14 and f"{PODS}/old-1" in fake.objects:
            roll_out(fake)
            fake.remove(f"{PODS}/old-1")
            fake.remove(f"{PODS}/old-2")

    assert cluster(client, SteppingClock(world), Journal()).roll(60).complete


def test_the_deadline_says_what_is_left_and_brings_the_old_template_back(
    fake_and_client: tuple[FakeKubernetes, Any],
) -> None:
    fake, client = fake_and_client
    stand_up(fake)
    rollout = cluster(client, SteppingClock(), Journal()).roll(5)
    assert not rollout.complete
    assert rollout.problem == "not done after 5 s: 0 new pods ready of 2, 2 old ones left"
    assert ROLLED not in template_annotations(fake)


def test_a_wait_cut_short_puts_the_template_back_and_passes_the_reason_on(
    fake_and_client: tuple[FakeKubernetes, Any],
) -> None:
    fake, client = fake_and_client
    stand_up(fake)

    def decided(slept_s: float) -> None:
        raise ClearFail("decided")

    journal = Journal()
    with pytest.raises(ClearFail):
        cluster(client, SteppingClock(decided), journal).roll(60)
    assert ROLLED not in template_annotations(fake)
    assert journal.pending == {}


def test_an_undo_that_fails_leaves_its_entry_for_recover(fake_and_client: tuple[FakeKubernetes, Any]) -> None:
    fake, client = fake_and_client
    stand_up(fake)

    def world(slept_s: float) -> None:
        fake.objects.pop(DEPLOYMENT, None)

    journal = Journal()
    with pytest.raises(Exception, match=r"404|no Deployment"):
        cluster(client, SteppingClock(world), journal).roll(60)
    assert "object" in journal.pending


def test_steady_means_no_pod_is_leaving(fake_and_client: tuple[FakeKubernetes, Any]) -> None:
    fake, client = fake_and_client
    stand_up(fake)
    side = cluster(client, SteppingClock(), Journal())
    assert side.wait_steady(1)
    fake.put(f"{PODS}/third", {**pod("third")})
    assert not side.wait_steady(1)


def test_an_evicted_pods_remains_are_no_pod(fake_and_client: tuple[FakeKubernetes, Any]) -> None:
    fake, client = fake_and_client
    stand_up(fake)
    remains = pod("evicted", ready=False)
    remains["status"]["phase"] = "Failed"
    fake.put(f"{PODS}/evicted", remains)
    assert cluster(client, SteppingClock(), Journal()).wait_steady(1)


def test_no_deployment_is_the_services_fault(fake_and_client: tuple[FakeKubernetes, Any]) -> None:
    _, client = fake_and_client
    with pytest.raises(ServiceFault, match="no Deployment payments/payments"):
        cluster(client, SteppingClock(), Journal()).workload()


def test_workload_counts_what_the_autoscaler_and_the_surge_may_add(
    fake_and_client: tuple[FakeKubernetes, Any],
) -> None:
    fake, client = fake_and_client
    stand_up(fake)
    scaler = {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "payments"}, "maxReplicas": 6}}
    fake.put("/apis/autoscaling/v2/namespaces/payments/horizontalpodautoscalers/payments", scaler)
    state = cluster(client, SteppingClock(), Journal()).workload()
    assert (state.replicas, state.ready, state.max_replicas, state.max_surge) == (2, 2, 6, 1)
    assert state.images == ("payments:1",)
    assert [found.name for found in state.pods] == ["old-1", "old-2"]


def test_the_digest_sees_what_a_person_changes_and_not_what_a_rollout_or_a_server_writes(
    fake_and_client: tuple[FakeKubernetes, Any],
) -> None:
    fake, client = fake_and_client
    stand_up(fake)
    secret = "/api/v1/namespaces/payments/secrets/s"
    fake.put(secret, {"kind": "Secret", "data": {"t": "b25l"}})
    side = cluster(client, SteppingClock(), Journal())
    first = side.workload().manifest_digest

    thing = fake.objects[DEPLOYMENT]
    thing["spec"]["template"]["metadata"]["annotations"] = {ROLLED: "1"}
    thing["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "7"}
    thing["status"]["readyReplicas"] = 1
    assert side.workload().manifest_digest == first

    fake.put(secret, {"kind": "Secret", "data": {"t": "dHdv"}})
    with_other_secret = side.workload().manifest_digest
    assert with_other_secret != first

    thing["spec"]["template"]["spec"]["containers"][0]["image"] = "payments:2"
    assert side.workload().manifest_digest not in (first, with_other_secret)


def silent(side: KubernetesCluster, calls: range, monkeypatch: pytest.MonkeyPatch, status: int | None = None) -> None:
    """Reads of the Deployment with these numbers get no answer, or are refused with `status`."""
    read, count = side._api.find, iter(range(10_000))

    def find(path: str) -> Any:
        if path == DEPLOYMENT and next(count) in calls:
            raise KubernetesError("the Kubernetes API does not answer: timed out", status=status)
        return read(path)

    monkeypatch.setattr(side._api, "find", find)


def test_an_api_server_that_is_silent_for_a_moment_ends_no_wait(
    fake_and_client: tuple[FakeKubernetes, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, client = fake_and_client
    stand_up(fake)

    def world(slept_s: float) -> None:
        if slept_s >= 6 and f"{PODS}/old-1" in fake.objects:
            roll_out(fake)
            fake.remove(f"{PODS}/old-1")
            fake.remove(f"{PODS}/old-2")

    side = cluster(client, SteppingClock(world), Journal())
    silent(side, range(2, 12), monkeypatch)
    assert side.roll(60).complete
    silent(side, range(3), monkeypatch)
    assert side.wait_steady(0.1), "silence at the deadline is nothing to hold against the service"


def test_an_api_server_that_stays_silent_ends_the_wait(
    fake_and_client: tuple[FakeKubernetes, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, client = fake_and_client
    stand_up(fake)
    clock = SteppingClock()
    side = cluster(client, clock, Journal())
    silent(side, range(10_000), monkeypatch)
    with pytest.raises(KubernetesError, match="does not answer"):
        side.wait_steady(600)
    assert SILENT_FOR_S <= clock.slept_s < SILENT_FOR_S + 1


def test_an_api_server_that_refuses_ends_the_wait_at_once(
    fake_and_client: tuple[FakeKubernetes, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, client = fake_and_client
    stand_up(fake)
    clock = SteppingClock()
    side = cluster(client, clock, Journal())
    silent(side, range(10_000), monkeypatch, status=403)
    with pytest.raises(KubernetesError):
        side.wait_steady(600)
    assert clock.slept_s == 0


def test_nodes_that_keep_pods_from_serving_are_named(fake_and_client: tuple[FakeKubernetes, Any]) -> None:
    fake, client = fake_and_client
    stand_up(fake)
    side = cluster(client, SteppingClock(), Journal())
    fake.put("/api/v1/nodes/node-1", node("node-1"))
    fake.put("/api/v1/nodes/node-2", node("node-2", ready=False))
    assert side.workload().hindered_by == (), "every pod serves: a node that is lost hinders none of them"
    fake.put(f"{PODS}/old-2", pod("old-2", node="node-2", ready=False))
    assert side.workload().hindered_by == ("node-2 is not ready",)
