"""The sentence and the hint for each pattern of judge.culprit: what happened around it, in figures."""

from __future__ import annotations

from dataclasses import dataclass

from shiftproof.judge.around import Around, all_unready, around, joining_late
from shiftproof.judge.lives import Lives, PodLife
from shiftproof.judge.losses import Loss
from shiftproof.judge.slow import LIMIT, stopped_by_limit
from shiftproof.judge.words import clock, count, length
from shiftproof.model.history import History

#: How far back "what happened last before" looks.
NEARBY_NS = 2_000_000_000
_LAG_NS = 250_000_000
#: What fails this soon in a run had no load before, whatever it is.
_FIRST_NS = 3_000_000_000
#: Our own weights, this long before a failure, are worth naming.
_WEIGHTS_NS = 15_000_000_000

_KEEP_SERVING = "keep serving after SIGTERM until the load balancer has let go (preStop sleep >= 5 s)"
_DRAIN = (
    "drain after preStop too: go on serving, and answer with Connection: close, for longer than the load balancer takes"
    " to let go"
)
_FINISH = (
    "let requests under way end before the process does (graceful shutdown, a longer terminationGracePeriodSeconds)"
)
_PROBE = "make the readiness probe true only once the pod can serve, and gate pods on the target's health"
_LET_GO = "keep a pod serving for longer than the load balancer takes to let it go (preStop sleep, readiness gate)"
_JOIN = (
    "let a rollout wait for the load balancer: the target group's readiness gate (AWS Load Balancer Controller), or"
    " minReadySeconds longer than it takes to join"
)
_EMPTY = "keep enough targets: maxUnavailable 0, a readiness gate for the target's health, and a PodDisruptionBudget"
_NODE = (
    "drain with a PodDisruptionBudget, and keep pods serving until the load balancer has let them go (preStop sleep)"
)
_OWN = "read that pod's own log at that time"
_ALIKE = (
    "all pods fail alike and legacy does not: compare what the cluster side is given with what legacy has (environment,"
    " addresses, limits), and read one pod's log"
)
_SHARED = (
    "readiness must not depend on what all pods share (database, cache, partner): one hiccup there takes every pod out"
    " at once"
)
_CAPACITY = "keep what carries the load: maxUnavailable 0 with a surge, more replicas, or larger pods"
_CRASH = "read the log of the container that ended: kubectl logs --previous"
_IDLE = (
    "something between drops idle connections without a word: keep them alive more often than it forgets (TCP"
    " keepalive), or close or check those that were idle"
)
_OLD_SIDE = "keep the old side whole until the weights are live and nobody needs the way back"


@dataclass(frozen=True, slots=True)
class Scene:
    """The run, and its timeline read as lives."""

    history: History
    lives: Lives


@dataclass(frozen=True, slots=True)
class Said:
    """pattern: as given, or "unknown" when nothing happened nearby."""

    pattern: str
    sentence: str
    hint: str | None


def in_words(scene: Scene, pattern: str, subject: str, losses: list[Loss], quiet: tuple[int, int] | None) -> Said:
    """losses: of one pattern, subject and verb, by time. quiet: the spell that `idle-dropped` is about."""
    first, last = losses[0].at_ns, losses[-1].at_ns
    when = f"at {clock(first)}" if last - first < 100_000_000 else f"from {clock(first)} to {clock(last)}"
    what = f"{count(len(losses), 'request')} {losses[0].verb}"
    sort, _, name = subject.partition("/")
    by = {"node": f" on {name}", "legacy": f" by host {name} of the legacy side", "target": f" by {name}"}.get(sort, "")
    if sort == "pod":
        by = f" by pod {name}"
        rest, hint = _after_quiet(quiet) if pattern == "idle-dropped" else _pod_rest(scene, pattern, name, losses)
    elif losses[0].verb.startswith("not sent") and (stopped := stopped_by_limit(scene.history)) is not None:
        rest, hint = f": {stopped}", LIMIT
    else:
        rest, hint = _side_rest(scene, pattern, name, first, quiet)
    if pattern == "nearby" and not rest:
        pattern = "unknown"
    return Said(pattern, f"{what}{by} {when}{rest}.", hint)


Rest = tuple[str, str | None]
"""How the sentence goes on after its time, and what to try."""


def _side_rest(scene: Scene, pattern: str, name: str, at_ns: int, quiet: tuple[int, int] | None) -> Rest:
    """Patterns that are not about one pod."""
    match pattern:
        case "no-target":
            return _no_target(scene.lives, at_ns)
        case "idle-dropped":
            return _after_quiet(quiet)
        case "legacy-failing":
            return _legacy(scene, name, at_ns), _OLD_SIDE
        case "target-failing":
            return ", which is no pod of the cluster side", "look at that host's own log"
        case "node-leaving":
            return _node_rest(scene.lives, name, at_ns), _NODE
    return _nearby(scene.history, at_ns), None


def _pod_rest(scene: Scene, pattern: str, name: str, losses: list[Loss]) -> Rest:
    """Patterns that are about one pod."""
    pod, loss = scene.lives.pods[name], losses[0]
    seen = around(scene.lives, loss.at_ns)
    if pattern in ("late-to-let-go", "pod-leaving"):
        rest, hint = _gone_rest(pod, loss) if pattern == "late-to-let-go" else _leaving_rest(pod, loss)
        return _with_late(rest, hint, seen, loss.at_ns)
    stopped = stopped_by_limit(scene.history, name) if pattern in ("pod-failing", "short-handed") else None
    if stopped is not None:
        return f": {stopped}", LIMIT
    return _staying_rest(pod, pattern, loss, seen, scene.history.started_ns)


def _staying_rest(pod: PodLife, pattern: str, loss: Loss, seen: Around, started_ns: int) -> Rest:
    at_ns = loss.at_ns
    rest: Rest = (": it was neither new nor leaving, the pod itself failed", _OWN if seen.usual < 2 else _ALIKE)
    if loss.sent_ns - started_ns < _FIRST_NS:
        rest = f"{rest[0]}, from the run's first requests on", f"{rest[1]}; connections that it kept idle may be broken"
    match pattern:
        case "not-ready-yet":
            when = f"{_gap(pod.ready_ns, at_ns)} it became ready" if pod.ready_ns else "which had not become ready"
            rest = f", {when}: it got traffic before it could serve", _PROBE
        case "hurt":
            hurt_ns = pod.hurt_at(at_ns + _LAG_NS) or at_ns
            rest = f", {_gap(hurt_ns, at_ns)} our fault hit it: the load balancer still sent to it", _LET_GO
        case "crashed":
            ended_ns, why = pod.crashed_at(at_ns + _LAG_NS) or (at_ns, "")
            rest = f", {_gap(ended_ns, at_ns)} its container ended by itself ({why})", _CRASH
        case "unready" if seen.all_unready:
            rest = f": {all_unready(seen)}", _SHARED
        case "unready":
            rest = ", which had ceased to be ready, and nobody told it to go", _OWN
        case "short-handed":
            left = f"{len(seen.serving)} of {count(seen.usual, 'pod')}"
            rest = f", while {left} served: what was left could not carry the load", _CAPACITY
    return rest


def _gone_rest(pod: PodLife, loss: Loss) -> tuple[str, str]:
    gone_ns = pod.gone_ns if pod.gone_ns is not None else loss.at_ns
    return f", {_gap(gone_ns, loss.at_ns)} the pod was gone: the load balancer had not let it go yet", _LET_GO


def _leaving_rest(pod: PodLife, loss: Loss) -> tuple[str, str]:
    at_ns = loss.at_ns
    began = pod.terminating_ns if pod.terminating_ns is not None else at_ns
    told = "it was told to end (preStop first)" if pod.pre_stop else "its SIGTERM"
    since = f", {_gap(began, at_ns)} {told}"
    left = pod.left_ns()
    if left is not None and at_ns > left and loss.under_way:
        text = f"{since} and {length((at_ns - left) / 1e6)} after it left the load balancer"
        return f"{text}: requests under way were cut", _FINISH
    if left is not None and at_ns > left:
        text = f"{since} and {length((at_ns - left) / 1e6)} after the load balancer began to let it go"
        return f"{text}: new requests were still sent to it, and it had stopped listening", _LET_GO
    until = f"{length((left - at_ns) / 1e6)} before it left" if left is not None else "while it was never seen to leave"
    text = f"{since} and {until} the load balancer"
    if loss.verb.startswith("answered"):
        return f"{text}: it stops serving before traffic stops", _KEEP_SERVING
    if pod.pre_stop:
        return f"{text}: it stops listening before traffic stops (preStop too short, or no drain after it)", _DRAIN
    return f"{text}: it stops listening before traffic stops (no preStop, no drain)", _KEEP_SERVING


def _with_late(text: str, hint: str, seen: Around, at_ns: int) -> tuple[str, str]:
    """Old pods are asked for longest where new ones are not asked yet."""
    if not seen.late:
        return text, hint
    return f"{text}; meanwhile {joining_late(seen, at_ns)}: it learns of pods late", _JOIN


def _node_rest(lives: Lives, name: str, at_ns: int) -> str:
    leaving = lives.nodes[name].leaving_at(at_ns + _LAG_NS)
    if leaving is None:
        return ", while it was leaving"
    return f", {_gap(leaving[0], at_ns)} the node {leaving[1]}: its pods were not moved away first"


def _no_target(lives: Lives, at_ns: int) -> Rest:
    seen = around(lives, at_ns)
    text = ": no target of the cluster side could take them"
    if seen.all_unready:
        return f"{text}; {all_unready(seen)}: their readiness hangs on something that they share", _SHARED
    if seen.late:
        return f"{text}; {joining_late(seen, at_ns)}: it learns of pods late", _JOIN
    left = [(pod.left_ns() or 0, pod.name) for pod in lives.pods.values() if (pod.left_ns() or at_ns + 1) <= at_ns]
    next_ = [pod.healthy_ns for pod in lives.pods.values() if pod.healthy_ns is not None and pod.healthy_ns > at_ns]
    if left:
        last = max(left)
        text += f"; the last to leave was pod {last[1]}, {length((at_ns - last[0]) / 1e6)} before"
    if next_:
        text += f"; the next was healthy {length((min(next_) - at_ns) / 1e6)} later"
    return text, _EMPTY


def _after_quiet(quiet: tuple[int, int] | None) -> Rest:
    spell = f", {length(quiet[1] / 1e6)} after a quiet spell of {length(quiet[0] / 1e6)}" if quiet else ""
    return f"{spell}: connections that had been idle were broken", _IDLE


def _legacy(scene: Scene, ip: str, at_ns: int) -> str:
    """What the load balancer made of that host, and the weights that may not have been live yet."""
    text = ""
    sick = [when for when, good in scene.lives.hosts.get(ip, []) if not good]
    near = min(sick, key=lambda when: abs(when - at_ns), default=None)
    if near is not None and abs(near - at_ns) <= _WEIGHTS_NS:
        text += f", {_gap(near, at_ns)} the load balancer found it unfit"
    set_ = [
        h
        for h in scene.history.timeline
        if h.kind == "weights.set" and at_ns - _WEIGHTS_NS <= h.t_ns <= at_ns and not h.data.get("baseline")
    ]
    if set_:
        text += f", {_gap(set_[-1].t_ns, at_ns)} the weights were set to {set_[-1].detail}"
    return f"{text}: it could not serve what was still sent to it"


def _nearby(history: History, at_ns: int) -> str:
    """The last thing that happened before, less our own marks."""
    seen = [
        happening
        for happening in history.timeline
        if at_ns - NEARBY_NS <= happening.t_ns <= at_ns + _LAG_NS
        and not happening.kind.startswith(("phase.", "watch."))
    ]
    if not seen:
        return ""
    last = max(seen, key=lambda happening: happening.t_ns)
    what = f"{_gap(last.t_ns, at_ns)} {last.kind} of {last.subject}"
    return f", {what}; the load balancer's log does not say where they went"


def _gap(from_ns: int, to_ns: int) -> str:
    """The distance as in "40 ms after"."""
    ms = (to_ns - from_ns) / 1e6
    return f"{length(abs(ms))} {'after' if ms >= 0 else 'before'}"
