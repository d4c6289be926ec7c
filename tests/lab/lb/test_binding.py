"""Pods join their target group from EndpointSlices, through a real load balancer and a fake API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.backends import Backend
from fakes.balancer import eventually, running_balancer
from fakes.kubernetes_api import serving

PATH = "/apis/discovery.k8s.io/v1/namespaces/payments/endpointslices"


def piece(*endpoints: tuple[Backend, bool, bool]) -> dict[str, Any]:
    """An EndpointSlice of (target, ready, terminating); one slice has one port, so targets come one a slice."""
    return {
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "metadata": {"labels": {"kubernetes.io/service-name": "payments"}},
        "ports": [{"name": "http", "port": endpoints[0][0].port}],
        "endpoints": [
            {"addresses": [backend.ip], "conditions": {"ready": ready, "serving": True, "terminating": terminating}}
            for backend, ready, terminating in endpoints
        ],
    }


@pytest.mark.component
def test_ready_pods_are_registered_and_leaving_ones_are_not(tmp_path: Path) -> None:
    one, two = Backend("127.0.2.2"), Backend("127.0.2.3")
    legacy = Backend("127.0.2.4")
    kubeconfig = tmp_path / "kubeconfig"
    with running_balancer(tmp_path, [legacy], kubeconfig=kubeconfig) as balancer:
        assert balancer.states("cluster") == {}, "it stands before the control plane does"
        with serving(tmp_path) as (fake, made):
            assert made == kubeconfig
            fake.put(f"{PATH}/a", piece((one, True, False)))
            fake.put(f"{PATH}/b", piece((two, False, False)))
            eventually(lambda: balancer.state("cluster", one) == "healthy", "the ready pod healthy")
            assert balancer.state("cluster", two) == "gone"
            fake.put(f"{PATH}/b", piece((two, True, False)))
            eventually(lambda: balancer.state("cluster", two) == "healthy", "the second pod healthy")
            fake.put(f"{PATH}/a", piece((one, False, True)))
            eventually(lambda: balancer.state("cluster", one) == "draining", "the leaving pod drains")
            fake.cut_watches("endpointslices")
            fake.remove(f"{PATH}/b")
            eventually(lambda: balancer.state("cluster", two) == "draining", "what a broken watch missed is made good")
            eventually(lambda: balancer.states("cluster") == {}, "both gone")
    for backend in (one, two, legacy):
        backend.close()
