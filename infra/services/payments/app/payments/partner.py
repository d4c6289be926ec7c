"""A STUB of the partner that every payment is announced to. It moves no money and calls nobody.

It is there because a payment spends most of its life waiting for somebody else: with it, a pod's capacity is the number
of requests that it admits, as in production, and not the share of a laptop's CPU that it can get.
"""

from __future__ import annotations

import asyncio


class StubPartner:
    """Answers after `delay_ms`. Like a real partner it is told the idempotency key, so a repeated call is harmless."""

    def __init__(self, delay_ms: float, token: str) -> None:
        self._delay_s = delay_ms / 1000
        self._token = token

    async def announce(self, key: str) -> None:
        """Wait as long as the partner would take. `key` is what a real partner would drop repeats by."""
        del key
        if self._delay_s > 0:
            await asyncio.sleep(self._delay_s)
