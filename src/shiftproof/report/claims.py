"""What reports say of each claim, and which of them tells most: a new claim is entered here, in both places."""

from __future__ import annotations

#: Which claim tells most when several say the same verdict: the cause before its symptoms.
_ORDER = (
    "preflight",
    "customers",
    "duplicates",
    "parity",
    "deploy",
    "availability",
    "outage",
    "rollback",
    "recovery",
    "latency",
    "pre-provisioning",
    "time-to-capacity",
    "stability",
    "experiment",
    "spot",
    "shortfall",
    "headroom",
    "return-to-base",
    "cost",
    "sufficiency",
    "suite",
)
#: What was not measured explains what could not be said of the rest.
_UNPROVEN_ORDER = ("preflight", "load-delivered", "sufficiency", *_ORDER[1:-2], "suite")

#: claim -> (what it means, how it is judged); one plain sentence each.
CLAIMS: dict[str, tuple[str, str]] = {
    "preflight": (
        "Before anything is changed, both sides, the weights, the capacity and the way back are in order.",
        "Each check reads the real state; a fault of the service is FAIL, a fault of our own set-up ends the run.",
    ),
    "suite": (
        "Every drill that this gate needs was run to its end.",
        "A drill that was skipped, left out or broke proved nothing; only the whole suite can pass.",
    ),
    "customers": (
        "The gate did no harm: customers' own traffic went on as before.",
        "A separate observer of the customers' rule counts every request and failure while the gate runs.",
    ),
    "availability": (
        "Customers would not get more errors from the cluster than they get from legacy.",
        (
            "Each request to the cluster has a twin on legacy at the same time; only failures that the twin did not "
            "share count, by a sequential test that stays valid however often it is looked at."
        ),
    ),
    "outage": (
        "Planned work costs no request, and a crash costs no more than its experiment allows.",
        (
            "Attributed failures less than 1 s apart are one outage; a graceful action runs three times and may lose "
            "nothing, a crash is held against its budget in milliseconds and requests."
        ),
    ),
    "parity": (
        "The cluster answers what legacy answers, field by field.",
        (
            "Short conversations do the same on legacy, on the cluster and on legacy again, and each side reads what "
            "the other wrote; a field counts where it differs more often than legacy differs from itself, and an "
            "amount, currency, status or account where it does so twice without any noise."
        ),
    ),
    "duplicates": (
        "A request that is sent twice with one idempotency key takes effect once, whichever sides the two go to.",
        (
            "Keys are sent twice: across the sides, at once, and by the weights while they move, each beside a control "
            "that goes to legacy twice; ids, both answers and the account afterwards must agree."
        ),
    ),
    "latency": (
        "The cluster does not answer late more often than legacy does.",
        (
            "Each second gives one bounded value (how many more of the cluster's requests than of their twins missed "
            "the threshold), tested by an e-process against the allowed margin."
        ),
    ),
    "deploy": (
        "A new version can be rolled out while traffic flows.",
        "Real rolling updates under load: each must end by its deadline with all replicas ready.",
    ),
    "rollback": (
        "If the shift goes wrong, traffic is back on legacy fast and nothing is lost on the way.",
        "The weights go back and the time is taken until traffic, not only the API, is seen on legacy again.",
    ),
    "recovery": (
        "After a fault the objective is met again within its budget.",
        "Timed from the fault to the first moment from which requests succeed again for good.",
    ),
    "load-delivered": (
        "The event was sent as it was planned, and watched throughout.",
        (
            "Each second's requests are held against what was due in it, and the control's beside them; what is "
            "missing, late or unwatched is INCONCLUSIVE and never laid to the service."
        ),
    ),
    "pre-provisioning": (
        "The event meets the service as an ordinary day leaves it.",
        "Pods and nodes at the event's start are held against what its base load needs, and the spare that is allowed.",
    ),
    "time-to-capacity": (
        "Each time the load asks for more pods, they are ready in time.",
        (
            "Timed from the moment at which the load asks for so many pods until so many are ready; the stages follow "
            "the pod that completed them."
        ),
    ),
    "shortfall": (
        "Hardly a request fails or comes late for want of capacity.",
        (
            "Requests that failed or were over the threshold, less what the control shows in the same seconds, with "
            "exact bounds: PASS only when the upper one is within the limit."
        ),
    ),
    "stability": (
        "Supply follows the load, and does not swing by itself.",
        "How often the wanted pods change direction beside how often the load does, and the most that were wanted.",
    ),
    "return-to-base": (
        "Once the event is over, pods and nodes are soon what they were before.",
        "Timed from the event's end until both are back at their base and stay there.",
    ),
    "cost": (
        "Supply costs little more than somebody would have paid who knew the load beforehand.",
        (
            "Pods by the second against the cheapest supply that is never short of the same demand; beside it what was "
            "missing, since too little is always cheap."
        ),
    ),
    "headroom": (
        "The service carries its declared peak before it breaks.",
        "On a ramp, the rate from which on seconds turn bad for good (a CUSUM's change point), with its error.",
    ),
    "experiment": (
        "A fault in the middle of the event costs no more than its file allows.",
        (
            "Graceful work: no request of the event fails because of it. A crash: how many fail, for how long and how "
            "soon all is well again, against its budget. An autoscaler that sees no metric keeps its pods."
        ),
    ),
    "spot": (
        "Nothing critical runs on machines that may be taken away, and no job is lost or done twice.",
        "Where each pod ran, what became of each worker's jobs, and the time until pods were replaced.",
    ),
    "sufficiency": (
        "There was enough evidence, and it is sound.",
        (
            "Load delivered on schedule, records complete, each fault seen to take effect and to end, enough pairs for "
            "the stated bound; anything missing is INCONCLUSIVE, never PASS."
        ),
    ),
}


def explained(claim: str) -> tuple[str, str]:
    """What a claim means and how it is judged; a team's own claim explains itself by its reasons."""
    return CLAIMS.get(claim, ("A claim of this team's own suite.", "By the test that makes it; the reason says how."))


def telling(claim: str, *, unproven: bool) -> int:
    """Place of a claim among several that say the same, 0 first; unproven: they say INCONCLUSIVE. Others come last."""
    order = _UNPROVEN_ORDER if unproven else _ORDER
    return order.index(claim) if claim in order else len(order)
