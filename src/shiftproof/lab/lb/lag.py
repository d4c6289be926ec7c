"""Changes that take effect later than they were written, as a real load balancer's do; how much later can be set."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_LAG_S = 300.0

LETS_GO_S = 2.0
"""A real load balancer goes on sending to a target for some seconds after it was deregistered (which is why pods get a
preStop sleep); AWS names no figure. Too short here, and a service without preStop would look sound."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Seconds between the API's answer and the effect on traffic.

    registration_s: for targets that come, and for those that leave too (LETS_GO_S at least) while deregistration_s is
    None.
    """

    weights_s: float = 0.0
    registration_s: float = 0.0
    deregistration_s: float | None = None

    def problem(self) -> str | None:
        """Why these values cannot be, if they cannot."""
        for name, value in asdict(self).items():
            if value is not None and not 0 <= value <= MAX_LAG_S:
                return f"{name} must be between 0 and {MAX_LAG_S:g} seconds, not {value:g}"
        return None

    def of_registration(self, registered: bool) -> float:
        """Until traffic follows a target that came (or left)."""
        if registered:
            return self.registration_s
        return max(self.registration_s, LETS_GO_S) if self.deregistration_s is None else self.deregistration_s


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

    def due(self, now: float, lag_s: Callable[[V], float]) -> list[tuple[K, V]]:
        """Take out all that is due, in the order in which it was written. `lag_s`: how late which value takes effect.

        A value that is due before an older one of its key replaces it: what is newest holds in the end.
        """
        ready = [entry for entry in self._waiting if now - entry[0] >= lag_s(entry[2])]
        newest = {key: seen for seen, key, _ in ready}
        self._waiting = [
            entry for entry in self._waiting if entry not in ready and entry[0] >= newest.get(entry[1], entry[0])
        ]
        return [(key, value) for _, key, value in ready]
