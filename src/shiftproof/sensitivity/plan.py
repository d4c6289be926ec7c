"""Which gates or rehearsals are run, in which order, and how long that will take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from statistics import fmean

from shiftproof.errors import UserError
from shiftproof.sensitivity.kind import GATES, Kind

CLEAN = "clean"
"""The name of turns with nothing planted."""

CHECK_S = 5.0  # a look at the platform after each


@dataclass(frozen=True, slots=True)
class KnownDefect:
    """A defect's file that was read and found good. digest: sha256 (hex) of its bytes. steps: how many it has.

    longer_s: by which a run with it takes longer than others, as far as the file tells (machines that boot late).
    """

    id: str
    title: str
    evidence: str
    expects: str
    file: str
    digest: str
    steps: int = 1
    longer_s: float = 0.0

    @property
    def stem(self) -> str:
        """What a verdict file calls it."""
        return PurePath(self.file).stem


@dataclass(frozen=True, slots=True)
class Turn:
    """One gate or rehearsal to be run; `repeat` counts from 1. defect None: a clean one. event None: a gate."""

    name: str
    repeat: int
    defect: KnownDefect | None
    event: str | None = None

    @property
    def key(self) -> str:
        """What it is called in the state file."""
        return f"{self.name} {self.repeat}"


def make_turns(defects: Sequence[KnownDefect], clean: int, repeat: int, event: str | None = None) -> tuple[Turn, ...]:
    """All turns in their order: each defect once, then all once more, and clean ones spread evenly among them.

    Spread, because a machine that gets slower, or a platform that a defect did leave its mark on, must show among the
    clean ones too. Raises UserError when nothing is asked for, or two files have one id.
    """
    if min(clean, repeat) < 0 or (not clean and not (defects and repeat)):
        raise UserError(
            f"nothing to run: {len(defects)} defects x {repeat}, {clean} clean", hint="see --repeat, --clean"
        )
    _refuse_doubles(defects)
    planted = [Turn(defect.id, time, defect, event) for time in range(1, repeat + 1) for defect in defects]
    total = len(planted) + clean
    left = iter(planted)
    free = iter(range(1, clean + 1))
    return tuple(
        Turn(CLEAN, next(free), None, event) if _is_clean(place, clean, total) else next(left) for place in range(total)
    )


def _is_clean(place: int, clean: int, total: int) -> bool:
    """`clean` of `total` places, as evenly as whole numbers allow, half a distance from both ends."""

    def before(number: int) -> int:
        return (2 * number * clean + total) // (2 * total)

    return before(place + 1) > before(place)


def _refuse_doubles(defects: Sequence[KnownDefect]) -> None:
    files: dict[str, str] = {CLEAN: "a run with nothing planted"}
    for defect in defects:
        if defect.id in files:
            raise UserError(
                f"{defect.file}: the id {defect.id!r} is taken by {files[defect.id]}", hint="give it another"
            )
        files[defect.id] = defect.file


def seconds_left(turns: Iterable[Turn], took_s: Mapping[str, Sequence[float]], kind: Kind = GATES) -> float:
    """Seconds that these turns will take. took_s: what turns of each name took before."""
    return sum(CHECK_S + _expected_s(turn, took_s, kind) for turn in turns)


def _expected_s(turn: Turn, took_s: Mapping[str, Sequence[float]], kind: Kind) -> float:
    own = took_s.get(turn.name)
    if own:
        return fmean(own)
    return kind.clean_s if turn.defect is None else kind.planted_s + turn.defect.longer_s
