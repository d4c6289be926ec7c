"""The experiments that platform.yaml names for this service; each has its kind and its budget in its own file."""

import pytest

from shiftproof import ChaosDrills, Experiment, LoadDrills, Rehearsal

pytestmark = pytest.mark.chaos


def test_experiment(rehearsal: Rehearsal, chaos: ChaosDrills, load: LoadDrills, experiment: Experiment) -> None:
    for phase in rehearsal.repeat(experiment.name, experiment.repeats, experiment.kind, budget=experiment.budget):
        with phase, load.share_of_step(experiment):
            chaos.run(experiment)
    rehearsal.prove("availability", "outage", "recovery", "capacity")
