"""What the scaling claims are given: one load event's history, what it asked for, and what it is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shiftproof.judge.elasticity.hindsight import Prices
from shiftproof.model.demand import Demand
from shiftproof.model.history import Budget, History, LoadReport, PhaseKind, Source
from shiftproof.model.load_event import LoadEvent
from shiftproof.model.platform import Objectives
from shiftproof.model.scaling import Scaling


@dataclass(frozen=True, slots=True)
class JobsReport:
    """What became of a worker's jobs: counts. planned: what it was to be asked for; the others by its own `check`
    command. problem: why they are not known.
    """

    worker: str
    planned: int = 0
    asked: int = 0
    produced: int = 0
    twice: int = 0
    lost: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Strike:
    """One experiment in the middle of an event, as it ended. victims: `node/NAME`, `pod/NAME`, `part/NAME`.

    kind: GRACEFUL (it may cost no request) or CRASH (what its budget allows). began_ns: when its method began;
    ended_ns: when its last rollback and its steady state were over. facts: its actions' own, e.g.
    {"blind_after_s": 41.2}. problem: why it proves nothing. service_problem: what the service did not bear.
    """

    experiment: str
    began_ns: int
    ended_ns: int
    kind: PhaseKind = PhaseKind.GRACEFUL
    budget: Budget | None = None
    victims: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    service_problem: str | None = None


@dataclass(frozen=True, slots=True)
class Interruption:
    """A Spot machine that was taken away. noticed: with a notice. pods: of critical services that were on it.

    back_ns: when as many pods of each worker as before, or as were still wanted, were ready again; None: not while we
    looked. moot: why nothing can be said of that, a sentence without its full stop; None: it can.
    """

    t_ns: int
    node: str
    noticed: bool
    experiment: str
    critical_pods: Sequence[str] = ()
    back_ns: int | None = None
    moot: str | None = None


@dataclass(frozen=True, slots=True)
class EventCase:
    """Everything a scaling claim may look at. All times on the run's clock, in ns.

    history.events: the event's own requests (Side.EXTRA_CLUSTER) and the control's (Side.LEGACY, from a small load of
    pairs that needs no scaling; its treatment is Side.CLUSTER). history.timeline: see docs/TIMELINE.md, `scale.*` and
    `machine.*` included. history.load: of the pairs; event_load: of the event. demand: the event's rates as it was to
    be sent, from start_ns on. end_ns: when the event's load ended. looked_until_ns: how long we went on looking
    afterwards (until all was back at its base, or the limit was over).
    deployment: the service's, in namespace ("" for whichever it is in). lost_share: of the event's load that a lost
    worker was to send. prices: of a pod. critical: namespaces whose pods may not be on Spot. watchers: sources that
    must have been heard.
    alpha: chance of a wrong FAIL by a statistical test; confidence: of the bounds that a PASS gives.
    facts: what only the session knows, all optional: declared_peak_per_s (the service's peak, as platform.yaml has
    it), demand_scale (1 by default: what that was scaled by), base_nodes (nodes before the event that autoscaling did
    not bring).
    """

    history: History
    event: LoadEvent
    demand: Demand
    start_ns: int
    end_ns: int
    looked_until_ns: int
    deployment: str
    scaling: Scaling
    objectives: Objectives
    prices: Prices
    event_load: LoadReport | None = None
    lost_share: float = 0.0
    jobs: Sequence[JobsReport] = ()
    interruptions: Sequence[Interruption] = ()
    strikes: Sequence[Strike] = ()
    critical: Sequence[str] = ()
    alpha: float = 0.01
    confidence: float = 0.99
    facts: Mapping[str, object] = field(default_factory=dict)
    namespace: str = ""
    watchers: Sequence[Source] = (Source.KUBERNETES,)
