"""What one gate was asked to do: everything known before the first request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shiftproof.model.history import PhaseKind
from shiftproof.model.platform import Platform, Service
from shiftproof.model.target import Target

LOAD_SHARE = 0.5  # of an action's pairs, after a pause: dead connections show in the first of them


@dataclass(frozen=True, slots=True)
class Depth:
    """How much evidence a PASS needs. `--quick` trades certainty for time and says so in the verdict."""

    ruled_out_rate: float  # a PASS rules out this rate of attributed failures, at 99%
    pairs_per_action: int  # for each repeat of a graceful action, at least; a rollout lasts longer by itself
    repeats: int  # of each graceful action
    steady_s: float  # how long nothing is done, at least
    soak_s: float  # of load in the whole run, at least: statistics say nothing about minute 5
    peak_s: float = 6  # at the declared peak; the first second builds it up

    def pairs_of(self, kind: PhaseKind) -> int:
        """Pairs that a phase of this kind waits for."""
        return int(LOAD_SHARE * self.pairs_per_action) if kind is PhaseKind.LOAD else self.pairs_per_action


#: 300 pairs show a loss of 1% in two of three repeats 99.3% of the time, and hold one gate at about 3 minutes; a
#: rollout lasts for more than twice as many.
FULL = Depth(ruled_out_rate=0.001, pairs_per_action=300, repeats=3, steady_s=8, soak_s=60)
QUICK = Depth(ruled_out_rate=0.01, pairs_per_action=250, repeats=3, steady_s=5, soak_s=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What is known of any run."""

    platform: Platform
    service: Service
    target: Target
    infra_dir: Path
    run_id: str
    run_dir: Path
    seed: int
    operator: str
    ticket: str
    config_hash: str
    defect: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings(RunSettings):
    """One gate. Percentages are of the cluster side."""

    to_pct: int
    depth: Depth

    @property
    def quick(self) -> bool:
        return self.depth is not FULL
