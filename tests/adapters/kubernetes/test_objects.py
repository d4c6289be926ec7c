"""An object is put back exactly as it was, on a real API server: defaults, merged lists and conflicts included."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from servers.kube_api import kube_api

from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.adapters.kubernetes.kinds import ObjectRef
from shiftproof.adapters.kubernetes.objects import Objects, PatchType, cleaned, restore_with, undo_payload
from shiftproof.adapters.kubernetes.settling import counts_problem, unsettled
from shiftproof.errors import UndoError, UserError
from shiftproof.model.target import Target

pytestmark = pytest.mark.component
_numbers = itertools.count(1)

CONTAINER = {
    "name": "payments",
    "image": "payments",
    "env": [{"name": "A", "value": "1"}],
    "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with kube_api(tmp_path_factory.mktemp("kube")) as started:
        yield started


@pytest.fixture(scope="module")
def api(target: Target) -> Api:
    return Api(connect(target))


@pytest.fixture
def namespace(api: Api) -> str:
    name = f"test-{next(_numbers)}"
    api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    return name


@pytest.fixture
def objects(api: Api) -> Objects:
    return Objects(api)


@pytest.fixture
def deployment(objects: Objects, namespace: str) -> ObjectRef:
    ref = objects.locate("Deployment", "payments", namespace)
    labels = {"app": "payments"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [CONTAINER]}}
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
    objects.create(ref, {"metadata": {"name": "payments", "labels": labels}, "spec": spec})
    return ref


def secret(objects: Objects, namespace: str, **more: Any) -> ObjectRef:
    ref = objects.locate("Secret", "payments", namespace)
    objects.create(ref, {"metadata": {"name": "payments"}, "data": {"one": "MQ==", "two": "Mg=="}, **more})
    return ref


def container(thing: Any) -> Any:
    return thing["spec"]["template"]["spec"]["containers"][0]


def read(objects: Objects, ref: ObjectRef) -> dict[str, Any]:
    found = objects.read(ref)
    assert found is not None
    return found


def test_kinds_are_found_where_the_cluster_has_them(objects: Objects) -> None:
    assert objects.locate("Secret", "s", "n").path == "/api/v1/namespaces/n/secrets/s"
    assert objects.locate("Deployment", "d", "n").path == "/apis/apps/v1/namespaces/n/deployments/d"
    assert objects.locate("Event", "e", "n").api_version == "v1", "events have two homes: the core's is meant"
    assert objects.locate("Event", "e", "n", "events.k8s.io/v1").path.startswith("/apis/events.k8s.io/v1/")
    node = objects.locate("Node", "node-1", "n")
    assert (node.path, node.namespace) == ("/api/v1/nodes/node-1", None)
    with pytest.raises(UserError, match="the cluster knows no kind 'Deploymint'"):
        objects.locate("Deploymint", "d", "n")
    with pytest.raises(UserError, match="no kind 'Deployment' of v1"):
        objects.locate("Deployment", "d", "n", "v1")


PATCHES: list[tuple[PatchType, Any]] = [
    # Merged into a list by name: nothing in the result tells what was there before.
    (
        "strategic",
        {
            "metadata": {"labels": {"new": "label"}, "annotations": {"new": "annotation"}},
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {"name": "payments", "lifecycle": None, "env": [{"name": "B", "value": "2"}]},
                            {"name": "sidecar", "image": "busy"},
                        ]
                    }
                }
            },
        },
    ),
    ("merge", {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}, "replicas": 1}}),
    ("json", [{"op": "remove", "path": "/spec/template/spec/containers/0/lifecycle"}]),
]


@pytest.mark.parametrize(("kind", "patch"), PATCHES, ids=["strategic", "merge", "json"])
def test_restoring_removes_what_a_patch_added_and_adds_what_it_removed(
    objects: Objects, deployment: ObjectRef, kind: PatchType, patch: Any
) -> None:
    before = read(objects, deployment)
    changed = objects.patch(deployment, kind, patch)
    assert cleaned(changed) != cleaned(before), "the patch must change something, or the test shows nothing"
    objects.restore(deployment, cleaned(before))
    assert cleaned(read(objects, deployment)) == cleaned(before)
    version = read(objects, deployment)["metadata"]["resourceVersion"]
    objects.restore(deployment, cleaned(before))
    assert read(objects, deployment)["metadata"]["resourceVersion"] == version, "twice changes nothing"


def test_what_was_deleted_is_made_again_and_what_was_made_is_deleted(objects: Objects, deployment: ObjectRef) -> None:
    before = read(objects, deployment)
    objects.delete(deployment)
    assert objects.read(deployment) is None
    objects.restore(deployment, cleaned(before))
    assert cleaned(read(objects, deployment)) == cleaned(before)
    objects.restore(deployment, None)
    objects.restore(deployment, None)
    assert objects.read(deployment) is None


def test_a_service_gets_its_own_address_back(objects: Objects, namespace: str) -> None:
    ref = objects.locate("Service", "payments", namespace)
    made = objects.create(ref, {"metadata": {"name": "payments"}, "spec": {"ports": [{"port": 80}]}})
    objects.delete(ref)
    objects.restore(ref, cleaned(made))
    assert read(objects, ref)["spec"]["clusterIP"] == made["spec"]["clusterIP"]


def test_a_field_that_cannot_be_changed_back_makes_the_object_anew(objects: Objects, namespace: str) -> None:
    ref = secret(objects, namespace)
    before = read(objects, ref)
    objects.patch(ref, "merge", {"immutable": True, "data": {"two": None}})
    objects.restore(ref, cleaned(before))
    after = read(objects, ref)
    assert after["data"] == before["data"]
    assert "immutable" not in after
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


def test_the_way_back_goes_through_the_journals_payload(objects: Objects, namespace: str) -> None:
    ref = secret(objects, namespace)
    payload = undo_payload("lab", ref, objects.read(ref))
    assert set(payload) == {"target", "api_version", "kind", "namespace", "name", "before", "uid"}
    assert "resourceVersion" not in payload["before"]["metadata"]
    objects.patch(ref, "json", [{"op": "remove", "path": "/data/two"}])
    restore_with(objects, payload)
    assert read(objects, ref)["data"] == {"one": "MQ==", "two": "Mg=="}


def test_an_object_without_a_namespace(objects: Objects) -> None:
    ref = objects.locate("PriorityClass", "test-first", "ignored")
    made = objects.create(ref, {"metadata": {"name": "test-first"}, "value": 7, "description": "before"})
    payload = undo_payload("lab", ref, made)
    objects.patch(ref, "merge", {"description": "after"})
    restore_with(objects, payload)
    assert read(objects, ref)["description"] == "before"
    objects.delete(ref)


def test_replicas_that_an_autoscaler_raised_stay(objects: Objects, deployment: ObjectRef, namespace: str) -> None:
    scaler = objects.locate("HorizontalPodAutoscaler", "payments", namespace)
    aim = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "payments"}
    objects.create(scaler, {"metadata": {"name": "payments"}, "spec": {"scaleTargetRef": aim, "maxReplicas": 6}})
    before = cleaned(read(objects, deployment))
    objects.patch(deployment, "merge", {"spec": {"replicas": 5, "minReadySeconds": 7}})
    objects.restore(deployment, before)
    after = read(objects, deployment)["spec"]
    assert (after["replicas"], after.get("minReadySeconds", 0)) == (5, 0)
    objects.patch(deployment, "merge", {"spec": {"replicas": 1, "minReadySeconds": 7}})
    objects.restore(deployment, before)
    assert read(objects, deployment)["spec"]["replicas"] == 3, "never below what was recorded"


def test_a_pod_that_has_a_controller_is_left_to_it(objects: Objects, namespace: str) -> None:
    ref = objects.locate("Pod", "payments-1", namespace)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}
    metadata = {"name": "payments-1", "ownerReferences": [owner]}
    objects.restore(ref, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}})
    assert objects.read(ref) is None


def test_somebody_else_who_changes_it_meanwhile_does_not_stop_it(objects: Objects, namespace: str) -> None:
    ref = secret(objects, namespace)
    before = cleaned(read(objects, ref))
    objects.patch(ref, "merge", {"data": {"two": None}})

    class Meddling(Api):
        """Another hand writes between our look and our write, three times."""

        meddled = 0

        def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
            if self.meddled < 3:
                self.meddled += 1
                super().patch(path, {"data": {"three": "Mw=="}, "metadata": {"labels": {"n": str(self.meddled)}}})
            return super().put(path, body)

    meddling = Meddling(objects._api._client)
    Objects(meddling).restore(ref, before)
    assert meddling.meddled == 3
    assert cleaned(read(objects, ref)) == before


def test_what_cannot_be_put_back_says_so(objects: Objects, deployment: ObjectRef) -> None:
    before = copy.deepcopy(cleaned(read(objects, deployment)))
    before["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    with pytest.raises(UndoError, match=r"deployment/payments could not be put back: .*field is immutable"):
        objects.restore(deployment, before)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("json", [{"op": "remove", "path": "/data/absent"}], "the patch of secret/payments is refused"),
        ("merge", {"data": {"one": "not base64!"}}, "the patch of secret/payments is refused"),
    ],
)
def test_a_wrong_patch_is_the_users_mistake(
    objects: Objects, namespace: str, kind: PatchType, body: Any, said: str
) -> None:
    ref = secret(objects, namespace)
    with pytest.raises(UserError, match=said):
        objects.patch(ref, kind, body)


def test_settling_is_in_words(api: Api, objects: Objects, deployment: ObjectRef) -> None:
    state = unsettled(api, "Deployment", objects.read(deployment))
    assert state is not None
    assert (str(state), state.seen) == ("its controller has not seen the change yet", False)
    assert unsettled(api, "Secret", {"metadata": {}}) is None
    assert unsettled(api, "Deployment", None) is None


@pytest.mark.parametrize(
    ("kind", "spec", "status", "problem"),
    [
        ("Deployment", {"replicas": 2}, {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}, None),
        (
            "Deployment",
            {"replicas": 2},
            {"updatedReplicas": 1, "replicas": 3, "availableReplicas": 2},
            "of 2 wanted: updatedReplicas 1, replicas 3",
        ),
        ("Deployment", {"replicas": 2}, {}, "of 2 wanted: updatedReplicas 0, replicas 0, availableReplicas 0"),
        ("StatefulSet", {}, {"updatedReplicas": 1, "replicas": 1, "readyReplicas": 1}, None),
        (
            "DaemonSet",
            {},
            {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1},
            "of 2 wanted: numberAvailable 1",
        ),
    ],
)
def test_counts(kind: str, spec: dict[str, Any], status: dict[str, Any], problem: str | None) -> None:
    assert counts_problem(kind, {"spec": spec, "status": status}) == problem


def test_what_has_a_controller_is_put_back_as_long_as_it_is_that_one(objects: Objects, namespace: str) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "u", "controller": True}
    ref = objects.locate("ConfigMap", "owned", namespace)
    manifest = {"metadata": {"name": "owned", "ownerReferences": [owner]}, "data": {"a": "1"}}
    payload = undo_payload("lab", ref, objects.create(ref, manifest))
    objects.patch(ref, "merge", {"data": {"a": "2"}, "metadata": {"labels": {"b": "c"}}})
    restore_with(objects, payload)
    after = read(objects, ref)
    assert (after["data"], after["metadata"].get("labels")) == ({"a": "1"}, None)

    objects.delete(ref)
    restore_with(objects, payload)
    assert objects.read(ref) is None, "its controller makes a new one"
    objects.create(ref, {**manifest, "data": {"a": "3"}})
    restore_with(objects, payload)
    assert read(objects, ref)["data"] == {"a": "3"}, "which is left as it is"
