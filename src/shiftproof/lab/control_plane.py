"""The Kubernetes control plane as plain processes: what each is started with, and when it is ready.

Defaults of Kubernetes stay wherever there is no reason against them, since the lab is to behave as a real cluster
does. Only leader election is off (there is one of each), and etcd does not sync (it lives in memory and ends with the
lab).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shiftproof.lab import outside
from shiftproof.lab.certificates import Authority, Pair, write_token_keys
from shiftproof.lab.kube import KubeApi, write_kubeconfig
from shiftproof.lab.network import (
    APISERVER_PORT,
    CLUSTER_DNS_IP,
    CONTROL_IP,
    KUBECONFIG,
    LAB_DIR,
    NODE_IPS,
    SERVICE_CIDR,
)
from shiftproof.lab.supervisor import Command
from shiftproof.lab.waiting import http_problem

KUBERNETES_DIR = KUBECONFIG.parent
ETCD_PORT, ETCD_PEER_PORT = 2379, 2380
METRICS_PORT = 4443
DNS_PORT, DNS_READY_PORT = 53, 8181
CONTROL = "control"
CLUSTER_DOMAIN = "cluster.local"
KEDA_SERVICES = ("keda-operator", "keda-metrics-apiserver")
_KUBERNETES_SERVICE_IP = "198.19.0.1"  # the first address of SERVICE_CIDR, by Kubernetes' own rule
_ADMINS = "system:masters"


@dataclass(frozen=True, slots=True)
class Credentials:
    """All certificates and kubeconfigs of one lab."""

    folder: Path
    authority: Pair
    front_authority: Pair
    front: Pair
    api_server: Pair
    api_to_kubelet: Pair
    metrics_server: Pair
    keda: Pair
    admin: Pair
    tokens: Pair
    kubelet_servers: dict[str, Pair]

    def kubeconfig(self, user: str) -> Path:
        """Of "admin", "controller-manager", "scheduler", "kubelet-NODE", "proxy-NODE", "dns", "metrics"
        or "autoscaling"."""
        return self.folder / f"{user}.kubeconfig"

    def api(self, timeout_s: float = 5.0) -> KubeApi:
        """As administrator."""
        return KubeApi(self.authority.certificate, self.admin, timeout_s)


def make_credentials(folder: Path = KUBERNETES_DIR) -> Credentials:
    """Make them all; about 50 ms."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder / "pki", "lab-ca")
    front = Authority(folder / "pki", "lab-front-proxy-ca")
    hosts = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{CLUSTER_DOMAIN}"]
    admin = authority.client("admin", "lab-admin", [_ADMINS])
    made = Credentials(
        folder=folder,
        authority=authority.pair,
        front_authority=front.pair,
        front=front.client("front-proxy", "front-proxy"),
        api_server=authority.server(
            "apiserver", "apiserver", [*hosts, CONTROL_IP, _KUBERNETES_SERVICE_IP, "127.0.0.1"]
        ),
        api_to_kubelet=authority.client("apiserver-kubelet", "apiserver-kubelet", [_ADMINS]),
        metrics_server=authority.server("metrics", "metrics", ["metrics-server.kube-system.svc", CONTROL_IP]),
        keda=authority.server("keda", "keda", [f"{name}.keda.svc" for name in KEDA_SERVICES], client=True),
        admin=admin,
        tokens=write_token_keys(folder / "pki"),
        kubelet_servers={
            node: authority.server(f"kubelet-server-{node}", f"system:node:{node}", [node, ip], ["system:nodes"])
            for node, ip in NODE_IPS.items()
        },
    )
    users = {
        "admin": admin,
        "controller-manager": authority.client("controller-manager", "system:kube-controller-manager"),
        "scheduler": authority.client("scheduler", "system:kube-scheduler"),
        # These run beside the cluster, by hand of its administrator, so they get no roles of their own.
        "dns": authority.client("dns", "lab-dns", [_ADMINS]),
        "metrics": authority.client("metrics-client", "lab-metrics", [_ADMINS]),
        "autoscaling": authority.client("autoscaling", "lab-autoscaling", [_ADMINS]),
    }
    for node in NODE_IPS:
        users[f"kubelet-{node}"] = authority.client(f"kubelet-{node}", f"system:node:{node}", ["system:nodes"])
        users[f"proxy-{node}"] = authority.client(f"proxy-{node}", "system:kube-proxy")
    for user, pair in users.items():
        write_kubeconfig(made.kubeconfig(user), authority.pair.certificate, pair)
    return made


def etcd(program: str) -> Command:
    client, peer = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PEER_PORT}"
    flags = {
        "name": "lab",
        "data-dir": LAB_DIR / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"lab={peer}",
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }
    return _command("etcd", program, flags)


def etcd_problem() -> str | None:
    return http_problem("127.0.0.1", ETCD_PORT, "/health")


def api_server(program: str, made: Credentials) -> Command:
    flags = {
        "etcd-servers": f"http://127.0.0.1:{ETCD_PORT}",
        "advertise-address": CONTROL_IP,
        "secure-port": APISERVER_PORT,
        "tls-cert-file": made.api_server.certificate,
        "tls-private-key-file": made.api_server.key,
        "client-ca-file": made.authority.certificate,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "service-cluster-ip-range": SERVICE_CIDR,
        "service-account-issuer": f"https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        "service-account-key-file": made.tokens.certificate,
        "service-account-signing-key-file": made.tokens.key,
        "kubelet-certificate-authority": made.authority.certificate,
        "kubelet-client-certificate": made.api_to_kubelet.certificate,
        "kubelet-client-key": made.api_to_kubelet.key,
        # Nodes' names are in no DNS: without this, logs and exec look for them there.
        "kubelet-preferred-address-types": "InternalIP",
        # metrics-server runs beside the cluster, where no kube-proxy makes its Service's address work.
        "enable-aggregator-routing": "true",
        "requestheader-client-ca-file": made.front_authority.certificate,
        "requestheader-allowed-names": "front-proxy",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": made.front.certificate,
        "proxy-client-key-file": made.front.key,
        "profiling": "false",
    }
    return _command("apiserver", program, flags)


def controller_manager(program: str, made: Credentials) -> Command:
    flags = {
        **_delegated(made, "controller-manager"),
        "leader-elect": "false",
        "service-account-private-key-file": made.tokens.key,
        "root-ca-file": made.authority.certificate,
        "use-service-account-credentials": "true",
        # Pods' addresses are fixed by node (network.py), so that every route can be made before the cluster is there.
        "allocate-node-cidrs": "false",
        "profiling": "false",
    }
    return _command("controller-manager", program, flags)


def scheduler(program: str, made: Credentials) -> Command:
    flags = {**_delegated(made, "scheduler"), "leader-elect": "false", "profiling": "false"}
    return _command("scheduler", program, flags)


def dns(program: str, made: Credentials) -> Command:
    """CoreDNS beside the cluster. No `forward`: there is nowhere to forward to."""
    corefile = made.folder / "Corefile"
    corefile.write_text(
        f".:{DNS_PORT} {{\n"
        f"    bind {CONTROL_IP}\n"
        "    errors\n"
        f"    ready {CONTROL_IP}:{DNS_READY_PORT}\n"
        f"    kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{\n"
        f"        kubeconfig {made.kubeconfig('dns')}\n"
        "        ttl 30\n"
        "    }\n"
        "    cache 30\n"
        "}\n"
    )
    return Command("dns", CONTROL, (program, "-conf", str(corefile)))


def dns_problem() -> str | None:
    return http_problem(CONTROL_IP, DNS_READY_PORT, "/ready")


def metrics_server(program: str, made: Credentials) -> Command:
    kubeconfig = made.kubeconfig("metrics")
    flags = {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": CONTROL_IP,
        "secure-port": METRICS_PORT,
        "tls-cert-file": made.metrics_server.certificate,
        "tls-private-key-file": made.metrics_server.key,
        "kubelet-certificate-authority": made.authority.certificate,
        "kubelet-preferred-address-types": "InternalIP",
        "metric-resolution": "10s",
        "kubelet-request-timeout": "5s",
    }
    return _command("metrics-server", program, flags)


def addons() -> list[tuple[str, dict[str, object]]]:
    """(API path to create at, object): DNS and metrics, which both run beside the cluster."""
    dns_ports = [outside.port("dns", DNS_PORT, "UDP"), outside.port("dns-tcp", DNS_PORT, "TCP")]
    metrics_ports = [outside.port("https", METRICS_PORT)]
    return [
        *outside.service("kube-system", "kube-dns", dns_ports, {"clusterIP": CLUSTER_DNS_IP}),
        *outside.service("kube-system", "metrics-server", metrics_ports),
    ]


def metrics_api(authority: Path) -> tuple[str, dict[str, object]]:
    """(API path, object) that makes the API server ask metrics-server for pods' and nodes' usage."""
    return outside.api("metrics.k8s.io", "kube-system", "metrics-server", METRICS_PORT, authority)


def _delegated(made: Credentials, user: str) -> dict[str, object]:
    kubeconfig = made.kubeconfig(user)
    return {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": "127.0.0.1",
    }


def _command(name: str, program: str, flags: dict[str, object]) -> Command:
    return Command(name, CONTROL, (program, *(f"--{flag}={value}" for flag, value in flags.items())))
