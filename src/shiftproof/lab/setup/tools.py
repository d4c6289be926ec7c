"""The Go programs of the lab: what each is called, and what is stamped into it.

Versions are not here: each tool's go.mod below infra/lab/tools pins them, go.sum pins every byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_KUBERNETES = "k8s.io/component-base/version"


@dataclass(frozen=True, slots=True)
class GoTool:
    """`programs` maps each file name that the tool must give to the name that `go build` gives it.

    `module` is the required module whose version is stamped; `stamps` are `-X` variables, with {version}, {major} and
    {minor} filled in. Stamps act at link time only, so they cost the shared build cache nothing. `files`: folders of
    the module's sources that are kept beside the programs, each under a name.
    """

    name: str
    module: str
    programs: dict[str, str]
    stamps: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


# Without its stamps a kubelet reports v0.0.0, and the API server refuses to judge the skew.
KUBERNETES = GoTool(
    name="kubernetes",
    module="k8s.io/kubernetes",
    programs={
        program: program
        for program in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubectl",
            "kubelet",
        )
    },
    stamps={
        f"{_KUBERNETES}.gitVersion": "{version}",
        f"{_KUBERNETES}.gitMajor": "{major}",
        f"{_KUBERNETES}.gitMinor": "{minor}",
        f"{_KUBERNETES}.gitTreeState": "clean",
    },
)
# go names a program after the last part of its path that is not a version: …/etcd/server/v3 gives "server".
ETCD = GoTool(name="etcd", module="go.etcd.io/etcd/server/v3", programs={"etcd": "server"})
COREDNS = GoTool(name="coredns", module="github.com/coredns/coredns", programs={"coredns": "coredns"})
METRICS_SERVER = GoTool(
    name="metrics-server",
    module="sigs.k8s.io/metrics-server",
    programs={"metrics-server": "metrics-server"},
    stamps={"sigs.k8s.io/metrics-server/pkg/version.gitVersion": "{version}"},
)

# What load events need and a gate does not.
KARPENTER = GoTool(
    name="karpenter",
    module="github.com/aws/karpenter-provider-aws",
    programs={"karpenter": "controller"},
    stamps={"sigs.k8s.io/karpenter/pkg/operator.Version": "{version}"},
    files={"crds": "pkg/apis/crds"},
)
KEDA = GoTool(
    name="keda",
    module="github.com/kedacore/keda/v2",
    programs={"keda-operator": "operator", "keda-adapter": "adapter"},
    stamps={"github.com/kedacore/keda/v2/version.Version": "{version}"},
    files={"crds": "config/crd/bases"},
)
PROMETHEUS = GoTool(
    name="prometheus",
    module="github.com/prometheus/prometheus",
    programs={"prometheus": "prometheus"},
    stamps={"github.com/prometheus/common/version.Version": "{version}"},
)

LAB_TOOLS = (KUBERNETES, ETCD, COREDNS, METRICS_SERVER)
EVENT_TOOLS = (PROMETHEUS, KARPENTER, KEDA)
ALL_TOOLS = (*LAB_TOOLS, *EVENT_TOOLS)
