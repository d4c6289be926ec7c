"""Planted defects: a gate is worth what it catches, so one may plant a defect first and see.

Every step is in the undo journal, on disk, before it is made, and is undone through the same handlers that `recover`
uses: what works after a kill is what works every time. Only in the lab. A verb is a module in `verbs`.
"""

from shiftproof.gate.planting.left import database_facts, platform_problems
from shiftproof.gate.planting.planting import Planting, never_planted, planted, refuse_elsewhere
from shiftproof.gate.planting.reading import read_defect

__all__ = [
    "Planting",
    "database_facts",
    "never_planted",
    "planted",
    "platform_problems",
    "read_defect",
    "refuse_elsewhere",
]
