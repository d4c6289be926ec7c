"""The load balancer as a part of the lab: starts `shiftproof.lab.lb`, and asks AWS's own API how targets are."""

from __future__ import annotations

import http.client
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from shiftproof.lab import aws, cgroups, namespaces
from shiftproof.lab.aws import ELBV2, path_of, text_of
from shiftproof.lab.control_plane import CONTROL
from shiftproof.lab.network import (
    AWS_PORT,
    CONTROL_IP,
    KUBECONFIG,
    LB_DIR,
    LOAD_BALANCER_IP,
    LOAD_BALANCER_PORT,
)
from shiftproof.lab.plan import LabPlan, ServicePlan
from shiftproof.lab.supervisor import Command
from shiftproof.lab.waiting import http_problem
from shiftproof.model.marks import REHEARSAL_HEADER

READY_PATH = "/_lab/ready"


def command(plan: LabPlan) -> Command:
    """Not restarted when it dies: the AWS estate lives in its memory, and a second one would be empty."""
    machine = namespaces.LOAD_BALANCER
    argv = (
        plan.python,
        *("-m", "shiftproof.lab.lb"),
        *("--platform", f"{plan.project}/infra/platform.yaml"),
        *("--haproxy-prefix", shlex.join((*cgroups.entering(machine), *namespaces.inside(machine)))),
        *("--kubeconfig", str(KUBECONFIG)),
        *("--dir", str(LB_DIR)),
    )
    return Command("load-balancer", CONTROL, argv, env={"KUBECONFIG": str(KUBECONFIG)}, restart=False)


def problem() -> str | None:
    """None when the AWS API answers, the estate is made and HAProxy follows."""
    return http_problem(CONTROL_IP, AWS_PORT, READY_PATH)


def service_problem(service: ServicePlan) -> str | None:
    """None when every target of both groups is healthy, and a request of each rehearsal rule gets an answer."""
    for side, group in (("legacy", service.legacy_target_group), ("cluster", service.cluster_target_group)):
        try:
            states = target_states(group)
        except (OSError, http.client.HTTPException, ET.ParseError) as error:
            return f"DescribeTargetHealth of {group}: {error}"
        if not states or any(state != "healthy" for state in states.values()):
            return f"targets of {group}: {states or 'none'}"
        found = http_problem(
            LOAD_BALANCER_IP, LOAD_BALANCER_PORT, service.health_path, headers={REHEARSAL_HEADER: side}
        )
        if found is not None:
            return f"{side} side through the load balancer: {found}"
    return None


def target_states(group: str) -> Mapping[str, str]:
    """Target "ip:port" -> AWS's word for its health."""
    found = aws.ask(ELBV2, "DescribeTargetGroups", {"Names.member.1": group})
    arn = found.find(f".//{path_of('TargetGroupArn')}")
    if arn is None or not arn.text:
        raise http.client.HTTPException(f"no target group {group}")
    answer = aws.ask(ELBV2, "DescribeTargetHealth", {"TargetGroupArn": arn.text})
    return {
        f"{text_of(item, 'Target/Id')}:{text_of(item, 'Target/Port')}": text_of(item, "TargetHealth/State")
        for item in answer.iterfind(f".//{path_of('TargetHealthDescriptions/member')}")
    }
