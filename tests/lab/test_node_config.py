"""What a node's programs are told."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from shiftproof.lab import node_config
from shiftproof.lab.certificates import Pair
from shiftproof.lab.network import CLUSTER_DNS_IP, NODE_IPS, POD_CIDRS

DISK = Path("/lab/nodes/node-1")
IDENTITY = node_config.Identity("eu-west-1a")
SERVER = Pair(Path("/pki/kubelet.crt"), Path("/pki/kubelet.key"))


@pytest.mark.parametrize(
    ("machine", "cpu", "memory"),
    [((2000, 24000), "200m", "21952Mi"), ((64000, 250000), "62200m", "247952Mi"), ((1000, 1500), "50m", "50Mi")],
)
def test_a_node_has_the_same_size_on_every_machine_that_is_large_enough(
    machine: tuple[int, int], cpu: str, memory: str
) -> None:
    assert node_config.reserved(machine) == {"cpu": cpu, "memory": memory}


def test_kubelet() -> None:
    config = json.loads(node_config.kubelet("node-1", DISK, Path("/pki/ca.crt"), SERVER, IDENTITY, (2000, 24000)))
    assert config["kind"] == "KubeletConfiguration"
    assert config["cgroupRoot"].endswith("/node-1")
    assert config["cgroupDriver"] == "cgroupfs"
    assert config["failCgroupV1"] is False
    assert config["resolvConf"] == ""  # the machine's resolver must not leak into pods
    assert config["clusterDNS"] == [CLUSTER_DNS_IP]
    assert config["authentication"]["anonymous"]["enabled"] is False
    assert config["healthzBindAddress"] == NODE_IPS["node-1"]
    # Nothing is said of how fast a dead node is noticed: Kubernetes' own pace is what is tested.
    assert not {"nodeStatusUpdateFrequency", "nodeLeaseDurationSeconds"} & config.keys()


def test_only_an_instance_has_a_provider_and_waits_for_karpenter() -> None:
    def told(identity: node_config.Identity) -> tuple[str, list[str]]:
        config = json.loads(node_config.kubelet("node-1", DISK, Path("/pki/ca.crt"), SERVER, identity, (2000, 24000)))
        return config["providerID"], [taint["key"] for taint in config["registerWithTaints"]]

    assert told(IDENTITY) == ("", [])
    assert told(node_config.Identity("eu-west-1b", "i-0ab")) == (
        "aws:///eu-west-1b/i-0ab",
        ["karpenter.sh/unregistered"],
    )


def test_containerd_keeps_images_on_disk_and_forgets_the_rest_at_a_reboot() -> None:
    config = tomllib.loads(node_config.containerd(DISK, "registry/pause:lab"))
    assert config["root"].startswith(str(DISK))
    assert config["state"].startswith("/run/")
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == "registry/pause:lab"
    assert cri["restrict_oom_score_adj"] is True
    assert cri["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is False


def test_pod_networks_do_not_overlap() -> None:
    ranges = [json.loads(node_config.pod_network(node))["plugins"][0]["ipam"]["ranges"][0][0] for node in POD_CIDRS]
    assert [item["subnet"] for item in ranges] == list(POD_CIDRS.values())
    assert len(set(POD_CIDRS.values())) == len(POD_CIDRS)


def test_kube_proxy_leaves_the_machines_connection_tracking_alone() -> None:
    config = json.loads(node_config.proxy("node-2", Path("/kubeconfig")))
    assert config["mode"] == "nftables"
    assert config["conntrack"]["maxPerCore"] == 0
    assert config["conntrack"]["min"] == 0
