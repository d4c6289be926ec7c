"""Wait for a condition with a deadline; never merely for time to pass."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable

_POLL_S = 0.05


class NotInTime(Exception):
    """The condition did not hold by the deadline; `str()` says which one and what was seen last."""


def until(
    condition: Callable[[], str | None],
    within_s: float,
    *,
    poll_s: float = _POLL_S,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Wait until `condition` returns None; until then it says what is still missing. Returns the seconds it took.

    Raises NotInTime, and whatever the condition raises.
    """
    start_s = now()
    while True:
        missing = condition()
        took_s = now() - start_s
        if missing is None:
            return took_s
        if took_s >= within_s:
            raise NotInTime(f"not ready within {within_s:g} s: {missing}")
        sleep(poll_s)


def http_problem(
    host: str,
    port: int,
    path: str,
    timeout_s: float = 2.0,
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> str | None:
    """None when GET answers 200, else what came instead."""
    connection = (
        http.client.HTTPConnection(host, port, timeout=timeout_s)
        if tls is None
        else http.client.HTTPSConnection(host, port, timeout=timeout_s, context=tls)
    )
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        body = answer.read(200).decode(errors="replace").strip()
        return None if answer.status == 200 else f"{path} answers {answer.status} {body}"
    except (OSError, http.client.HTTPException) as error:
        return f"{path} at {host}:{port}: {str(error) or type(error).__name__}"
    finally:
        connection.close()
