"""Changes that take effect later than they were written, as a real load balancer's do; how much later can be set."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_LAG_S = 300.0


@dataclass(frozen=True, slots=True)
class Lag:
    """Seconds between the API's answer and the effect on traffic."""

    weights_s: float = 0.0
    registration_s: float = 0.0

    def problem(self) -> str | None:
        """Why these values cannot be, if they cannot."""
        for name, value in (("weights_s", self.weights_s), ("registration_s", self.registration_s)):
            if not 0 <= value <= MAX_LAG_S:
                return f"{name} must be between 0 and {MAX_LAG_S:g} seconds, not {value:g}"
        return None


class SharedLag:
    """The lag in force; set by the API's threads, read by the reconciler."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lag = Lag()

    def get(self) -> Lag:
        with self._lock:
            return self._lag

    def set(self, lag: Lag) -> None:
        with self._lock:
            self._lag = lag


class Delayed(Generic[K, V]):
    """Values by key that become due some seconds after they were first seen.

    The lag is given when asking, so that setting it back to 0 makes all that waits due at once (an undo must not leave
    a change behind that strikes later).
    """

    def __init__(self) -> None:
        self._seen: dict[K, V] = {}
        self._waiting: list[tuple[float, K, V]] = []

    def offer(self, key: K, value: V, now: float) -> None:
        """Note the value that the API holds now; nothing happens when it has not changed."""
        if key not in self._seen or self._seen[key] != value:
            self._seen[key] = value
            self._waiting.append((now, key, value))

    def known(self) -> tuple[K, ...]:
        return tuple(self._seen)

    def forget(self, key: K) -> None:
        self._seen.pop(key, None)
        self._waiting = [entry for entry in self._waiting if entry[1] != key]

    def due(self, now: float, lag_s: float) -> list[tuple[K, V]]:
        """Take out all that is due, in the order in which it was written."""
        ready = [(key, value) for seen, key, value in self._waiting if now - seen >= lag_s]
        self._waiting = [entry for entry in self._waiting if now - entry[0] < lag_s]
        return ready
