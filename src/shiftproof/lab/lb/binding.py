"""Pods join their target group by IP, as the AWS Load Balancer Controller does it for a TargetGroupBinding.

Ready endpoints of the service's EndpointSlices are registered; those not ready or terminating are deregistered. All
through the elbv2 API, so what is registered is there for all to see.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from shiftproof.lab.lb.desired import Address

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

log = logging.getLogger(__name__)

WATCH_S = 300
RETRY_S = 0.5
SERVICE_LABEL = "kubernetes.io/service-name"


def ready_addresses(slices: Iterable[Any]) -> frozenset[Address]:
    """The ready endpoints of EndpointSlices (the kubernetes client's V1EndpointSlice objects), by first port."""
    return frozenset(
        Address(ip, int(piece.ports[0].port))
        for piece in slices
        for endpoint in (piece.endpoints or ())
        if piece.ports and endpoint.conditions and endpoint.conditions.ready and not endpoint.conditions.terminating
        for ip in endpoint.addresses[:1]
    )


class TargetGroupBinding:
    """Binds one Kubernetes Service to one target group, on a thread of its own."""

    def __init__(
        self, elbv2: ElasticLoadBalancingv2Client, group_arn: str, kubeconfig: Path, namespace: str, service: str
    ) -> None:
        self._elbv2 = elbv2
        self._group_arn = group_arn
        self._kubeconfig = kubeconfig
        self._namespace = namespace
        self._service = service
        self._registered: frozenset[Address] = frozenset()
        self.state = "waiting for the kubeconfig"

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"binding-{self._service}", daemon=True).start()

    def follow(self, wanted: frozenset[Address]) -> None:
        """Bring the target group to `wanted`; what the API refuses is not counted as done, and tried again next time.

        A pod in place of another may come with its address, which AWS (and moto) know by address and port alone.
        """
        come, gone = wanted - self._registered, self._registered - wanted
        if gone:
            self._elbv2.deregister_targets(TargetGroupArn=self._group_arn, Targets=_described(gone))
            self._registered -= gone
        if come:
            self._elbv2.register_targets(TargetGroupArn=self._group_arn, Targets=_described(come))
            self._registered |= come

    def _run(self) -> None:
        from kubernetes.client.exceptions import ApiException
        from kubernetes.config import ConfigException
        from urllib3.exceptions import HTTPError

        pause = threading.Event()
        while True:
            try:
                self._watch()
            except (ApiException, ConfigException, HTTPError, OSError, BotoCoreError, ClientError) as error:
                words = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
                if words != self.state:
                    log.info("binding of %s: %s", self._service, words)
                self.state = words
                pause.wait(RETRY_S)

    def _watch(self) -> None:
        """List, then follow changes until the server ends the watch; a fresh list makes good for any gap."""
        import kubernetes

        if not self._kubeconfig.exists():
            raise FileNotFoundError(f"{self._kubeconfig} is not there yet")
        api: Any = kubernetes.client.DiscoveryV1Api(_client(self._kubeconfig))
        selector = f"{SERVICE_LABEL}={self._service}"
        listed = api.list_namespaced_endpoint_slice(self._namespace, label_selector=selector, _request_timeout=10)
        slices: dict[str, Any] = {item.metadata.name: item for item in listed.items}
        self.state = "watching"
        self.follow(ready_addresses(slices.values()))
        watch: Any = kubernetes.watch.Watch()  # type: ignore[no-untyped-call]
        stream = watch.stream(
            api.list_namespaced_endpoint_slice,
            self._namespace,
            label_selector=selector,
            resource_version=listed.metadata.resource_version,
            timeout_seconds=WATCH_S,
            _request_timeout=WATCH_S + 10,
        )
        for event in stream:
            _apply(slices, event)
            self.follow(ready_addresses(slices.values()))


def _client(kubeconfig: Path) -> Any:
    import kubernetes

    return kubernetes.config.new_client_from_config(config_file=str(kubeconfig))  # type: ignore[no-untyped-call]


def _apply(slices: dict[str, Any], event: Mapping[str, Any]) -> None:
    name = event["object"].metadata.name
    if event["type"] == "DELETED":
        slices.pop(name, None)
    else:
        slices[name] = event["object"]


def _described(addresses: Iterable[Address]) -> Sequence[Any]:
    return [{"Id": address.ip, "Port": address.port} for address in sorted(addresses)]
