"""The experiments that platform.yaml names for this service; each has its kind and its budget in its own file."""

import pytest

from shiftproof import ChaosDrills, Experiment, Rehearsal

pytestmark = pytest.mark.chaos


def test_experiment(rehearsal: Rehearsal, chaos: ChaosDrills, experiment: Experiment) -> None:
    for phase in rehearsal.repeat(experiment.name, experiment.repeats, experiment.kind, budget=experiment.budget):
        with phase:
            chaos.run(experiment)
    rehearsal.prove("availability", "outage", "recovery")
