"""The Kubernetes side: its state, its rolling updates, and all that happens in it."""

from shiftproof.adapters.kubernetes.api import Api, KubernetesError, connect
from shiftproof.adapters.kubernetes.cleanup import undo_jobs, undo_synthetic
from shiftproof.adapters.kubernetes.cluster import KubernetesCluster
from shiftproof.adapters.kubernetes.elastic import KubernetesElastic, overlays_for
from shiftproof.adapters.kubernetes.jobs import WorkerJobs
from shiftproof.adapters.kubernetes.objects import restore_object
from shiftproof.adapters.kubernetes.overlay import undo_overlay
from shiftproof.adapters.kubernetes.scaling import ScaleWatcher
from shiftproof.adapters.kubernetes.watch import KubernetesWatcher

__all__ = [
    "Api",
    "KubernetesCluster",
    "KubernetesElastic",
    "KubernetesError",
    "KubernetesWatcher",
    "ScaleWatcher",
    "WorkerJobs",
    "connect",
    "overlays_for",
    "restore_object",
    "undo_jobs",
    "undo_overlay",
    "undo_synthetic",
]
