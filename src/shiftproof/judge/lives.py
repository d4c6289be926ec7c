"""The timeline read as lives: when each pod, node and load-balancer target came, was told to go, and was gone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shiftproof.model.history import Happening, Phase

_FOREVER = 1 << 62
_HURT_NS = 10_000_000_000


@dataclass(slots=True)
class PodLife:
    """One pod, by name. Times are run-clock ns, None where nobody saw it.

    addresses: (since when, IP), by time; more than one when its sandbox was made anew, e.g. after its node came back.
    stopped_ns: of the last container that ended, since the ones before were started again. ready, in_balancer: what
    changed and when, for good and bad. crashes: containers that ended though nobody told the pod to go, with why.
    ready_ns: of a pod that was ready before we looked, when we began to look; `old` says so. pre_stop: it has a preStop
    hook, so that its SIGTERM comes later than it is told to end (None: not known).
    """

    name: str
    addresses: list[tuple[int, str]] = field(default_factory=list)
    node: str = ""
    ready_ns: int | None = None
    terminating_ns: int | None = None
    stopped_ns: int | None = None
    gone_ns: int | None = None
    endpoint_removed_ns: int | None = None
    healthy_ns: int | None = None
    left_balancer_ns: int | None = None
    hurt_ns: list[int] = field(default_factory=list)
    ready: list[tuple[int, bool]] = field(default_factory=list)
    in_balancer: list[tuple[int, bool]] = field(default_factory=list)
    crashes: list[tuple[int, str]] = field(default_factory=list)
    old: bool = False
    pre_stop: bool | None = None

    def ready_at(self, t_ns: int) -> bool:
        """Whether Kubernetes called it ready then (a pod that is told to go ceases to be)."""
        return _state_at(self.ready, t_ns)

    def balanced_at(self, t_ns: int) -> bool:
        """Whether the load balancer called it healthy then."""
        return _state_at(self.in_balancer, t_ns)

    def ready_since(self, t_ns: int) -> int | None:
        """Since when it was ready at t_ns without a break; None when it was not."""
        return _since(self.ready, t_ns)

    def crashed_at(self, t_ns: int) -> tuple[int, str] | None:
        """Its last crash before t_ns, if that is recent enough to matter."""
        return max((one for one in self.crashes if t_ns - _HURT_NS <= one[0] <= t_ns), default=None)

    def hurt_at(self, t_ns: int) -> int | None:
        """When our last fault before t_ns hit it, if that is recent enough to matter; it may run again since."""
        return max((hurt for hurt in self.hurt_ns if t_ns - _HURT_NS <= hurt <= t_ns), default=None)

    def left_ns(self) -> int | None:
        """When no new request could reach it any more: by the load balancer, or else by its endpoint."""
        return self.left_balancer_ns if self.left_balancer_ns is not None else self.endpoint_removed_ns

    def present(self, ip: str, t_ns: int, slack_ns: int) -> bool:
        """Whether `ip` was its own at t_ns (an address may be used again by a later pod)."""
        began = min((t for t in (self.ready_ns, self.healthy_ns) if t is not None), default=0)
        gone = self.gone_ns if self.gone_ns is not None else _FOREVER
        for number, (since_ns, own) in enumerate(self.addresses):
            later = self.addresses[number + 1 :]
            since = since_ns if number else began
            until = min(later[0][0], gone) if later else gone
            if own == ip and since - slack_ns <= t_ns <= until + slack_ns:
                return True
        return False


@dataclass(slots=True)
class NodeLife:
    """One node: when it began to leave (cordoned, hurt by us, or not ready), and when it came back or went."""

    name: str
    leaving_ns: list[tuple[int, str]] = field(default_factory=list)
    back_ns: list[int] = field(default_factory=list)

    def leaving_at(self, t_ns: int) -> tuple[int, str] | None:
        """The latest beginning of a departure that was under way at t_ns, and what it was; None when at home."""
        begun = [one for one in self.leaving_ns if one[0] <= t_ns]
        if not begun:
            return None
        last = begun[-1]
        return None if any(last[0] < back <= t_ns for back in self.back_ns) else last


@dataclass(frozen=True, slots=True)
class Lives:
    """hosts: of the legacy side, by IP: when the load balancer called each healthy and when not."""

    pods: Mapping[str, PodLife]
    nodes: Mapping[str, NodeLife]
    by_ip: Mapping[str, tuple[PodLife, ...]]
    hosts: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)

    def pod_at(self, ip: str, t_ns: int) -> PodLife | None:
        """Whose address it was at t_ns: the pod that was there then, else within 5 s, else the last to have it."""
        pods = self.by_ip.get(ip, ())
        for slack_ns in (0, 5_000_000_000):
            there = [pod for pod in pods if pod.present(ip, t_ns, slack_ns)]
            if there:
                return there[-1]
        return pods[-1] if pods else None


def _since(changes: list[tuple[int, bool]], t_ns: int) -> int | None:
    """When the good state that holds at t_ns began; None when it is bad, or nobody ever said."""
    at = bisect_right(changes, t_ns, key=lambda change: change[0])
    began = None
    for when, good in changes[:at]:
        began = (when if began is None else began) if good else None
    return began


def _state_at(changes: list[tuple[int, bool]], t_ns: int) -> bool:
    return _since(changes, t_ns) is not None


def _first(now: int | None, t_ns: int) -> int:
    return t_ns if now is None else now


_POD_FIELDS = {
    "pod.ready": "ready_ns",
    "pod.terminating": "terminating_ns",
    "pod.stopped": "stopped_ns",
    "pod.gone": "gone_ns",
    "endpoint.removed": "endpoint_removed_ns",
}
_NODE_LEAVING = {
    "node.cordoned": "was cordoned",
    "node.not-ready": "was not ready",
    "node.gone": "was gone",
    "fault.begin": "was hit by our fault",
}
_NODE_BACK = ("node.uncordoned", "node.ready", "fault.end")
_TARGET_LEFT = ("target.draining", "target.unhealthy", "target.gone")


def read_lives(timeline: Iterable[Happening]) -> Lives:
    """Read the timeline once, in the order of time."""
    pods: dict[str, PodLife] = {}
    nodes: dict[str, NodeLife] = {}
    happenings = sorted(timeline, key=lambda happening: happening.t_ns)
    for happening in happenings:
        sort, _, name = happening.subject.partition("/")
        if sort == "pod":
            _pod(pods.setdefault(name, PodLife(name)), happening)
        elif sort == "node":
            _node(nodes.setdefault(name, NodeLife(name)), happening)
    by_ip: dict[str, list[PodLife]] = {}
    for pod in pods.values():
        for ip in dict.fromkeys(ip for _, ip in pod.addresses):
            by_ip.setdefault(ip, []).append(pod)
    lives = Lives(pods, nodes, {ip: tuple(same) for ip, same in by_ip.items()})
    for happening in happenings:
        if happening.subject.startswith("target/"):
            _target(lives, happening)
    return lives


def _pod(pod: PodLife, happening: Happening) -> None:
    ip = str(happening.data.get("ip") or "")
    # An endpoint may leave its slice after the pod has its next address: only the pod itself tells of a new one.
    if ip and (not pod.addresses or (pod.addresses[-1][1] != ip and happening.kind.startswith("pod."))):
        pod.addresses.append((happening.t_ns, ip))
    pod.node = pod.node or str(happening.data.get("node") or "")
    if happening.kind == "fault.begin":
        pod.hurt_ns.append(happening.t_ns)
    _readiness(pod, happening)
    name = _POD_FIELDS.get(happening.kind)
    if name == "stopped_ns":
        pod.stopped_ns = happening.t_ns
        if pod.terminating_ns is None and happening.data.get("exit_code") not in (None, 0):
            why = str(happening.data.get("reason") or "")
            code = f"exit code {happening.data['exit_code']}"
            pod.crashes.append((happening.t_ns, f"{code}, {why}" if why not in ("", "Error") else code))
    elif name is not None:
        setattr(pod, name, _first(getattr(pod, name), happening.t_ns))


def _readiness(pod: PodLife, happening: Happening) -> None:
    if happening.kind == "pod.present" and happening.data.get("ready"):
        pod.old, pod.ready_ns = True, _first(pod.ready_ns, happening.t_ns)
        pod.ready.append((happening.t_ns, True))
    elif happening.kind == "pod.ready":
        pod.ready.append((happening.t_ns, True))
    elif happening.kind in ("pod.not-ready", "pod.terminating", "pod.gone"):
        pod.ready.append((happening.t_ns, False))
    if happening.kind == "pod.terminating" and "pre_stop" in happening.data:
        pod.pre_stop = bool(happening.data["pre_stop"])


def _node(node: NodeLife, happening: Happening) -> None:
    if happening.kind in _NODE_LEAVING:
        node.leaving_ns.append((happening.t_ns, _NODE_LEAVING[happening.kind]))
    elif happening.kind in _NODE_BACK:
        node.back_ns.append(happening.t_ns)


def _target(lives: Lives, happening: Happening) -> None:
    ip = happening.subject.removeprefix("target/").rpartition(":")[0]
    pod = lives.pod_at(ip, happening.t_ns)
    good = happening.kind == "target.healthy"
    if pod is None:
        if happening.data.get("side") == "legacy" and (good or happening.kind in _TARGET_LEFT):
            lives.hosts.setdefault(ip, []).append((happening.t_ns, good))
        return
    if good or happening.kind in _TARGET_LEFT:
        pod.in_balancer.append((happening.t_ns, good))
    if happening.kind == "target.healthy":
        pod.healthy_ns = _first(pod.healthy_ns, happening.t_ns)
    elif happening.kind in _TARGET_LEFT and pod.terminating_ns is not None and happening.t_ns >= pod.terminating_ns:
        pod.left_balancer_ns = _first(pod.left_balancer_ns, happening.t_ns)


def fault_begins(timeline: Iterable[Happening], phase: Phase) -> int:
    """When the phase's fault took effect: its first `fault.begin`, else the beginning of its action."""
    begins = [h.t_ns for h in timeline if h.kind == "fault.begin" and phase.start_ns <= h.t_ns < phase.end_ns]
    return min(begins, default=phase.action_start_ns)
