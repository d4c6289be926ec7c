"""The load itself. Runs in a child process of its own (`python -m shiftproof.load`); nobody imports it.

    __main__    the child: arguments, Locust's environment, orders from stdin, the report at the end
    schedule    what leaves when: a pure function of plan and seed, whatever the server does
    template    an operation of platform.yaml, made into bytes to send
    exchange    one request on one kept connection, never sent twice, with a time-out for all of it
    lane        one side: its connections, its cap on requests in flight, its accounts and what it remembers
    openloop    the Locust user that sends each slot to its lanes on time
    priority    being on time on a machine that is shared
    recorder    one fixed binary record a request
    probes      conversations beside the pairs: parity (compare, formats) and duplicate, told by probelog

It is apart because Locust patches the standard library on import, which breaks TLS in whatever imported boto3 or httpx
before, and because the load's own timing must not wait for the gate's work.
"""
