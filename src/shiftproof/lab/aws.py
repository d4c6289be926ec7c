"""The lab's AWS, asked by its query API: boto3 would cost the lab's init 30 MB and half a second of its start."""

from __future__ import annotations

import http.client
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass

from shiftproof.lab.network import AWS_ENDPOINT, AWS_PORT, AWS_REGION, CONTROL_IP

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Service:
    """One AWS service that speaks the query protocol."""

    name: str
    version: str


ELBV2 = Service("elasticloadbalancing", "2015-12-01")
EC2 = Service("ec2", "2016-11-15")


def environment() -> dict[str, str]:
    """What an AWS client in the lab needs; the keys are no secret, the stand-in takes any."""
    return {
        "AWS_ENDPOINT_URL": AWS_ENDPOINT,
        "AWS_REGION": AWS_REGION,
        "AWS_DEFAULT_REGION": AWS_REGION,
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def ask(service: Service, action: str, parameters: Mapping[str, str] | None = None) -> ET.Element:
    """One call. Raises OSError, http.client.HTTPException (an answer other than 200), ET.ParseError."""
    body = urllib.parse.urlencode({"Action": action, "Version": service.version, **(parameters or {})})
    scope = f"lab/20260101/{AWS_REGION}/{service.name}/aws4_request"
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


def text_of(item: ET.Element, path: str) -> str:
    """Text of the element at a path of plain names below `item`; "" when there is none."""
    found = item.find(path_of(path))
    return (found.text or "") if found is not None else ""


def path_of(path: str) -> str:
    """A path of plain names as ElementTree wants it, in whichever namespace."""
    return "/".join(f"{{*}}{step}" for step in path.split("/"))
