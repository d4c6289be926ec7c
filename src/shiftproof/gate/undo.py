"""Which handler undoes which kind of journal entry. The only list of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from shiftproof.gate.world import scope_of
from shiftproof.model.target import Target
from shiftproof.safety.journal import Journal, journal_dir
from shiftproof.safety.recover import Recovery, UndoHandler, recover

# By name, so that nothing heavy is imported when there is nothing to undo.
HANDLERS = {
    "weights": "shiftproof.adapters.elbv2:undo_weights",
    "router-lag": "shiftproof.adapters.elbv2:undo_lag",
    "stickiness": "shiftproof.adapters.elbv2:undo_stickiness",
    "legacy": "shiftproof.adapters.embedded_lab:undo_legacy",
    "network": "shiftproof.adapters.embedded_lab:undo_network",
    "boot-delay": "shiftproof.adapters.embedded_lab:undo_boot_delay",
    "part": "shiftproof.adapters.embedded_lab:undo_part",
    "queue": "shiftproof.adapters.sqs:undo_queue",
    "sql": "shiftproof.adapters.postgres:undo_sql",
    "node-power": "shiftproof.chaos.undo:restore_node_power",
    "node-cordon": "shiftproof.chaos.undo:uncordon",
    "synthetic": "shiftproof.adapters.kubernetes:undo_synthetic",
    "jobs": "shiftproof.adapters.kubernetes:undo_jobs",
    "overlay": "shiftproof.adapters.kubernetes:undo_overlay",
    "object": "shiftproof.adapters.kubernetes:restore_object",
}


def handlers() -> dict[str, UndoHandler]:
    """Every handler, imported when first called."""
    return {kind: _lazy(place) for kind, place in HANDLERS.items()}


def recover_all(target: Target) -> Recovery:
    """Undo what an earlier run left. Call it with the lock held. Raises UndoError that lists what is left."""
    journal = Journal(journal_dir())
    if not journal.pending():
        return Recovery((), ())
    return recover(journal, handlers(), scope=scope_of(target))


def _lazy(place: str) -> UndoHandler:
    module, _, function = place.partition(":")

    def handler(payload: Mapping[str, Any]) -> None:
        getattr(import_module(module), function)(payload)

    return handler
