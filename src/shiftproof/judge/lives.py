"""The timeline read as lives: when each pod, node and load-balancer target came, was told to go, and was gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shiftproof.model.history import Happening, Phase

_FOREVER = 1 << 62
_HURT_NS = 10_000_000_000


@dataclass(slots=True)
class PodLife:
    """One pod, by name. Times are run-clock ns, None where nobody saw it.

    addresses: (since when, IP), by time; more than one when its sandbox was made anew, e.g. after its node came back.
    stopped_ns: of the last container that ended, since the ones before were started again.
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
    pods: Mapping[str, PodLife]
    nodes: Mapping[str, NodeLife]
    by_ip: Mapping[str, tuple[PodLife, ...]]

    def pod_at(self, ip: str, t_ns: int) -> PodLife | None:
        """Whose address it was at t_ns: the pod that was there then, else within 5 s, else the last to have it."""
        pods = self.by_ip.get(ip, ())
        for slack_ns in (0, 5_000_000_000):
            there = [pod for pod in pods if pod.present(ip, t_ns, slack_ns)]
            if there:
                return there[-1]
        return pods[-1] if pods else None


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
    name = _POD_FIELDS.get(happening.kind)
    if name == "stopped_ns":
        pod.stopped_ns = happening.t_ns
    elif name is not None:
        setattr(pod, name, _first(getattr(pod, name), happening.t_ns))


def _node(node: NodeLife, happening: Happening) -> None:
    if happening.kind in _NODE_LEAVING:
        node.leaving_ns.append((happening.t_ns, _NODE_LEAVING[happening.kind]))
    elif happening.kind in _NODE_BACK:
        node.back_ns.append(happening.t_ns)


def _target(lives: Lives, happening: Happening) -> None:
    pod = lives.pod_at(happening.subject.removeprefix("target/").rpartition(":")[0], happening.t_ns)
    if pod is None:
        return
    if happening.kind == "target.healthy":
        pod.healthy_ns = _first(pod.healthy_ns, happening.t_ns)
    elif happening.kind in _TARGET_LEFT and pod.terminating_ns is not None and happening.t_ns >= pod.terminating_ns:
        pod.left_balancer_ns = _first(pod.left_balancer_ns, happening.t_ns)


def fault_begins(timeline: Iterable[Happening], phase: Phase) -> int:
    """When the phase's fault took effect: its first `fault.begin`, else the beginning of its action."""
    begins = [h.t_ns for h in timeline if h.kind == "fault.begin" and phase.start_ns <= h.t_ns < phase.end_ns]
    return min(begins, default=phase.action_start_ns)
