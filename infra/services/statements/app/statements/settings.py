"""All settings come from the environment, are read once, and a wrong one ends the process with one clear line.

It needs a database, QUEUE_NAME and AWS_REGION; the rest has defaults. AWS credentials are what boto3 finds (in
production the pod's own identity, and no key at all).

DATABASE_URL      where PostgreSQL is; or PGHOST, PGDATABASE, PGUSER (and PGPORT, PGPASSWORD), as libpq knows them
QUEUE_NAME        name of the SQS queue that holds the jobs
AWS_REGION        where that queue is
AWS_ENDPOINT_URL  empty     where AWS answers, if not at its own addresses
PORT              8080      TCP port of /live, /ready and /metrics
BIND              0.0.0.0   address it listens on
WORKER_NAME       the host  name of this worker, stored with each statement
WORK_MS           800       how long the stubbed rendering of one statement takes
CONCURRENCY       1         jobs worked on at the same time
VISIBILITY_S      30        a job taken and not heard of again comes back to the queue after so long (whole seconds)
WAIT_S            2         how long one look at an empty queue waits for a job (whole seconds; AWS bills each look)
GRACE_S           10        after SIGTERM: how long the job in hand may still take before it is given back
RETRY_S           5         a job that failed comes back to the queue after so long (whole seconds)
START_WITHIN_S    30        how long to try for a first answer of the database and of the queue
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

Number = TypeVar("Number", int, float)

_VISIBILITY_MOST_S = 43_200  # SQS's own limit, as the 20 s of a wait are
_WAIT_MOST_S = 20


class SettingsError(Exception):
    """A setting is missing or wrong; `str()` is the one line to print."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Which queue, and how to take from it. `endpoint` is None for AWS itself."""

    name: str
    region: str
    endpoint: str | None
    visibility_s: int
    wait_s: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker was told. Times as their names say; `database` is a libpq connection string or URL."""

    database: str
    queue: QueueSettings
    port: int
    bind: str
    worker_name: str
    work_ms: float
    concurrency: int
    grace_s: float
    retry_s: int
    start_within_s: float


def read_database(env: Mapping[str, str]) -> str:
    """The connection string; empty when libpq itself is to read PGHOST and the others from the environment."""
    if env.get("DATABASE_URL"):
        return env["DATABASE_URL"]
    missing = [name for name in ("PGHOST", "PGDATABASE", "PGUSER") if not env.get(name)]
    if missing:
        raise SettingsError(f"setting missing: {', '.join(missing)} (or give DATABASE_URL)")
    return ""


def read_queue(env: Mapping[str, str]) -> QueueSettings:
    """Raises SettingsError naming the first setting that is missing or wrong."""
    missing = [name for name in ("QUEUE_NAME", "AWS_REGION") if not env.get(name)]
    if missing:
        raise SettingsError(f"setting missing: {', '.join(missing)}")
    return QueueSettings(
        name=env["QUEUE_NAME"],
        region=env["AWS_REGION"],
        endpoint=env.get("AWS_ENDPOINT_URL") or None,
        # Renewed each third of it, so below 3 s a slow answer of the queue would lose the job to another worker.
        visibility_s=_number(env, "VISIBILITY_S", 30, least=3, most=_VISIBILITY_MOST_S),
        wait_s=_number(env, "WAIT_S", 2, least=0, most=_WAIT_MOST_S),
    )


def read_settings(env: Mapping[str, str]) -> Settings:
    """Raises SettingsError naming the first setting that is missing or wrong."""
    return Settings(
        database=read_database(env),
        queue=read_queue(env),
        port=_number(env, "PORT", 8080, least=1, most=65_535),
        bind=env.get("BIND") or "0.0.0.0",
        worker_name=env.get("WORKER_NAME") or socket.gethostname(),
        work_ms=_number(env, "WORK_MS", 800.0, least=0.0),
        concurrency=_number(env, "CONCURRENCY", 1, least=1, most=100),
        grace_s=_number(env, "GRACE_S", 10.0, least=0.0),
        retry_s=_number(env, "RETRY_S", 5, least=0, most=_VISIBILITY_MOST_S),
        start_within_s=_number(env, "START_WITHIN_S", 30.0, least=0.0),
    )


def _number(env: Mapping[str, str], name: str, default: Number, *, least: Number, most: float = 1e9) -> Number:
    text = env.get(name)
    if not text:
        return default
    try:
        value = type(default)(text)
    except ValueError:
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise SettingsError(f"setting wrong: {name}={text!r} is not {kind}") from None
    if not least <= value <= most:
        raise SettingsError(f"setting wrong: {name}={text!r} must be from {least} to {most:g}")
    return value
