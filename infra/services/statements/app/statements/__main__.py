"""python3 -m statements work | migrate | ask NUMBER [PREFIX] | check [PREFIX] | purge-synthetic [PREFIX]"""

from __future__ import annotations

import signal
import sys

# As process 1 of a container, a signal without a handler is ignored; importing takes most of a second, and a pod
# that is deleted meanwhile would sit out its whole grace period.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import asdict  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from functools import partial  # noqa: E402

from statements.settings import SettingsError, read_database, read_queue, read_settings  # noqa: E402

OUR_ACCOUNTS = "test-"
_MOST = 100_000
_PURGE_WITHIN_S = 60.0


def main(arguments: list[str]) -> int:
    """Exit code: 0 done, 1 could not (one line says why), 2 not understood."""
    command = _understand(arguments)
    if command is None:
        print(f"{__doc__}\nNUMBER is from 1 to {_MOST}.", file=sys.stderr)
        return 2
    try:
        return command()
    except SettingsError as error:
        return _fail(str(error))


def _understand(arguments: list[str]) -> Callable[[], int] | None:
    match arguments:
        case ["work"]:
            return _work
        case ["migrate"]:
            return _migrate
        case ["ask", number, *prefix] if _is_count(number) and len(prefix) <= 1:
            return partial(_ask, int(number), *prefix)
        case ["check", *prefix] if len(prefix) <= 1:
            return partial(_check, *prefix)
        case ["purge-synthetic", *prefix] if len(prefix) <= 1:
            return partial(_purge, *prefix)
    return None


def _work() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stdout)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    settings = read_settings(os.environ)
    from statements.serving import StartError, WorkError, work

    try:
        work(settings)
    except (StartError, WorkError) as error:
        return _fail(str(error))
    return 0


def _migrate() -> int:
    database = read_database(os.environ)
    import psycopg

    from statements.schema import migrate

    try:
        before, after = migrate(database)
    except psycopg.Error as error:
        return _fail(f"could not migrate: {_last_line(error)}")
    print(f"schema {before} -> {after}" if before != after else f"schema {after}: nothing to do")
    return 0


def _ask(number: int, prefix: str = OUR_ACCOUNTS) -> int:
    from statements.asking import ask
    from statements.queue import Queue

    def done(database: str, queue: Queue) -> str:
        accounts = ask(database, queue, number, prefix, datetime.now(UTC).date())
        return f"asked for {number} statements of accounts {accounts}00001 and on"

    return _with_both(done)


def _check(prefix: str = OUR_ACCOUNTS) -> int:
    from statements.checking import check

    return _with_both(lambda database, queue: json.dumps(asdict(check(database, queue, prefix))))


def _purge(prefix: str = OUR_ACCOUNTS) -> int:
    from statements.purge import purge_synthetic
    from statements.queue import Queue

    def done(database: str, queue: Queue) -> str:
        purged = purge_synthetic(database, queue, prefix, _PURGE_WITHIN_S)
        return (
            f"removed {purged.statements} statements, {purged.sendings} sendings, {purged.jobs_asked} jobs asked and"
            f" {purged.messages} messages; {purged.statements_left} statements left"
        )

    return _with_both(done)


def _with_both(do: Callable[..., str]) -> int:
    """Run `do` with database and queue, and print its one line; nothing else goes to stdout."""
    database, queue_settings = read_database(os.environ), read_queue(os.environ)
    import psycopg

    from statements.asking import AskError
    from statements.purge import PurgeError
    from statements.queue import Queue, QueueError

    queue = Queue(queue_settings)
    try:
        queue.find()
        print(do(database, queue))
    except PurgeError as error:
        return _fail(f"the database is as it was: {error}")
    except (AskError, QueueError, psycopg.Error) as error:
        return _fail(_last_line(error))
    return 0


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def _fail(why: str) -> int:
    print(f"statements: {why}", file=sys.stderr, flush=True)
    return 1


sys.exit(main(sys.argv[1:]))
