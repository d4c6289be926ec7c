"""The load of pairs, held by Locust in a child process; and its events, from binary records to Parquet.

Locust itself is never imported here (see shiftproof.load).
"""

from shiftproof.adapters.locust.child import LocustLoad, RunningLocust
from shiftproof.adapters.locust.events import EventTable, read_events, read_parquet, read_servers, write_parquet
from shiftproof.adapters.locust.plan import customers_plan_for, plan_for

__all__ = [
    "EventTable",
    "LocustLoad",
    "RunningLocust",
    "customers_plan_for",
    "plan_for",
    "read_events",
    "read_parquet",
    "read_servers",
    "write_parquet",
]
