"""router: the load balancer's lag, and how long clients stick to a side."""

from __future__ import annotations

from shiftproof.adapters import elbv2
from shiftproof.adapters.targets import load_service
from shiftproof.errors import FaultError, UserError
from shiftproof.gate.planting.site import Site
from shiftproof.gate.planting.verbs.verb import Verb
from shiftproof.lab.lb.lag import Lag
from shiftproof.model.defect import RouterChange, Step

RULE = "weighted"  # the rehearsal rule: customers' stickiness is never touched


class RouterVerb(Verb):
    """The lag goes through the lab's own call, stickiness through AWS's API; traffic follows as it does there."""

    def wrong(self, step: Step) -> str | None:
        return Lag(**_lag(_change(step))).problem()

    def check(self, step: Step, site: Site) -> None:
        change, held = _change(step), elbv2.read_lag(site.target)
        wanted_s = change.stickiness_s
        same = {**held, **_lag(change)} == held and (wanted_s is None or wanted_s == _router(site).stickiness_s(RULE))
        if same and "router" not in site.foreseen:
            raise UserError("the load balancer is so already, so no defect would be planted")
        site.foreseen["router"] = True

    def plant(self, step: Step, site: Site) -> None:
        change = _change(step)
        lag = _lag(change)
        if lag:
            before = elbv2.read_lag(site.target)
            site.record("router-lag", "load-balancer/lag", before)
            wanted = {**before, **lag}
            found = elbv2.write_lag(site.target, wanted)
            if found != wanted:
                raise FaultError(f"the load balancer's lag is {found}, not {wanted}")
        if change.stickiness_s is not None:
            router = _router(site)
            undo = {"service": site.service, "rule": RULE, "stickiness_s": router.stickiness_s(RULE)}
            site.record("stickiness", f"rule/{site.service}-{RULE}", undo)
            router.set_stickiness(RULE, change.stickiness_s)


def _change(step: Step) -> RouterChange:
    assert step.router is not None
    return step.router


def _lag(change: RouterChange) -> dict[str, float]:
    """Those of its fields that are a lag."""
    return change.model_dump(exclude_none=True, exclude={"stickiness_s"})


def _router(site: Site) -> elbv2.Elbv2Router:
    return elbv2.connect(site.target, site.of or load_service(site.service))
