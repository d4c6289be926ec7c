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
NODE_IPS = {"node-1": "198.18.0.21", "node-2": "198.18.0.22"}
LEGACY_IPS = {"legacy-1": "198.18.0.31", "legacy-2": "198.18.0.32"}
POSTGRES_IP = "198.18.0.41"

POD_CIDRS = {"node-1": "198.18.1.0/24", "node-2": "198.18.2.0/24"}
SERVICE_CIDR = "198.19.0.0/16"
CLUSTER_DNS_IP = "198.19.0.10"

APISERVER_PORT = 6443
AWS_PORT = 4566
LOAD_BALANCER_PORT = 80
SERVICE_PORT = 8080
POSTGRES_PORT = 5432
POOLER_PORT = 6432

AWS_ENDPOINT = f"http://{CONTROL_IP}:{AWS_PORT}"
AWS_REGION = "eu-west-1"
ENTRY_URL = f"http://{LOAD_BALANCER_IP}"
