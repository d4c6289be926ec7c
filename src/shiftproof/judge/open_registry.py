"""A registry that anybody may add a judge to, and by which nothing that is registered goes unjudged.

The same for gates and for load events: what differs is the case that their judges are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from shiftproof.errors import MeasureError, UserError
from shiftproof.model.verdict import Finding, Verdict

C = TypeVar("C")
CaseJudge = Callable[[C], Iterable[Finding]]


class Registry(Generic[C]):
    """Claims by name, in the order in which they were registered.

    judges: the dictionary behind it. required: claims without which nothing is proven, whoever took one out.
    """

    def __init__(self) -> None:
        self.judges: dict[str, CaseJudge[C]] = {}
        self.required: list[str] = []
        self._wanted_for: dict[str, Callable[[C], bool]] = {}

    def claim(self, name: str, wanted_for: Callable[[C], bool] | None = None) -> Callable[[CaseJudge[C]], CaseJudge[C]]:
        """Register a judge, as a decorator. wanted_for: of which cases it can say anything; of all when left out.

        Raises UserError when the name is taken by another function.
        """

        def register(judge: CaseJudge[C]) -> CaseJudge[C]:
            other = self.judges.get(name)
            if other is not None and _place(other) != _place(judge):
                raise UserError(f"a claim named {name!r} is registered already, by {'.'.join(_place(other))}")
            self.judges[name] = judge
            if wanted_for is not None:
                self._wanted_for[name] = wanted_for
            return judge

        return register

    def forget(self, name: str) -> None:
        """Take a claim out again; unknown names are fine."""
        self.judges.pop(name, None)
        if name not in self.required:
            self._wanted_for.pop(name, None)

    def require_all(self) -> None:
        """From now on all claims that are registered must be judged."""
        self.required[:] = self.judges

    def names(self) -> tuple[str, ...]:
        return tuple(self.judges)

    def judge(self, case: C, claims: Sequence[str] | None = None) -> list[Finding]:
        """Judge every claim named; when None, all that are registered and wanted for this case.

        A judge that raises, is not there, or finds nothing at all, becomes an INCONCLUSIVE finding with the reason.
        Raises UserError for an unknown claim.
        """
        known = dict.fromkeys([*self.required, *self.judges])
        names = tuple(known) if claims is None else tuple(claims)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UserError(f"unknown claim {unknown[0]!r}", hint=f"known claims: {', '.join(self.names())}")
        return [found for name in names for found in self._judged(name, case, asked=claims is not None)]

    def _judged(self, name: str, case: C, *, asked: bool) -> list[Finding]:
        wanted_for = self._wanted_for.get(name)
        try:
            if not asked and wanted_for is not None and not wanted_for(case):
                return []
            if name not in self.judges:
                return [_unknown(name, f"nobody judged {name}: the claim was taken out")]
            findings: list[Any] = list(self.judges[name](case))
        except KeyboardInterrupt:
            raise
        except MeasureError as error:
            return [_unknown(name, str(error), **({"hint": error.hint} if error.hint else {}))]
        except BaseException as error:  # noqa: BLE001  any bug of any judge, even sys.exit(0), must end as "unknown"
            reason = f"the judge of {name} stopped with {type(error).__name__}: {error}"
            return [_unknown(name, reason, error=type(error).__name__)]
        strange = next((one for one in findings if not isinstance(one, Finding)), None)
        if strange is not None:
            return [_unknown(name, f"the judge of {name} gave {type(strange).__name__}, which is no finding")]
        return findings or [_unknown(name, f"the judge of {name} found nothing to judge")]


def _place(judge: Callable[..., object]) -> tuple[str, str]:
    return judge.__module__, judge.__qualname__


def _unknown(name: str, reason: str, **data: str) -> Finding:
    return Finding(name, "run", Verdict.INCONCLUSIVE, reason, data)
