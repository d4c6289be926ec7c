"""The files that a worker node's programs read. Pure: values in, text out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shiftproof.lab.certificates import Pair
from shiftproof.lab.cgroups import kubelet_root
from shiftproof.lab.network import CLUSTER_DNS_IP, NODE_IPS, POD_CIDRS

NODE_CPU_M = 1800
NODE_MEMORY_MIB = 2048
"""The size of a node. Every kubelet sees the whole machine; what is beyond this is reserved for the system."""

KUBELET_HEALTH_PORT, PROXY_HEALTH_PORT = 10248, 10256
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
_CLUSTER_DOMAIN = "cluster.local"
_SMALLEST_RESERVED_M = 50


def containerd(disk: Path, pause_reference: str) -> str:
    """containerd 1.6's config.toml: its root on the node's disk (images stay), its state in /run (gone at a reboot)."""
    return f"""version = 2
root = {json.dumps(str(disk / "containerd"))}
state = "/run/containerd"
# What the lab does not use; some of these would try to load kernel modules.
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.native", "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = {json.dumps(pause_reference)}
  stream_server_address = "127.0.0.1"
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE (a container, a small virtual machine) runc cannot lower a score, and starts nothing.
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = {json.dumps(str(disk / "cni"))}

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def pod_network(node: str) -> str:
    """The CNI configuration: a bridge a node. Addresses given out are kept in /run: a reboot frees them all."""
    plugins = [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": False,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": POD_CIDRS[node]}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": "/run/cni-ipam",
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": "0.4.0", "name": "lab", "plugins": plugins}, indent=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a node is to the cluster. instance: id of its EC2 instance; "" where it is none."""

    zone: str
    instance: str = ""

    @property
    def provider_id(self) -> str:
        """As the AWS cloud provider writes it."""
        return f"aws:///{self.zone}/{self.instance}" if self.instance else ""

    @property
    def taints(self) -> list[dict[str, str]]:
        """A node of Karpenter's takes no pods before Karpenter has put its labels and taints on it."""
        return [{"key": "karpenter.sh/unregistered", "effect": "NoExecute"}] if self.instance else []


def kubelet(
    node: str,
    disk: Path,
    authority: Path,
    server: Pair,
    identity: Identity,
    machine: tuple[int, int] | None = None,
) -> str:
    """The KubeletConfiguration. `machine`: millicores and MiB that the machine has (None: look)."""
    config: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(server.certificate),
        "tlsPrivateKeyFile": str(server.key),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": kubelet_root(node),
        "failCgroupV1": False,
        "healthzBindAddress": NODE_IPS[node],
        "healthzPort": KUBELET_HEALTH_PORT,
        "failSwapOn": False,
        "resolvConf": "",
        "clusterDNS": [CLUSTER_DNS_IP],
        "clusterDomain": _CLUSTER_DOMAIN,
        "systemReserved": reserved(machine or machine_size()),
        "volumePluginDir": str(disk / "volume-plugins"),
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        # The disk is the machine's memory: only that may cause an eviction, and images must never be thrown away.
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        # Images are all there already, so none has to wait for another's.
        "serializeImagePulls": False,
        "maxPods": 50,
        "providerID": identity.provider_id,
        "registerWithTaints": identity.taints,
    }
    return json.dumps(config, indent=1)


def reserved(machine: tuple[int, int]) -> Mapping[str, str]:
    """What to hold back so that NODE_CPU_M and NODE_MEMORY_MIB are left, as far as the machine has them."""
    cpu_m, memory_mib = machine
    return {
        "cpu": f"{max(_SMALLEST_RESERVED_M, cpu_m - NODE_CPU_M)}m",
        "memory": f"{max(_SMALLEST_RESERVED_M, memory_mib - NODE_MEMORY_MIB)}Mi",
    }


def machine_size() -> tuple[int, int]:
    """(millicores, MiB) of the machine."""
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return (os.cpu_count() or 1) * 1000, pages * page // 2**20


def proxy(node: str, kubeconfig: Path) -> str:
    """The KubeProxyConfiguration. Connection tracking's limits are the machine's and are left alone."""
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "hostnameOverride": node,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "oomScoreAdj": 0,
        "healthzBindAddress": f"{NODE_IPS[node]}:{PROXY_HEALTH_PORT}",
        "metricsBindAddress": "127.0.0.1:10249",
    }
    return json.dumps(config, indent=1)
