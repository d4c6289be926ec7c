"""The Kubernetes API as plain JSON, over the official client's own configuration, TLS and credentials.

The client's models are not used: they cost 12 times the CPU of `json.loads` on every watched object (a pod of 2 KB:
174 against 14 us), hide fields that they do not know, and the digest of a manifest must be taken over what the server
holds, not over what a model keeps.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import urllib3

from shiftproof.errors import LabError, SetupError, UserError
from shiftproof.model.target import Target

if TYPE_CHECKING:  # importing the client takes 0.6 s: only those who connect pay for it
    from kubernetes.client.api_client import ApiClient

Json = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
CALL_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
_AUTH = ["BearerToken"]


class KubernetesError(SetupError):
    """The API server did not answer (`status` None) or refused (`status` is its HTTP status)."""

    def __init__(self, message: str, *, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


def connect(target: Target) -> ApiClient:
    """A client for the target's cluster, by its own kubeconfig only (never the user's default), with TLS checked.

    Raises LabError when the lab's kubeconfig is not there, UserError for another target's, or when it turns off the
    checking of certificates.
    """
    from kubernetes.client import Configuration
    from kubernetes.client.api_client import ApiClient
    from kubernetes.config import ConfigException, load_kube_config

    path = _kubeconfig(target)
    configuration = Configuration()
    # A stale pooled connection may be tried anew for reads; an answer, whatever its status, is never asked for twice.
    configuration.retries = urllib3.Retry(
        total=2, status=0, redirect=0, backoff_factor=0.1, allowed_methods={"GET"}, respect_retry_after_header=False
    )
    try:
        load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(path),
            context=target.kube_context,
            client_configuration=configuration,
            persist_config=False,
        )
    except (ConfigException, OSError, ValueError) as error:
        raise UserError(f"the kubeconfig {path} of target {target.name} cannot be used: {error}") from error
    if not configuration.verify_ssl:
        raise UserError(
            f"the kubeconfig {path} of target {target.name} turns off the checking of certificates",
            hint="remove insecure-skip-tls-verify and give certificate-authority-data",
        )
    return ApiClient(configuration=configuration)


def _kubeconfig(target: Target) -> Path:
    if target.kubeconfig is None:
        raise UserError(f"target {target.name} names no kubeconfig", hint=f"add it to infra/targets/{target.name}.yaml")
    path = Path(target.kubeconfig).expanduser()
    if path.is_file():
        return path
    if target.kind == "lab":
        raise LabError("the lab is not up (its kubeconfig is not there)", hint="run: shiftproof lab up")
    raise UserError(f"the kubeconfig {path} of target {target.name} is not there")


class _Parts(TypedDict, total=False):
    """What a request may have beside its verb and path. timeout_s: for all, or to connect and between bytes."""

    query: Mapping[str, str | int]
    body: Json | None
    content_type: str
    timeout_s: float | tuple[float, float]


class Api:
    """GET, LIST, PATCH, POST, DELETE and WATCH in plain JSON. Safe to use from several threads."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def get(self, path: str, **query: str | int) -> Json:
        """One object, or a list object. Raises KubernetesError."""
        return self._call("GET", path, query=query)

    def find(self, path: str) -> Json | None:
        """One object, or None when it is not there."""
        try:
            return self.get(path)
        except KubernetesError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, **query: str | int) -> list[Json]:
        """The objects of a list."""
        found: list[Json] = self.get(path, **query)["items"]
        return found

    def text(self, path: str) -> str:
        """What is no JSON: the metrics of a node, for instance."""
        return self._send("GET", path).data.decode("utf-8", "replace")

    def patch(self, path: str, body: Json, content_type: str = MERGE_PATCH, **query: str | int) -> Json:
        return self._call("PATCH", path, body=body, content_type=content_type, query=query)

    def post(self, path: str, body: Json, **query: str | int) -> Json:
        return self._call("POST", path, body=body, query=query)

    def put(self, path: str, body: Json) -> Json:
        return self._call("PUT", path, body=body)

    def delete(self, path: str, body: Json | None = None) -> Json:
        return self._call("DELETE", path, body=body)

    def watch(self, path: str, resource_version: str, timeout_s: int, **query: str | int) -> WatchStream:
        """A stream of changes after `resource_version`; the server ends it after `timeout_s`."""
        wanted = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": timeout_s,
            **query,
        }
        # Half as long again as the server's own end: a stream that is silent for longer than that is dead.
        return WatchStream(self._send("GET", path, query=wanted, timeout_s=(CONNECT_TIMEOUT_S, timeout_s * 1.5)))

    def _call(self, verb: str, path: str, **parts: Unpack[_Parts]) -> Json:
        response = self._send(verb, path, **parts)
        try:
            answer: Json = json.loads(response.data)
        except (ValueError, urllib3.exceptions.HTTPError) as error:
            raise KubernetesError(f"Kubernetes: half an answer to {verb} {path}: {error}") from error
        return answer

    def _send(self, verb: str, path: str, **parts: Unpack[_Parts]) -> urllib3.HTTPResponse:
        from kubernetes.client.exceptions import ApiException

        headers = {"Accept": "application/json"}
        body = parts.get("body")
        if body is not None:
            headers["Content-Type"] = parts.get("content_type", "application/json")
        request = self._client.param_serialize(
            verb,
            path,
            query_params=[(key, str(value)) for key, value in parts.get("query", {}).items()],
            header_params=headers,
            body=body,
            auth_settings=_AUTH,
        )
        timeout_s = parts.get("timeout_s", CALL_TIMEOUT_S)
        try:
            response: urllib3.HTTPResponse = self._client.call_api(*request, _request_timeout=timeout_s).response
            if response.status >= 300:
                raise _refused(verb, path, response.status, response.data)
        except (urllib3.exceptions.HTTPError, OSError, ApiException) as error:
            raise KubernetesError(
                f"the Kubernetes API does not answer ({verb} {path}): {_words(error)}",
                hint="for the lab: shiftproof lab status",
            ) from error
        return response


class WatchStream:
    """The lines of one watch; `close` may be called from another thread and ends the iteration."""

    def __init__(self, response: urllib3.HTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[Json]:
        """Each change: {"type": ADDED | MODIFIED | DELETED | BOOKMARK | ERROR, "object": …}.

        Raises urllib3's HTTPError, OSError or ValueError (a line cut short) when the stream breaks.
        """
        rest = b""
        for chunk in self._response.stream(amt=None):
            rest += chunk
            *lines, rest = rest.split(b"\n")
            for line in lines:
                if line.strip():
                    yield json.loads(line)
        if rest.strip():
            yield json.loads(rest)

    def close(self) -> None:
        """End it now, though another thread is waiting in it."""
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # closed already, which is what was wanted
            self._response.shutdown()


def _refused(verb: str, path: str, status: int, data: bytes) -> KubernetesError:
    try:
        message = str(json.loads(data).get("message", ""))
    except (ValueError, AttributeError):
        message = data[:200].decode("utf-8", "replace")
    return KubernetesError(f"Kubernetes refused {verb} {path}: {status} {message}".rstrip(), status=status)


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason if reason is not None else error)
