"""Chaos experiments: what their files say, and runs of them that are believed only as far as their journals prove."""

from shiftproof.adapters.chaostoolkit.faults import ChaosToolkitFaults
from shiftproof.adapters.chaostoolkit.files import read_experiment

__all__ = ["ChaosToolkitFaults", "read_experiment"]
