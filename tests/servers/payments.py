"""The reference service as a process of its own, from the very files that its image holds."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from fakes.ports import free_port

from servers import apps
from shiftproof.lab.waiting import until

SERVICE = "payments"
_READY_WITHIN_S = 90.0


def run(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`python3 -m payments ARGUMENTS` to its end, with nothing in its environment but `env`."""
    return apps.run(SERVICE, *arguments, env=env)


@dataclass
class Service:
    """A running service. `client` keeps connections, as a load balancer does."""

    process: subprocess.Popen[bytes]
    port: int
    client: httpx.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self, within_s: float = 60.0) -> int:
        return self.process.wait(within_s)

    def pay(self, key: str, account: str = "test-1", amount: str = "12.34", **headers: str) -> httpx.Response:
        body = {"account": account, "amount": amount, "currency": "EUR"}
        return self.client.post("/payments", json=body, headers={"Idempotency-Key": key, **headers})


Start = Callable[..., Service]
"""Starts the service with settings by name."""


@contextmanager
def service(database_url: str, **settings: str) -> Iterator[Service]:
    """Migrated, started, ready. `settings` are variables of its environment; killed at the end if still there."""
    port = free_port()
    env = {"DATABASE_URL": database_url, "PARTNER_TOKEN": "for-tests", "BIND": "127.0.0.1", "PORT": str(port)}
    migrated = run("migrate", env=env)
    assert migrated.returncode == 0, migrated.stderr
    process = subprocess.Popen(
        apps.command(SERVICE, "serve"),
        env=apps.environment(SERVICE, env | {"PARTNER_DELAY_MS": "5"} | settings),
        stdout=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            started = Service(process, port, client)
            until(lambda: _problem(started), _READY_WITHIN_S)
            yield started
    finally:
        process.kill()
        process.wait()


def _problem(started: Service) -> str | None:
    if started.process.poll() is not None:
        raise RuntimeError(f"the service ended with {started.process.returncode}")
    try:
        answer = started.client.get("/ready")
    except httpx.TransportError as error:
        return str(error)
    return None if answer.status_code == 200 else answer.text
