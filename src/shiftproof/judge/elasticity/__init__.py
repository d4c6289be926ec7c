"""Demand against supply: how much was missing or idle, and what it cost beside what perfect foresight would have paid.

Both are step functions on one grid: element i holds from i * step_s on. Units are whatever the caller counts, pods or
nodes, as long as both count the same.
"""

from shiftproof.judge.elasticity.case import EventCase, Interruption, JobsReport
from shiftproof.judge.elasticity.figures import EventFigures, figures
from shiftproof.judge.elasticity.hindsight import Plan, Prices, cost_of, optimum
from shiftproof.judge.elasticity.provisioning import Provisioning, provisioning

__all__ = [
    "EventCase",
    "EventFigures",
    "Interruption",
    "JobsReport",
    "Plan",
    "Prices",
    "Provisioning",
    "cost_of",
    "figures",
    "optimum",
    "provisioning",
]
