"""All settings come from the environment, are read once, and a wrong one ends the process with one clear line.

To serve it needs a database and PARTNER_TOKEN; the rest has defaults.

DATABASE_URL      where PostgreSQL is; or PGHOST, PGDATABASE, PGUSER (and PGPORT, PGPASSWORD), as libpq knows them
PARTNER_TOKEN     what the partner knows us by
PORT              8080      TCP port of the service
BIND              0.0.0.0   address it listens on
SERVICE_NAME      payments  name in logs
SERVED_BY         the host  value of the header `x-served-by`; set it where several share a host name
POOL_SIZE         5         connections to PostgreSQL, all opened at the start
MAX_IN_FLIGHT     16        requests worked on at the same time
QUEUE_LIMIT       64        requests that may wait for a place; beyond it 503 at once
QUEUE_WAIT_MS     1000      how long one of those waits before 503
PARTNER_DELAY_MS  50        how long the stubbed partner takes to answer
DRAIN_S           0         after SIGTERM: go on serving this long, with `Connection: close` on every answer
GRACE_S           15        after that: how long requests in flight may still take
START_WITHIN_S    30        how long to try for a first connection to PostgreSQL
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

Number = TypeVar("Number", int, float)


class SettingsError(Exception):
    """A setting is missing or wrong; `str()` is the one line to print."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process was told. Times as their names say; `database` is a libpq connection string or URL."""

    database: str
    partner_token: str
    port: int
    bind: str
    service_name: str
    served_by: str
    pool_size: int
    max_in_flight: int
    queue_limit: int
    queue_wait_ms: float
    partner_delay_ms: float
    drain_s: float
    grace_s: float
    start_within_s: float


def read_database(env: Mapping[str, str]) -> str:
    """The connection string; empty when libpq itself is to read PGHOST and the others from the environment."""
    if env.get("DATABASE_URL"):
        return env["DATABASE_URL"]
    missing = [name for name in ("PGHOST", "PGDATABASE", "PGUSER") if not env.get(name)]
    if missing:
        raise SettingsError(f"setting missing: {', '.join(missing)} (or give DATABASE_URL)")
    return ""


def read_settings(env: Mapping[str, str]) -> Settings:
    """Raises SettingsError naming the first setting that is missing or wrong."""
    database = read_database(env)
    if not env.get("PARTNER_TOKEN"):
        raise SettingsError("setting missing: PARTNER_TOKEN")
    return Settings(
        database=database,
        partner_token=env["PARTNER_TOKEN"],
        port=_number(env, "PORT", 8080, least=1),
        bind=env.get("BIND") or "0.0.0.0",
        service_name=env.get("SERVICE_NAME") or "payments",
        served_by=env.get("SERVED_BY") or socket.gethostname(),
        pool_size=_number(env, "POOL_SIZE", 5, least=1),
        max_in_flight=_number(env, "MAX_IN_FLIGHT", 16, least=1),
        queue_limit=_number(env, "QUEUE_LIMIT", 64, least=0),
        queue_wait_ms=_number(env, "QUEUE_WAIT_MS", 1000.0, least=0.0),
        partner_delay_ms=_number(env, "PARTNER_DELAY_MS", 50.0, least=0.0),
        drain_s=_number(env, "DRAIN_S", 0.0, least=0.0),
        grace_s=_number(env, "GRACE_S", 15.0, least=0.0),
        start_within_s=_number(env, "START_WITHIN_S", 30.0, least=0.0),
    )


def _number(env: Mapping[str, str], name: str, default: Number, *, least: Number) -> Number:
    text = env.get(name)
    if not text:
        return default
    try:
        value = type(default)(text)
    except ValueError:
        raise SettingsError(f"setting wrong: {name}={text!r} is not a number") from None
    if not least <= value < 1e9:
        raise SettingsError(f"setting wrong: {name}={text!r} must be at least {least} and finite")
    return value
