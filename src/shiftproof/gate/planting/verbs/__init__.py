"""The verbs of a defect's steps. The only list of them: a new one is a module here and its fields in model.defect."""

from __future__ import annotations

from collections.abc import Mapping

from shiftproof.gate.planting.verbs.create import CreateVerb
from shiftproof.gate.planting.verbs.delete import DeleteVerb
from shiftproof.gate.planting.verbs.legacy import LegacyVerb
from shiftproof.gate.planting.verbs.network import NetworkVerb
from shiftproof.gate.planting.verbs.nodes import NodesVerb
from shiftproof.gate.planting.verbs.patch import PatchVerb
from shiftproof.gate.planting.verbs.queue import QueueVerb
from shiftproof.gate.planting.verbs.router import RouterVerb
from shiftproof.gate.planting.verbs.sql import SqlVerb
from shiftproof.gate.planting.verbs.verb import Verb

VERBS: Mapping[str, Verb] = {
    "patch": PatchVerb(),
    "create": CreateVerb(),
    "delete": DeleteVerb(),
    "router": RouterVerb(),
    "legacy": LegacyVerb(),
    "sql": SqlVerb(),
    "network": NetworkVerb(),
    "nodes": NodesVerb(),
    "queue": QueueVerb(),
}
