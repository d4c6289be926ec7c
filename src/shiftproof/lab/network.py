"""Every address of the lab, in one place.

198.18.0.0/15 is set aside for benchmarks (RFC 2544), so no real host can have these addresses. The lab has no uplink.
"""

from __future__ import annotations

from pathlib import Path

LAB_DIR = Path("/run/shiftproof/lab")
"""A tmpfs inside the lab's own mount namespace: it is gone with the lab. Outside, only an empty folder."""

KUBECONFIG = LAB_DIR / "kubernetes" / "admin.kubeconfig"
LB_DIR = LAB_DIR / "lb"
LOG_DIR = LAB_DIR / "log"

LAB_CIDR = "198.18.0.0/15"
"""All of it: machines, pods and Services."""

BRIDGE = "lab0"
BRIDGE_CIDR = "198.18.0.0/24"
CONTROL_IP = "198.18.0.1"  # the bridge itself, in the init's namespace: control plane, AWS stand-in, our own load
LOAD_BALANCER_IP = "198.18.0.10"
FIXED_NODE_IPS = {"node-1": "198.18.0.21", "node-2": "198.18.0.22"}
LEGACY_IPS = {"legacy-1": "198.18.0.31", "legacy-2": "198.18.0.32"}
POSTGRES_IP = "198.18.0.41"

_PLACES = range(11, 19)
PLACE_IPS = {f"node-{place}": f"198.18.0.{100 + place}" for place in _PLACES}
"""Where machines of autoscaling go, one a place; all is known beforehand, so that every route can be."""

NODE_IPS = {**FIXED_NODE_IPS, **PLACE_IPS}
POD_CIDRS = {
    "node-1": "198.18.1.0/24",
    "node-2": "198.18.2.0/24",
    **{f"node-{place}": f"198.18.{place}.0/24" for place in _PLACES},
}
SERVICE_CIDR = "198.19.0.0/16"
CLUSTER_DNS_IP = "198.19.0.10"

APISERVER_PORT = 6443
AWS_PORT = 4566
LOAD_BALANCER_PORT = 80
SERVICE_PORT = 8080
POSTGRES_PORT = 5432
POOLER_PORT = 6432
PROMETHEUS_PORT = 9090

AWS_ENDPOINT = f"http://{CONTROL_IP}:{AWS_PORT}"
AWS_REGION = "eu-west-1"
ENTRY_URL = f"http://{LOAD_BALANCER_IP}"
