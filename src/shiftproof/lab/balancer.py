"""The load balancer as a part of the lab: starts `shiftproof.lab.lb`, and asks AWS's own API how targets are."""

from __future__ import annotations

import http.client
import shlex
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from shiftproof.lab import cgroups, namespaces
from shiftproof.lab.control_plane import CONTROL
from shiftproof.lab.network import (
    AWS_ENDPOINT,
    AWS_PORT,
    AWS_REGION,
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
_VERSION = "2015-12-01"
_NAMESPACE = "{http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/}"
_TIMEOUT_S = 5.0


def aws_environment() -> dict[str, str]:
    """What an AWS client in the lab needs; the keys are no secret, the stand-in takes any."""
    return {
        "AWS_ENDPOINT_URL": AWS_ENDPOINT,
        "AWS_REGION": AWS_REGION,
        "AWS_DEFAULT_REGION": AWS_REGION,
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


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
    found = _ask("DescribeTargetGroups", {"Names.member.1": group})
    arn = found.find(f".//{_NAMESPACE}TargetGroupArn")
    if arn is None or not arn.text:
        raise http.client.HTTPException(f"no target group {group}")
    answer = _ask("DescribeTargetHealth", {"TargetGroupArn": arn.text})
    return {
        f"{_text(item, 'Target/Id')}:{_text(item, 'Target/Port')}": _text(item, "TargetHealth/State")
        for item in answer.iterfind(f".//{_NAMESPACE}TargetHealthDescriptions/{_NAMESPACE}member")
    }


def _text(item: ET.Element, path: str) -> str:
    found = item.find("/".join(f"{_NAMESPACE}{step}" for step in path.split("/")))
    return (found.text or "") if found is not None else ""


def _ask(action: str, parameters: Mapping[str, str]) -> ET.Element:
    """One call of the query API. boto3 would cost the lab's init 30 MB and half a second of the start."""
    body = urllib.parse.urlencode({"Action": action, "Version": _VERSION, **parameters})
    scope = f"lab/20260101/{AWS_REGION}/elasticloadbalancing/aws4_request"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none",
    }
    connection = http.client.HTTPConnection(CONTROL_IP, AWS_PORT, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != 200:
        raise http.client.HTTPException(f"{action} answers {answer.status}: {text[:200]}")
    return ET.fromstring(text)
