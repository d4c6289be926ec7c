"""Every overlay builds, and holds what its comments say: security, references, grace times, and who may be on Spot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from services.manifests import Json, Overlay, build, cpu_m, known_settings

from shiftproof.lab import network
from shiftproof.lab.node_config import NODE_CPU_M
from shiftproof.lab.planning import load_platform
from shiftproof.lab.setup import images
from shiftproof.lab.setup.paths import project_root, service_folder
from shiftproof.model.platform import Service
from shiftproof.model.scaling import Worker

pytestmark = pytest.mark.component

OVERLAYS = [
    (service, overlay.name)
    for service in (*images.SERVICES, *images.WORKERS)
    for overlay in sorted((service_folder(service) / "overlays").iterdir())
]
SPOT = {"karpenter.sh/capacity-type": "spot"}
SPOT_TAINT = "shiftproof.local/spot"
LAST_ANSWERS_S = 10  # statements/serving.py: beyond wait and grace


@pytest.fixture(params=OVERLAYS, ids="-".join)
def overlay(request: pytest.FixtureRequest) -> Overlay:
    return build(*request.param)


@pytest.fixture(scope="module")
def payments() -> Service:
    platform = load_platform(project_root() / "infra" / "platform.yaml")
    return next(service for service in platform.services if service.name == "payments")


@pytest.fixture(scope="module")
def statements() -> Worker:
    platform = load_platform(project_root() / "infra" / "platform.yaml")
    return next(worker for worker in platform.workers if worker.name == "statements")


def test_there_is_an_overlay_for_the_lab_and_one_for_load_events_of_each() -> None:
    assert OVERLAYS == [
        ("payments", "events"),
        ("payments", "lab"),
        ("statements", "events"),
        ("statements", "lab"),
    ]


def test_all_is_in_the_services_own_namespace_which_refuses_careless_pods(overlay: Overlay) -> None:
    (namespace,) = overlay.of_kind("Namespace")
    assert namespace["metadata"]["name"] == overlay.service
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {found["metadata"].get("namespace", overlay.service) for found in overlay.objects} == {overlay.service}


def test_pods_are_restricted_and_cannot_ask_the_api(overlay: Overlay) -> None:
    pod, container = overlay.pod, overlay.container
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    user = f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert user == images.start_spec(overlay.service).user, "as the image says"
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_cpu_is_asked_for_and_not_limited_and_memory_is_both(overlay: Overlay) -> None:
    resources = overlay.container["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory"}


def test_the_image_is_the_labs_and_never_pulled(overlay: Overlay) -> None:
    assert overlay.container["image"] == images.lab_reference(overlay.service)
    assert overlay.container["imagePullPolicy"] == "IfNotPresent"


def test_selectors_find_the_deployments_pods(overlay: Overlay) -> None:
    labels = overlay.deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [overlay.deployment["spec"]["selector"]["matchLabels"]]
    selectors += [found["spec"]["selector"] for found in overlay.of_kind("Service")]
    selectors += [found["spec"]["selector"]["matchLabels"] for found in overlay.of_kind("PodDisruptionBudget")]
    for selector in selectors:
        assert selector.items() <= labels.items()


def test_every_setting_and_secret_that_a_pod_names_is_there(overlay: Overlay) -> None:
    container = overlay.container
    assert [source["configMapRef"]["name"] for source in container["envFrom"]] == [overlay.service]
    for variable in container["env"]:
        wanted = variable["valueFrom"].get("secretKeyRef")
        if wanted is not None:
            assert wanted["key"] in keys_of(overlay, wanted["name"]), variable["name"]
    given = overlay.config.keys() | {variable["name"] for variable in container["env"]}
    aws = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert given - known_settings(overlay.service) <= aws, "a misspelt setting would silently be its default"


def test_no_secret_is_one(overlay: Overlay) -> None:
    for secret in overlay.of_kind("Secret"):
        assert set(secret["data"].values()) == {"bGFiLW9ubHktbm90LWEtc2VjcmV0"}, "lab-only-not-a-secret"


def test_probes_ask_what_the_service_answers(overlay: Overlay) -> None:
    container = overlay.container
    (port,) = container["ports"]
    assert str(port["containerPort"]) == overlay.config["PORT"] == images.start_spec(overlay.service).ports[0]
    paths = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == {
        "startupProbe": {"path": "/ready", "port": port["name"]},
        "readinessProbe": {"path": "/ready", "port": port["name"]},
        "livenessProbe": {"path": "/live", "port": port["name"]},
    }


class TestWhoMayBeOnSpot:
    """A Spot machine goes two minutes after a notice, or without one: no place for what customers wait for."""

    @pytest.mark.parametrize("name", ["lab", "events"])
    def test_statements_are_on_spot_and_nowhere_else(self, name: str) -> None:
        pod = build("statements", name).pod
        assert pod["nodeSelector"] == SPOT
        assert {"key": SPOT_TAINT, "operator": "Equal", "value": "true", "effect": "NoSchedule"} in pod["tolerations"]

    @pytest.mark.parametrize("name", ["lab", "events"])
    def test_payments_cannot_get_there(self, name: str) -> None:
        pod = build("payments", name).pod
        assert pod.get("nodeSelector", {}) == {}
        # One without a key tolerates everything.
        keys = [toleration.get("key") for toleration in pod["tolerations"]]
        assert keys == ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]


class TestGraceTimes:
    """Kubernetes kills a pod at the end of its grace period, whatever is in its hand."""

    @pytest.mark.parametrize("name", ["lab", "events"])
    def test_of_payments(self, name: str) -> None:
        overlay = build("payments", name)
        held_s = overlay.container["lifecycle"]["preStop"]["sleep"]["seconds"]
        needed_s = held_s + float(overlay.config["DRAIN_S"]) + float(overlay.config["GRACE_S"])
        assert needed_s < overlay.pod["terminationGracePeriodSeconds"]

    @pytest.mark.parametrize("name", ["lab", "events"])
    def test_of_statements(self, name: str) -> None:
        overlay = build("statements", name)
        assert "lifecycle" not in overlay.container
        needed_s = float(overlay.config["WAIT_S"]) + float(overlay.config["GRACE_S"]) + LAST_ANSWERS_S
        assert needed_s < overlay.pod["terminationGracePeriodSeconds"]
        assert float(overlay.config["WORK_MS"]) / 1000 < float(overlay.config["GRACE_S"]), "the usual job is finished"

    def test_the_last_answers_are_as_long_as_the_worker_says(self) -> None:
        text = (service_folder("statements") / "app" / "statements" / "serving.py").read_text(encoding="utf-8")
        assert f"_LAST_ANSWERS_S = {LAST_ANSWERS_S:.1f}" in text


class TestScaling:
    def test_one_autoscaler_a_deployment(self, overlay: Overlay) -> None:
        """Two undo each other's work."""
        scalers = [*overlay.of_kind("ScaledObject"), *overlay.of_kind("HorizontalPodAutoscaler")]
        assert len(scalers) <= 1
        for found in scalers:
            assert found["spec"]["scaleTargetRef"]["name"] == overlay.service

    def test_payments_scale_as_the_platform_file_says(self, payments: Service) -> None:
        spec = scaled_object("payments")
        assert payments.scaling is not None
        assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (
            payments.scaling.least_pods,
            payments.scaling.most_pods,
        )
        (trigger,) = spec["triggers"]
        assert trigger["type"] == "prometheus"
        assert float(trigger["metadata"]["threshold"]) == payments.scaling.signal.per_pod
        assert build("payments", "events").deployment["spec"]["replicas"] == payments.scaling.least_pods

    def test_payments_do_not_count_what_machines_ask(self) -> None:
        """web.py counts every route; the query must leave out exactly those of machines, which are not admitted."""
        (trigger,) = scaled_object("payments")["triggers"]
        left_out = re.search(r'route!~"([^"]+)"', trigger["metadata"]["query"])
        text = (service_folder("payments") / "app" / "payments" / "web.py").read_text(encoding="utf-8")
        machines = re.search(r"^_NOT_ADMITTED = frozenset\(\{(.+?)\}\)", text, re.MULTILINE)
        assert left_out is not None
        assert machines is not None
        assert {f'"{route}"' for route in left_out[1].split("|")} == set(machines[1].split(", "))

    def test_a_lost_metric_is_no_load_of_zero(self) -> None:
        spec = scaled_object("payments")
        (trigger,) = spec["triggers"]
        assert trigger["metadata"]["ignoreNullValues"] == "false"
        assert spec["fallback"]["behavior"] == "currentReplicas"
        assert spec["fallback"]["replicas"] > 0, "with 0 KEDA itself may scale to the least on an error"
        assert "fallback" not in scaled_object("statements")

    def test_two_small_payments_fill_a_node(self) -> None:
        each_m = cpu_m(build("payments", "events").container["resources"]["requests"]["cpu"])
        assert 2 * each_m <= NODE_CPU_M < 3 * each_m

    def test_only_the_size_of_payments_differs_for_a_load_event(self) -> None:
        """What is rehearsed is the service as it is deployed, and not another one."""
        lab, events = build("payments", "lab"), build("payments", "events")
        settings = {key for key, value in events.config.items() if lab.config.get(key) != value}
        assert settings == {"MAX_IN_FLIGHT"}
        assert events.config.keys() == lab.config.keys()
        expected: Any = yaml.safe_load(yaml.safe_dump(lab.deployment))
        expected["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "800m"
        assert events.deployment == expected
        changed = ("Deployment", "ConfigMap", "HorizontalPodAutoscaler", "ScaledObject")
        assert [o for o in events.objects if o["kind"] not in changed] == [
            o for o in lab.objects if o["kind"] not in changed
        ]

    def test_only_the_scaling_of_statements_differs_for_a_load_event(self) -> None:
        lab, events = build("statements", "lab"), build("statements", "events")
        more = [found for found in events.objects if found not in lab.objects]
        assert [found for found in lab.objects if found not in events.objects] == []
        assert sorted((found["kind"], found["metadata"]["name"]) for found in more) == [
            ("ScaledObject", "statements"),
            ("Secret", "statements-scaler"),
            ("TriggerAuthentication", "statements-scaler"),
        ]

    def test_statements_scale_as_the_platform_file_says(self, statements: Worker) -> None:
        overlay, spec = build("statements", "events"), scaled_object("statements")
        assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (statements.least_pods, statements.most_pods)
        (trigger,) = spec["triggers"]
        metadata = trigger["metadata"]
        assert float(metadata["queueLength"]) == statements.scaling.per_pod
        assert overlay.config["QUEUE_NAME"] == statements.queue == metadata["queueURL"].rpartition("/")[2]
        assert overlay.config["AWS_ENDPOINT_URL"] == metadata["awsEndpoint"] == network.AWS_ENDPOINT
        assert metadata["queueURL"].startswith(f"{network.AWS_ENDPOINT}/")
        assert overlay.config["AWS_REGION"] == metadata["awsRegion"] == network.AWS_REGION
        assert build("statements", "lab").deployment["spec"]["replicas"] == statements.least_pods

    def test_keda_finds_the_keys_that_it_reads_the_queue_with(self) -> None:
        overlay = build("statements", "events")
        (trigger,) = scaled_object("statements")["triggers"]
        authentication = overlay.one("TriggerAuthentication", trigger["authenticationRef"]["name"])
        wanted = authentication["spec"]["secretTargetRef"]
        assert [item["parameter"] for item in wanted] == ["awsAccessKeyID", "awsSecretAccessKey"]
        assert all(item["key"] in keys_of(overlay, item["name"]) for item in wanted)


def test_the_platform_file_names_folders_namespaces_and_commands_that_are_there(statements: Worker) -> None:
    assert (project_root() / "infra" / statements.manifests / "kustomization.yaml").is_file()
    deployment = build("statements", Path(statements.manifests).name).deployment
    assert (deployment["metadata"]["name"], deployment["metadata"]["namespace"]) == (
        statements.deployment,
        statements.namespace,
    )
    assert statements.check == ("python3", "-m", "statements", "check", "test-")
    assert statements.cleanup == ("python3", "-m", "statements", "purge-synthetic", "test-")


def scaled_object(service: str) -> Json:
    spec: Json = build(service, "events").one("ScaledObject", service)["spec"]
    return spec


def keys_of(overlay: Overlay, secret: str) -> set[str]:
    return set(overlay.one("Secret", secret)["data"])
