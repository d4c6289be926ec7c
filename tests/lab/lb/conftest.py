"""One load balancer for all tests of a file: two legacy targets; a test registers its own cluster targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from fakes.backends import Backend
from fakes.balancer import Balancer, Estate, running_balancer


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    legacy = (Backend("127.0.0.2", name="legacy-1"), Backend("127.0.0.3", name="legacy-2"))
    with running_balancer(tmp_path_factory.mktemp("balancer"), legacy) as balancer:
        yield Estate(balancer, legacy)
    for backend in legacy:
        backend.close()


@pytest.fixture
def balancer(estate: Estate) -> Iterator[Balancer]:
    """With its lag at 0 (its own is some seconds for targets that leave), and without the test's cluster targets."""
    estate.balancer.lag(weights_s=0, registration_s=0, deregistration_s=0)
    yield estate.balancer
    estate.balancer.lag(weights_s=0, registration_s=0, deregistration_s=0)


@pytest.fixture
def pods(estate: Estate) -> Iterator[Callable[[], Backend]]:
    """Makes cluster targets, each on an address that no other test had; takes them away afterwards."""
    made: list[Backend] = []

    def make() -> Backend:
        _ADDRESSES[0] += 1
        made.append(Backend(f"127.0.1.{_ADDRESSES[0]}"))
        return made[-1]

    yield make
    client = estate.balancer.elbv2
    for backend in made:
        with suppress(client.exceptions.InvalidTargetException):  # not registered, or not any more
            estate.balancer.deregister("cluster", backend)
        backend.close()


_ADDRESSES = [1]
