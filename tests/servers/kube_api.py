"""A real kube-apiserver with its etcd on loopback: what it makes of patches, defaults and conflicts is the real thing.

No controllers and no nodes: `observe` does the little of a Deployment's controller that a test may want.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from fakes.ports import free_port

from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.lab.certificates import Authority, Pair, write_token_keys
from shiftproof.lab.setup.toolchain import program
from shiftproof.lab.waiting import until
from shiftproof.model.target import Target

_WITHIN_S = 60.0


@contextmanager
def kube_api(folder: Path) -> Iterator[Target]:
    """Started and ready; the target has its kubeconfig, as a lab's. It ends with the block, and with the process."""
    ports = {name: free_port() for name in ("etcd", "peer", "api")}
    authority = Authority(folder / "pki", "test-ca")
    server = authority.server("apiserver", "apiserver", ["127.0.0.1"])
    admin = authority.client("admin", "test-admin", ["system:masters"])
    tokens = write_token_keys(folder / "pki")
    client, peer = f"http://127.0.0.1:{ports['etcd']}", f"http://127.0.0.1:{ports['peer']}"
    etcd = {
        "name": "test",
        "data-dir": folder / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"test={peer}",
        "unsafe-no-fsync": "true",
        "log-level": "error",
    }
    api_server = {
        "etcd-servers": client,
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "endpoint-reconciler-type": "none",
        "secure-port": ports["api"],
        "tls-cert-file": server.certificate,
        "tls-private-key-file": server.key,
        "client-ca-file": authority.pair.certificate,
        "service-cluster-ip-range": "198.19.0.0/16",
        "service-account-issuer": "https://test.invalid",
        "service-account-key-file": tokens.certificate,
        "service-account-signing-key-file": tokens.key,
        # Without a controller nobody makes the service accounts that it asks for.
        "disable-admission-plugins": "ServiceAccount",
    }
    kubeconfig = folder / "admin.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(_kubeconfig(ports["api"], authority.pair, admin)))
    target = Target(
        name="lab",
        kind="lab",
        aws_endpoint="http://127.0.0.1:1",
        kubeconfig=str(kubeconfig),
        entry="http://127.0.0.1:1",
    )
    with _running("etcd", etcd, folder), _running("kube-apiserver", api_server, folder):
        api = Api(connect(target))
        until(lambda: _problem(api), _WITHIN_S, poll_s=0.2)
        yield target


@contextmanager
def observe(api: Api, namespace: str) -> Iterator[None]:
    """While it lasts, every Deployment of the namespace is soon seen and settled, if it wants no replicas."""
    stop = threading.Event()
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"

    def run() -> None:
        while not stop.wait(0.05):
            for found in api.items(path):
                generation = found["metadata"]["generation"]
                if found.get("status", {}).get("observedGeneration") != generation:
                    name = found["metadata"]["name"]
                    api.patch(f"{path}/{name}/status", {"status": {"observedGeneration": generation}})

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _problem(api: Api) -> str | None:
    from shiftproof.adapters.kubernetes import KubernetesError

    try:
        return None if api.find("/api/v1/namespaces/default") else "namespace default is not there yet"
    except KubernetesError as error:
        return str(error)


@contextmanager
def _running(name: str, flags: dict[str, object], folder: Path) -> Iterator[None]:
    command: Sequence[str] = [str(program(name)), *(f"--{flag}={value}" for flag, value in flags.items())]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _kubeconfig(port: int, authority: Pair, admin: Pair) -> dict[str, object]:
    user = {"client-certificate": str(admin.certificate), "client-key": str(admin.key)}
    server = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(authority.certificate)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": server}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
