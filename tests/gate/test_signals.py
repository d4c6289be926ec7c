"""Polite signals end a block as Ctrl-C does, unless whoever started us had them ignored."""

from __future__ import annotations

import os
import signal

import pytest

from shiftproof.gate.signals import ends_as_interrupted


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_polite_signal_ends_the_block_and_its_handler_goes_with_it(number: signal.Signals) -> None:
    ours = signal.signal(number, signal.SIG_DFL)  # whatever started the tests may have had it ignored
    try:
        with pytest.raises(KeyboardInterrupt), ends_as_interrupted():
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, ours)


def test_what_was_ignored_before_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup leaves it
    try:
        with ends_as_interrupted():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
