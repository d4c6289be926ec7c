"""Whether the platform is as it was before anything was planted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """The platform at one moment.

    scope: the life of the lab. facts: what must stay as it is, by name (weights, manifests, lags…). problems: what is
    wrong whatever it was before (a part that is not ready, a change that was not undone), each in a few words.
    passing: as problems, but they end by themselves, in minutes.
    """

    scope: str
    facts: Mapping[str, str]
    problems: Sequence[str] = ()
    passing: Sequence[str] = ()


def differences(before: Mapping[str, str], look: Look) -> list[str]:
    """What is not back to normal, each in a few words; empty when all is."""
    found = [*look.problems, *look.passing]
    for name in sorted(before.keys() | look.facts.keys()):
        was, now = before.get(name), look.facts.get(name)
        if was == now:
            continue
        if was is None:
            found.append(f"{name} is there and was not")
        elif now is None:
            found.append(f"{name} is gone")
        else:
            found.append(f"{name} was {was} and is {now}")
    return found
