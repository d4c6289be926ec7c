"""Bringing a lab up from outside: who may, what is said, and what a start that fails leaves."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from shiftproof.errors import LabError, LockHeldError
from shiftproof.lab import launch
from shiftproof.lab.supervisor import PartFailed

HOLDS = "from shiftproof.lab import launch\nwith launch.only_one():\n    print('held', flush=True)\n    input()\n"


def test_a_second_start_is_refused_with_the_name_of_the_first() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockHeldError, match=rf"is at work: pid {holder.pid} \("), launch.only_one():
            pass
        holder.kill()
        holder.wait()
    with launch.only_one():  # a holder that was killed holds nothing
        pass


def lines(*messages: dict[str, object]) -> io.StringIO:
    return io.StringIO("".join(json.dumps(message) + "\n" for message in messages))


def test_progress_is_passed_on_until_the_lab_is_up() -> None:
    seen: list[object] = []
    launch.follow(
        lines({"parts": ["etcd"]}, {"beat": True}, {"up": True}, {"never": "read"}), seen.append, 0.0, lambda: 0.0
    )
    assert seen == [{"parts": ["etcd"]}, {"beat": True}, {"up": True}]


def test_a_part_that_fails_is_named_with_its_last_words_and_where_the_logs_are() -> None:
    failed: dict[str, object] = {
        "failed": "etcd",
        "why": "ended with exit code 1",
        "log": ["disk full"],
        "logs": "/reports/x",
    }
    with pytest.raises(PartFailed, match="etcd did not start: ended with exit code 1") as raised:
        launch.follow(lines({"parts": ["etcd"]}, failed), lambda _: None, 0.0, lambda: 0.0)
    assert raised.value.log == ("disk full",)
    assert raised.value.one_line().endswith("the lab was taken down again; logs: /reports/x")


def test_an_init_that_ends_without_a_word_is_no_success() -> None:
    with pytest.raises(BrokenPipeError):
        launch.follow(lines({"parts": ["etcd"]}), lambda _: None, 0.0, lambda: 0.0)


def test_a_start_that_takes_for_ever_is_given_up() -> None:
    with pytest.raises(LabError, match="was not up within"):
        launch.follow(lines({"beat": True}, {"beat": True}), lambda _: None, 0.0, lambda: 1000.0)
