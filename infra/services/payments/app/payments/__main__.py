"""python3 -m payments serve | migrate | purge-synthetic [ACCOUNTS-PREFIX]"""

from __future__ import annotations

import signal
import sys

# As process 1 of a container, a signal without a handler is ignored; importing takes most of a second, and a pod
# that is deleted meanwhile would sit out its whole grace period.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import logging  # noqa: E402
import os  # noqa: E402

from payments.settings import SettingsError, read_database, read_settings  # noqa: E402


def main(arguments: list[str]) -> int:
    """Exit code: 0 done, 1 could not (one line says why), 2 not understood."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stdout)
    try:
        match arguments:
            case ["serve"]:
                return _serve()
            case ["migrate"]:
                return _migrate()
            case ["purge-synthetic"]:
                return _purge("test-")
            case ["purge-synthetic", prefix]:
                return _purge(prefix)
    except SettingsError as error:
        return _fail(str(error))
    print(__doc__, file=sys.stderr)
    return 2


def _serve() -> int:
    settings = read_settings(os.environ)
    from payments.server import StartError, serve

    try:
        serve(settings)
    except StartError as error:
        return _fail(str(error))
    return 0


def _migrate() -> int:
    database = read_database(os.environ)
    import psycopg

    from payments.schema import migrate

    try:
        before, after = migrate(database)
    except psycopg.Error as error:
        return _fail(f"could not migrate: {str(error).strip().splitlines()[-1]}")
    print(f"schema {before} -> {after}" if before != after else f"schema {after}: nothing to do")
    return 0


def _purge(prefix: str) -> int:
    database = read_database(os.environ)
    import psycopg

    from payments.purge import PurgeError, purge_synthetic

    try:
        purged = purge_synthetic(database, prefix)
    except (psycopg.Error, PurgeError) as error:
        return _fail(f"nothing was removed: {str(error).strip().splitlines()[-1]}")
    removed = f"removed {purged.payments} payments and {purged.ledger_rows} ledger rows"
    print(f"{removed}; {purged.payments_left} payments left")
    return 0


def _fail(why: str) -> int:
    print(f"payments: {why}", file=sys.stderr, flush=True)
    return 1


sys.exit(main(sys.argv[1:]))
