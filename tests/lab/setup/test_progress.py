from __future__ import annotations

import io

import pytest
from rich.console import Console

from shiftproof.lab.setup.progress import duration, shown


def plain() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=False, width=200), out


def test_without_a_terminal_there_is_one_line_a_change() -> None:
    console, out = plain()
    clock = iter(range(100))
    with shown("tool-etcd", console, now=lambda: float(next(clock))) as ticker:
        ticker.update(note="fetching modules", detail="a")
        ticker.update(detail="b")
        for done in range(101):
            ticker.update(done=done, total=100, note="compiling")
    assert out.getvalue().splitlines() == [
        "..  tool-etcd  (1.0 s)",
        "..  tool-etcd: fetching modules  (2.0 s)",
        "..  tool-etcd: compiling: 0% of 100  (3.0 s)",
        "..  tool-etcd: compiling: 20% of 100  (4.0 s)",
        "..  tool-etcd: compiling: 40% of 100  (5.0 s)",
        "..  tool-etcd: compiling: 60% of 100  (6.0 s)",
        "..  tool-etcd: compiling: 80% of 100  (7.0 s)",
        "..  tool-etcd: compiling: 100% of 100  (8.0 s)",
        "ok  tool-etcd  (9.0 s)",
    ]


def test_a_step_that_fails_is_not_called_ok() -> None:
    console, out = plain()
    with pytest.raises(ValueError, match="broken"), shown("x", console):
        raise ValueError("broken")
    assert "ok" not in out.getvalue()


def test_a_terminal_sees_the_count_and_the_time() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    with shown("tool-etcd", console) as ticker:
        ticker.update(done=3, total=10, note="compiling [packages]")
    assert "3/10" in out.getvalue()
    assert "compiling [packages]" in out.getvalue()
    assert "ok  tool-etcd" in out.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (245.2, "4 min 05 s")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
