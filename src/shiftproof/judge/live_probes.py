"""The live judge's ear for probes: the same rules as the claims at the end, after each conversation.

Only one is stricter: a run is not ended by the first double while too little is known of legacy, which may do it too.
"""

from __future__ import annotations

from collections.abc import Collection

from shiftproof.judge.doubled import HINT, decisive, doubled_sentence, twice_applied
from shiftproof.judge.probe_words import differs, figures, hint
from shiftproof.judge.probes import FieldTally, in_phase
from shiftproof.judge.sequential import MIN_ERRORS
from shiftproof.model.history import PhaseKind
from shiftproof.model.probe import ProbeKind, ProbeRecord
from shiftproof.model.verdict import Finding, Verdict

#: After so many good conversations in which legacy never did it, one double is the migration's; before, two are.
LEGACY_IS_CLEAN = 40


class LiveProbes:
    """`hear` each conversation as it ends; it returns the clear FAIL that this one made, if it did."""

    def __init__(self, alpha_share: float, ignore: Collection[str] = ()) -> None:
        self._alpha_share = alpha_share
        self._parity = FieldTally(alpha_share, ignore)
        self._duplicates: list[ProbeRecord] = []
        self._doubled: list[ProbeRecord] = []
        self._doubled_in = ""

    def hear(self, record: ProbeRecord, phase: str, kind: PhaseKind | None) -> Finding | None:
        """phase, kind: of the phase that the conversation began in; kind None between phases."""
        counted = in_phase(record, kind)
        if counted.void is not None:
            return None
        if counted.kind is ProbeKind.PARITY:
            return self._compared(counted, phase)
        return self._sent_twice(counted, phase)

    def _compared(self, record: ProbeRecord, phase: str) -> Finding | None:
        self._parity.add(record, phase)
        failing = self._parity.failing() if record.treatment else []
        if not failing:
            return None
        data = {"decided_early": True, **figures(self._parity, failing), "hint": hint(failing)}
        return Finding(
            "parity", self._parity.phase_of(failing), Verdict.FAIL, f"{differs(self._parity, failing)}.", data
        )

    def _sent_twice(self, record: ProbeRecord, phase: str) -> Finding | None:
        """Only what took effect twice ends a run early; how the answers differ is left for the end."""
        self._duplicates.append(record)
        if twice_applied([record]):
            self._doubled.append(record)
            self._doubled_in = self._doubled_in or phase
        if not self._doubled or (len(self._doubled) < MIN_ERRORS and len(self._duplicates) < LEGACY_IS_CLEAN):
            return None
        if not decisive(self._alpha_share, self._duplicates, self._doubled):
            return None
        data = {"decided_early": True, "conversations": len(self._duplicates), "hint": HINT}
        said = doubled_sentence(self._duplicates, self._doubled)
        return Finding("duplicates", self._doubled_in, Verdict.FAIL, said, data)
