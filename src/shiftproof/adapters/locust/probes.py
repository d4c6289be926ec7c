"""The conversations of probes: the child's lines, read while it writes them. Each line is checked, none is skipped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shiftproof.errors import LoadError
from shiftproof.model.probe import Difference, Kind, ProbeKind, ProbeRecord


class ProbeTail:
    """Reads a file of lines that somebody is still writing; never half a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._line = 0

    def new(self) -> tuple[ProbeRecord, ...]:
        """Records since the last call, in the order written. A file that is not there yet has none.

        Raises LoadError, naming the line, for one that no load of ours writes.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return ()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        records = []
        for line in whole.splitlines():
            self._line += 1
            records.append(self._record(line))
        return tuple(records)

    def _record(self, line: bytes) -> ProbeRecord:
        try:
            return probe_record(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            said = f"line {self._line} of {self._path.name} is no conversation: {type(error).__name__}: {error}"
            raise LoadError(f"the record of the probes is damaged: {said}") from error


def probe_record(fields: Mapping[str, Any]) -> ProbeRecord:
    """One line's object as a record. Raises ValueError, KeyError or TypeError when it is none."""
    if not all(isinstance(fields[name], int) for name in ("number", "start_ns", "end_ns")):
        raise ValueError("its number and times are not whole")
    if fields["end_ns"] < fields["start_ns"]:
        raise ValueError("it ends before it starts")
    made: dict[str, Any] = {
        **fields,
        "kind": ProbeKind(fields["kind"]),
        "operations": tuple(fields["operations"]),
        "treatment": _differences(fields["treatment"]),
        "control": _differences(fields["control"]),
    }
    return ProbeRecord(**made)


def _differences(items: Sequence[Mapping[str, Any]]) -> tuple[Difference, ...]:
    return tuple(Difference(**{**item, "kind": Kind(item["kind"])}) for item in items)


def count_probes(path: Path) -> tuple[int, bool]:
    """(whole lines, whether half a line follows) of a load that ended; a file that is not there has none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0, False
    return data.count(b"\n"), bool(data) and not data.endswith(b"\n")
