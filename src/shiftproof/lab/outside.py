"""What runs beside the cluster and yet is a Service of it: a Service without selector, and the slice that leads out."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shiftproof.errors import LabError
from shiftproof.lab.kube import ApiError, KubeApi
from shiftproof.lab.network import CONTROL_IP
from shiftproof.lab.waiting import NotInTime, until

_WITHIN_S = 30.0
Made = tuple[str, dict[str, object]]
"""(API path to create at, object)."""


def port(name: str, number: int, protocol: str = "TCP") -> dict[str, object]:
    return {"name": name, "port": number, "protocol": protocol}


def service(
    namespace: str, name: str, ports: Sequence[Mapping[str, object]], spec: Mapping[str, object] | None = None
) -> list[Made]:
    """The Service, and its slice to the address that the control plane has."""
    return [
        (
            f"/api/v1/namespaces/{namespace}/services",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"ports": [dict(one) for one in ports], **(spec or {})},
            },
        ),
        (
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": f"{name}-lab",
                    "namespace": namespace,
                    "labels": {
                        "kubernetes.io/service-name": name,
                        "endpointslice.kubernetes.io/managed-by": "shiftproof",
                    },
                },
                "addressType": "IPv4",
                "ports": [dict(one) for one in ports],
                "endpoints": [{"addresses": [CONTROL_IP], "conditions": {"ready": True}}],
            },
        ),
    ]


def api(group: str, namespace: str, name: str, number: int, authority: Path) -> Made:
    """An aggregated API: the API server asks that Service for everything of the group. authority: signed its server."""
    spec = {
        "group": group,
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "service": {"name": name, "namespace": namespace, "port": number},
        "caBundle": base64.b64encode(authority.read_bytes()).decode(),
    }
    body: dict[str, object] = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1beta1.{group}"},
        "spec": spec,
    }
    return "/apis/apiregistration.k8s.io/v1/apiservices", body


def create(api_server: KubeApi, path: str, body: Mapping[str, Any]) -> None:
    """Create, once its namespace is there (kube-system comes a moment after the API server). Raises LabError.

    Does nothing when it is there: what brings it up may have been cut short, and is asked again.
    """

    def missing() -> str | None:
        try:
            api_server.create(path, body)
        except ApiError as error:
            if error.status == 404:
                return str(error)
            if error.status != 409:
                raise
        return None

    try:
        until(missing, _WITHIN_S)
    except NotInTime as error:
        raise LabError(f"{path}: {error}") from error
