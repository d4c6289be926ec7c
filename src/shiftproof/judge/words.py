"""How figures and times are written in findings, so that all of them read alike."""

from __future__ import annotations

from datetime import UTC, datetime

from shiftproof.judge.sequential import ruled_out_rate


def clock(t_ns: int) -> str:
    """UTC with milliseconds: 12:03:06.412."""
    whole, rest = divmod(int(t_ns), 1_000_000_000)
    return f"{datetime.fromtimestamp(whole, tz=UTC):%H:%M:%S}.{rest // 1_000_000:03d}"


def length(ms: float) -> str:
    """A stretch of time: "40 ms", "1.9 s", "33 s"."""
    if ms < 995:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.1f} s" if ms < 9950 else f"{ms / 1000:.0f} s"


def percent(rate: float) -> str:
    """Two digits that count, without a false zero: 0.031%, 1.2%, 44%."""
    return f"{100 * rate:.2g}%" if rate < 0.995 else "100%"


def bound(n: int, k: int, confidence: float) -> str:
    """As in "0 of 5,103 attributed: below 0.091% at 99% confidence" (the bound rounded up, never down)."""
    return f"{k:,} of {n:,} attributed: below {below(n, k, confidence)} at {confidence:.0%} confidence"


def below(n: int, k: int, confidence: float) -> str:
    """The rate that k of n rule out, rounded up: "0.091%"."""
    return _up(ruled_out_rate(n, k, confidence) if n else 1.0)


def _up(rate: float) -> str:
    return f"{_ceil2(100 * rate):.2g}%" if rate < 0.995 else "100%"


def _ceil2(value: float) -> float:
    """Rounded up at the second digit that counts."""
    exponent = int(f"{value:e}".partition("e")[2]) - 1
    scaled = value / 10.0**exponent
    return float(-(-scaled // 1) * 10.0**exponent)


def count(n: int, thing: str, things: str | None = None) -> str:
    """As in "1 request", "2 requests", "1,024 requests"."""
    return f"{n:,} {thing if n == 1 else things or thing + 's'}"


def listed(words: list[str]) -> str:
    """As in "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
