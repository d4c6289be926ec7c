"""A load event sent by Locust's own master and workers, as processes here or as pods (infra/load).

    master      the child that the gate starts: finds the workers, sets their clocks, deals the event out, gathers
    worker      any number of them, anywhere: each sends its part of the rates and hands its records to the master
    part        one part: an open loop over its slots
    clocks      what a worker's clock is behind the master's, and how sure that is
    orders      what the master is told on standard input
    gathering   what it knows of its workers, and their records in one file
    messages    what the two say to each other, over Locust's own connection

All events are on the master's clock. What a lost worker was to send is sent by nobody: its part is missing, and named,
where Locust's own rebalancing would hide it.
"""
