"""Waiting on an API server that may not answer for a moment: one call that times out must not end a whole gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shiftproof.adapters.kubernetes.api import KubernetesError

SILENT_FOR_S = 15.0
"""How long an API server may be silent, from the first call in a row that it left without an answer. Longer than one
call takes to time out, so that it is always asked at least once more."""

Answer = TypeVar("Answer")


class Patience:
    """For one waiting loop. now_ns: any clock that does not step."""

    def __init__(self, now_ns: Callable[[], int], silent_for_s: float = SILENT_FOR_S) -> None:
        self._now_ns = now_ns
        self._silent_for_s = silent_for_s
        self._since_ns: int | None = None

    def ask(self, question: Callable[[], Answer]) -> Answer | None:
        """The answer, or None when there was none this time.

        Raises KubernetesError at once when the server refuses, and when it was silent for too long.
        """
        asked_ns = self._now_ns()
        try:
            answer = question()
        except KubernetesError as error:
            if error.status is not None:
                raise
            if self._since_ns is None:
                self._since_ns = asked_ns
            if self._now_ns() - self._since_ns > self._silent_for_s * 1e9 and self._since_ns != asked_ns:
                raise
            return None
        self._since_ns = None
        return answer
