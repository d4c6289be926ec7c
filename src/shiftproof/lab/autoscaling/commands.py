"""The programs of autoscaling beside the cluster: what each is started with, and when it is ready.

Their own defaults stay wherever there is no reason against them: how fast they decide is what a rehearsal times. Only
leader election is off, since there is one of each.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from shiftproof.lab import aws
from shiftproof.lab.control_plane import CONTROL, Credentials
from shiftproof.lab.kube import SERVER
from shiftproof.lab.network import CONTROL_IP, LAB_DIR, PROMETHEUS_PORT
from shiftproof.lab.supervisor import Command
from shiftproof.lab.waiting import http_problem

CLUSTER_NAME = "lab"
KEDA_NAMESPACE = "keda"
KEDA_METRICS = "keda-metrics-apiserver"
KEDA_METRICS_PORT = 6443 + 100
KARPENTER_METRICS_PORT, KARPENTER_HEALTH_PORT = 8011, 8012
_KEDA_GRPC_PORT, _KEDA_HEALTH_PORT, _KEDA_METRICS_PORT, _ADAPTER_PORT = 9666, 8021, 8022, 8023
_SCRAPE_EVERY = "5s"


def prometheus(program: str, made: Credentials, namespaces: Sequence[str]) -> Command:
    """It asks the pods themselves, each five seconds: a rate over three of them is what an autoscaler goes by."""
    folder = LAB_DIR / "prometheus"
    folder.mkdir(exist_ok=True)
    config = folder / "prometheus.yaml"
    config.write_text(prometheus_config(made.kubeconfig("autoscaling"), namespaces))
    flags = {
        "config.file": config,
        "storage.tsdb.path": folder / "data",
        "storage.tsdb.retention.time": "1d",
        "web.listen-address": f"{CONTROL_IP}:{PROMETHEUS_PORT}",
        "log.level": "warn",
    }
    return Command("prometheus", CONTROL, (program, *_flags(flags)))


def prometheus_config(kubeconfig: Path, namespaces: Sequence[str]) -> str:
    """JSON, which is YAML."""
    role = {"role": "pod", "kubeconfig_file": str(kubeconfig), "namespaces": {"names": list(namespaces)}}
    kept = [
        {"source_labels": ["__meta_kubernetes_pod_container_port_name"], "regex": "http", "action": "keep"},
        {"source_labels": ["__meta_kubernetes_pod_phase"], "regex": "Running", "action": "keep"},
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
    ]
    job = {"job_name": "pods", "kubernetes_sd_configs": [role], "relabel_configs": kept}
    times = {"scrape_interval": _SCRAPE_EVERY, "scrape_timeout": "4s"}
    return json.dumps({"global": times, "scrape_configs": [job]}, indent=1)


def prometheus_problem() -> str | None:
    return http_problem(CONTROL_IP, PROMETHEUS_PORT, "/-/ready")


def keda_operator(program: str, made: Credentials) -> Command:
    flags = {
        "cert-dir": keda_certificates(made),
        "metrics-bind-address": f"127.0.0.1:{_KEDA_METRICS_PORT}",
        "health-probe-bind-address": f"127.0.0.1:{_KEDA_HEALTH_PORT}",
        "metrics-service-bind-address": f"127.0.0.1:{_KEDA_GRPC_PORT}",
        "zap-log-level": "info",
    }
    return Command("keda-operator", CONTROL, (program, *_flags(flags)), env=_keda_environment(made))


def keda_operator_problem() -> str | None:
    return http_problem("127.0.0.1", _KEDA_HEALTH_PORT, "/readyz")


def keda_adapter(program: str, made: Credentials) -> Command:
    """The API server's source of external metrics."""
    kubeconfig = made.kubeconfig("autoscaling")
    flags = {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "lister-kubeconfig": kubeconfig,
        "client-ca-file": made.authority.certificate,
        "tls-cert-file": made.keda.certificate,
        "tls-private-key-file": made.keda.key,
        "bind-address": CONTROL_IP,
        "secure-port": KEDA_METRICS_PORT,
        "cert-dir": keda_certificates(made),
        "metrics-service-address": f"127.0.0.1:{_KEDA_GRPC_PORT}",
        "metrics-service-grpc-authority": "keda-operator.keda.svc",
        "port": _ADAPTER_PORT,
    }
    return Command("keda-adapter", CONTROL, (program, *_flags(flags)), env=_keda_environment(made))


def keda_certificates(made: Credentials) -> Path:
    """The folder as KEDA wants it: ca.crt, tls.crt and tls.key of operator and adapter."""
    folder = made.folder / "keda"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(made.authority.certificate, folder / "ca.crt")
    shutil.copyfile(made.keda.certificate, folder / "tls.crt")
    shutil.copyfile(made.keda.key, folder / "tls.key")
    return folder


def _keda_environment(made: Credentials) -> dict[str, str]:
    return {
        **aws.environment(),
        "KUBECONFIG": str(made.kubeconfig("autoscaling")),
        "WATCH_NAMESPACE": "",
        "POD_NAME": "keda",
        "POD_NAMESPACE": KEDA_NAMESPACE,
        "KEDA_CLUSTER_OBJECT_NAMESPACE": KEDA_NAMESPACE,
    }


def karpenter(program: str, made: Credentials, interruption_queue: str) -> Command:
    environment = {
        **aws.environment(),
        "KUBECONFIG": str(made.kubeconfig("autoscaling")),
        "CLUSTER_NAME": CLUSTER_NAME,
        "CLUSTER_ENDPOINT": SERVER,
        "INTERRUPTION_QUEUE": interruption_queue,
        "ISOLATED_VPC": "true",  # the stand-in has no price list
        # A wish of a pod's (payments would rather be spread) is none to Karpenter: respected, it asks for a node for
        # each pod, since a new node is always the emptiest, and no node is ever given up again after an event.
        "PREFERENCE_POLICY": "Ignore",
        "SYSTEM_NAMESPACE": "kube-system",
        "DISABLE_LEADER_ELECTION": "true",
        "METRICS_PORT": str(KARPENTER_METRICS_PORT),
        "HEALTH_PROBE_PORT": str(KARPENTER_HEALTH_PORT),
    }
    return Command("karpenter", CONTROL, (program,), env=environment)


def karpenter_problem() -> str | None:
    return http_problem("127.0.0.1", KARPENTER_HEALTH_PORT, "/readyz")


def _flags(flags: dict[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]
