"""What happened around the failures: each lost request is laid beside the timeline and the load balancer's log.

General patterns, none made for one defect: a pod or a node that was leaving; an address kept by the load balancer after
its pod was gone; a pod that got traffic before it was ready; no target left; a pod that fails by itself; and, where
nothing fits, whatever happened last before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from shiftproof.judge.lives import Lives, PodLife, read_lives
from shiftproof.judge.pairing import Pairs
from shiftproof.judge.words import clock, count, length
from shiftproof.model.event import Failure
from shiftproof.model.history import History, LbRecord

#: A watcher hears of a change a little after it happened.
WATCH_LAG_NS = 250_000_000
#: How far back "what happened last before" looks.
NEARBY_NS = 2_000_000_000
#: A pod is new for this long after it became ready.
NEW_NS = 2_000_000_000

_VERBS = {
    "connect-refused": "refused",
    "connect-timeout": "left without an answer",
    "target-timeout": "left without an answer",
    "reset-by-target": "reset",
    "client-abort": "left without an answer",
}
_FAILURE_VERBS = {
    Failure.REFUSED: "refused",
    Failure.RESET: "reset",
    Failure.TIMEOUT: "left without an answer",
    Failure.BODY: "answered wrongly",
}
_KEEP_SERVING = "keep serving after SIGTERM until the load balancer has let go (preStop sleep >= 5 s)"
_FINISH = (
    "let requests under way end before the process does (graceful shutdown, a longer terminationGracePeriodSeconds)"
)
_PROBE = "make the readiness probe true only once the pod can serve, and gate pods on the target's health"
_LET_GO = "keep a pod serving for longer than the load balancer takes to let it go (preStop sleep, readiness gate)"
_EMPTY = "keep enough targets: maxUnavailable 0, a readiness gate for the target's health, and a PodDisruptionBudget"
_NODE = (
    "drain with a PodDisruptionBudget, and keep pods serving until the load balancer has let them go (preStop sleep)"
)
_OWN = "read that pod's own log at that time"


@dataclass(frozen=True, slots=True)
class Culprit:
    """What some of the failures have in common.

    pattern: "pod-leaving", "node-leaving", "late-to-let-go", "not-ready-yet", "hurt", "no-target", "pod-failing",
    "target-failing", "nearby" or "unknown". leaving: the request was put on the pod or node that was then leaving.
    t_ns: when the first of them failed. sentence: what happened, ready to print. hint: what to try.
    """

    pattern: str
    subject: str
    leaving: bool
    t_ns: int
    requests: int
    sentence: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class _Loss:
    """One failed request with what is known of it. at_ns: when it failed; for time-outs, when it was sent."""

    row: int
    at_ns: int
    sent_ns: int
    verb: str
    cause: str
    ip: str
    server: str


def find_culprits(history: History, pairs: Pairs, rows: Iterable[int]) -> tuple[Culprit, ...]:
    """Explain the failures of the treatment in `rows`; those on something that was leaving first, then by number."""
    lives = read_lives(history.timeline)
    records = {(record.pair, int(record.side)): record for record in history.lb_records}
    named = []
    for row in rows:
        loss = _loss(history, pairs, records, int(row))
        pattern, subject = _pattern(lives, loss, logged=bool(records))
        named.append((pattern, subject, loss.verb, loss))
    named.sort(key=lambda one: (one[0], one[1], one[2], one[3].at_ns))
    culprits = [
        _culprit(history, lives, pattern, subject, [one[3] for one in same])
        for (pattern, subject, _), same in groupby(named, key=lambda one: one[:3])
    ]
    return tuple(sorted(culprits, key=lambda culprit: (not culprit.leaving, -culprit.requests, culprit.t_ns)))


def main_culprit(culprits: Sequence[Culprit]) -> Culprit | None:
    """The first, with a word on how many others did the same; None when there is none."""
    if not culprits:
        return None
    first = culprits[0]
    more = {other.subject for other in culprits[1:] if other.pattern == first.pattern} - {first.subject}
    if not more:
        return first
    sort = first.subject.partition("/")[0]
    requests = sum(other.requests for other in culprits if other.pattern == first.pattern)
    extra = f" The same at {count(len(more), f'other {sort}')}: {count(requests, 'request')} in all."
    return replace(first, sentence=first.sentence + extra)


def _loss(history: History, pairs: Pairs, records: dict[tuple[int, int], LbRecord], row: int) -> _Loss:
    side, columns = pairs.treatment(row)
    record = records.get((int(pairs.pair[row]), int(side)))
    failure = Failure(int(columns.failure[row])) if int(columns.failure[row]) in list(Failure) else Failure.OTHER
    sent, ended = int(columns.sent_ns[row]), int(columns.ended_ns[row])
    status = record.status if record is not None and record.status else int(columns.status[row])
    cause = record.cause if record is not None else ""
    verb = _VERBS.get(cause) or _FAILURE_VERBS.get(failure) or (f"answered {status}" if status else "lost")
    if cause == "no-target":
        verb = f"answered {status} for want of a target" if status else "lost for want of a target"
    served = int(columns.served_by[row])
    server = history.servers[served] if 0 < served < len(history.servers) else ""
    target = record.target if record is not None else ""
    waited = failure is Failure.TIMEOUT or cause in ("connect-timeout", "target-timeout")
    at_ns = sent if waited else (record.t_ns if record is not None else ended or sent)
    if failure is Failure.NOT_SENT:
        verb, at_ns = "not sent, too many were under way", sent
    return _Loss(row, at_ns, sent, verb, cause, target.rpartition(":")[0] or target, server)


def _pod_of(lives: Lives, loss: _Loss) -> PodLife | None:
    if loss.ip:
        return lives.pod_at(loss.ip, loss.at_ns)
    server = loss.server.removeprefix("pod/")
    return lives.pods.get(server) or lives.pod_at(server.rpartition(":")[0] or server, loss.at_ns)


def _pattern(lives: Lives, loss: _Loss, *, logged: bool) -> tuple[str, str]:
    """(pattern, subject) of one loss."""
    if loss.cause == "no-target":
        return "no-target", "group/cluster"
    pod = _pod_of(lives, loss)
    if pod is not None:
        return _pod_pattern(lives, pod, loss)
    if loss.ip or loss.server:
        return "target-failing", f"target/{loss.ip or loss.server}"
    if not logged:  # no log of the load balancer: the timeline alone must do
        for one in lives.pods.values():
            if _leaving(one, loss.at_ns) and not loss.verb.startswith("not sent"):
                return "pod-leaving", f"pod/{one.name}"
    return "nearby", ""


def _pod_pattern(lives: Lives, pod: PodLife, loss: _Loss) -> tuple[str, str]:
    subject = f"pod/{pod.name}"
    node = lives.nodes.get(pod.node)
    if pod.gone_ns is not None and loss.at_ns >= pod.gone_ns and loss.sent_ns >= pod.gone_ns - WATCH_LAG_NS:
        return "late-to-let-go", subject
    if pod.terminating_ns is not None and loss.at_ns >= pod.terminating_ns - WATCH_LAG_NS:
        return "pod-leaving", subject
    if node is not None and node.leaving_at(loss.at_ns + WATCH_LAG_NS) is not None:
        return "node-leaving", f"node/{node.name}"
    if pod.hurt_at(loss.at_ns + WATCH_LAG_NS) is not None:
        return "hurt", subject
    if pod.ready_ns is None or loss.at_ns < pod.ready_ns + NEW_NS:
        return "not-ready-yet", subject
    return "pod-failing", subject


def _leaving(pod: PodLife, t_ns: int) -> bool:
    """Whether it was being deleted at t_ns and could still be sent requests."""
    if pod.terminating_ns is None:
        return False
    ended = pod.left_ns() or pod.gone_ns or pod.terminating_ns + 30_000_000_000
    return pod.terminating_ns - WATCH_LAG_NS <= t_ns <= ended + WATCH_LAG_NS


def _culprit(history: History, lives: Lives, pattern: str, subject: str, losses: list[_Loss]) -> Culprit:
    first, last = losses[0].at_ns, losses[-1].at_ns
    when = f"at {clock(first)}" if last - first < 100_000_000 else f"from {clock(first)} to {clock(last)}"
    what = f"{count(len(losses), 'request')} {losses[0].verb}"
    name = subject.partition("/")[2]
    leaving = pattern in ("pod-leaving", "node-leaving", "late-to-let-go")
    if pattern == "nearby":
        rest, hint = _nearby(history, first)
        return Culprit("nearby" if rest else "unknown", "", False, first, len(losses), f"{what} {when}{rest}.", hint)
    if pattern == "no-target":
        rest, hint = _no_target(lives, first), _EMPTY
        return Culprit(pattern, subject, False, first, len(losses), f"{what} {when}{rest}.", hint)
    if pattern == "target-failing":
        sentence = f"{what} by {name} {when}, which is no pod of the cluster side."
        return Culprit(pattern, subject, False, first, len(losses), sentence, "look at that host's own log")
    if pattern == "node-leaving":
        rest = _node_rest(lives, name, first)
        return Culprit(pattern, subject, leaving, first, len(losses), f"{what} on {name} {when}, {rest}.", _NODE)
    rest, hint = _pod_rest(lives.pods[name], pattern, losses)
    return Culprit(pattern, subject, leaving, first, len(losses), f"{what} by pod {name} {when}, {rest}.", hint)


def _node_rest(lives: Lives, name: str, at_ns: int) -> str:
    leaving = lives.nodes[name].leaving_at(at_ns + WATCH_LAG_NS)
    if leaving is None:
        return "while it was leaving"
    return f"{_gap(leaving[0], at_ns, 'after', 'before')} the node {leaving[1]}: its pods were not moved away first"


def _pod_rest(pod: PodLife, pattern: str, losses: list[_Loss]) -> tuple[str, str]:
    at_ns = losses[0].at_ns
    if pattern == "late-to-let-go":
        since = _gap(pod.gone_ns or at_ns, at_ns, "after", "before")
        return f"{since} the pod was gone: the load balancer had not let it go yet", _LET_GO
    if pattern == "not-ready-yet":
        if pod.ready_ns is None:
            return "which had not become ready: it got traffic before it could serve", _PROBE
        since = _gap(pod.ready_ns, at_ns, "after", "before")
        return f"{since} it became ready: it got traffic before it could serve", _PROBE
    if pattern == "hurt":
        since = _gap(pod.hurt_at(at_ns + WATCH_LAG_NS) or at_ns, at_ns, "after", "before")
        return f"{since} our fault hit it: the load balancer still sent to it", _LET_GO
    if pattern == "pod-failing":
        return "which was neither new nor leaving: the pod itself failed", _OWN
    return _leaving_rest(pod, at_ns, losses[0].verb)


def _leaving_rest(pod: PodLife, at_ns: int, verb: str) -> tuple[str, str]:
    began = pod.terminating_ns if pod.terminating_ns is not None else at_ns
    since = _gap(began, at_ns, "after", "before")
    left = pod.left_ns()
    if left is not None and at_ns > left:
        text = f"{since} its SIGTERM and {length((at_ns - left) / 1e6)} after it left the load balancer"
        return f"{text}: requests under way were cut", _FINISH
    until = f"{length((left - at_ns) / 1e6)} before it left" if left is not None else "while it was never seen to leave"
    text = f"{since} its SIGTERM and {until} the load balancer"
    if verb.startswith("answered"):
        return f"{text}: it stops serving before traffic stops", _KEEP_SERVING
    return f"{text}: it stops listening before traffic stops (no preStop, no drain)", _KEEP_SERVING


def _gap(from_ns: int, to_ns: int, later: str, earlier: str) -> str:
    """The distance as in "40 ms after"."""
    ms = (to_ns - from_ns) / 1e6
    return f"{length(abs(ms))} {later if ms >= 0 else earlier}"


def _no_target(lives: Lives, at_ns: int) -> str:
    left = [(pod.left_ns() or 0, pod.name) for pod in lives.pods.values() if (pod.left_ns() or at_ns + 1) <= at_ns]
    next_ = [pod.healthy_ns for pod in lives.pods.values() if pod.healthy_ns is not None and pod.healthy_ns > at_ns]
    text = ": no target of the cluster side could take them"
    if left:
        last = max(left)
        text += f"; the last to leave was pod {last[1]}, {length((at_ns - last[0]) / 1e6)} before"
    if next_:
        text += f"; the next was healthy {length((min(next_) - at_ns) / 1e6)} later"
    return text


def _nearby(history: History, at_ns: int) -> tuple[str, str | None]:
    """The last thing that happened before, less our own marks."""
    seen = [
        happening
        for happening in history.timeline
        if at_ns - NEARBY_NS <= happening.t_ns <= at_ns + WATCH_LAG_NS
        and not happening.kind.startswith(("phase.", "watch."))
    ]
    if not seen:
        return "", None
    last = max(seen, key=lambda happening: happening.t_ns)
    since = _gap(last.t_ns, at_ns, "after", "before")
    return f", {since} {last.kind} of {last.subject}; the load balancer's log does not say where they went", None
