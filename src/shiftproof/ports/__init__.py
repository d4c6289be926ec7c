"""What the gate asks of the outside world: small Protocols, each with one adapter a system, a module a topic.

The gate knows these and no adapter; adapters know the systems and nothing of the gate. Both import from here, whichever
module a name lives in.
"""

from shiftproof.ports.cluster import Cluster, PodState, Rollout, WorkloadState
from shiftproof.ports.elastic import AutoscalerState, Elastic, SupplyState
from shiftproof.ports.event import EventLoad, EventPlan, Jobs, LostPart, RunningEvent
from shiftproof.ports.faults import Experiment, ExperimentResult, Faults
from shiftproof.ports.lent import Clock, UndoLog
from shiftproof.ports.load import Load, LoadPlan, RunningLoad
from shiftproof.ports.router import Router, TargetState, Weights
from shiftproof.ports.watching import AccessLog, Customers, Watcher

__all__ = [
    "AccessLog",
    "AutoscalerState",
    "Clock",
    "Cluster",
    "Customers",
    "Elastic",
    "EventLoad",
    "EventPlan",
    "Experiment",
    "ExperimentResult",
    "Faults",
    "Jobs",
    "Load",
    "LoadPlan",
    "LostPart",
    "PodState",
    "Rollout",
    "Router",
    "RunningEvent",
    "RunningLoad",
    "SupplyState",
    "TargetState",
    "UndoLog",
    "Watcher",
    "Weights",
    "WorkloadState",
]
