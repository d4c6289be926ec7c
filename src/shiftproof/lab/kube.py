"""The little that the lab itself asks of the API server, without a client library: it costs a second to import."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shiftproof.errors import LabError
from shiftproof.lab.certificates import Pair
from shiftproof.lab.network import APISERVER_PORT, CONTROL_IP

SERVER = f"https://{CONTROL_IP}:{APISERVER_PORT}"


class ApiError(LabError):
    """The API server said no; `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class KubeApi:
    """JSON in, JSON out, one connection a call. Safe for use by several threads."""

    def __init__(self, authority: Path, client: Pair, timeout_s: float = 5.0) -> None:
        self._context = ssl.create_default_context(cafile=str(authority))
        self._context.load_cert_chain(client.certificate, client.key)
        self._timeout_s = timeout_s

    def get(self, path: str) -> dict[str, Any]:
        """Raises ApiError, OSError."""
        return self._call("GET", path)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Raises ApiError (status 409 when it is there), OSError."""
        return self._call("POST", path, body)

    def delete(self, path: str) -> None:
        """Ask for its end; it may take a while. Raises ApiError (status 404 when it is not there), OSError."""
        self._call("DELETE", path)

    def problem(self, path: str = "/readyz") -> str | None:
        """None when the path answers 200."""
        try:
            status, text = self._ask("GET", path, None)
        except (OSError, http.client.HTTPException) as error:
            return f"{path}: {str(error) or type(error).__name__}"
        return (
            None
            if status == 200
            else f"{path} answers {status}: {text.strip().splitlines()[-1][:200] if text.strip() else ''}"
        )

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        status, text = self._ask(method, path, body)
        if status >= 300:
            raise ApiError(f"{method} {path} answers {status}: {text.strip()[:300]}", status)
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, str]:
        connection = http.client.HTTPSConnection(
            CONTROL_IP, APISERVER_PORT, timeout=self._timeout_s, context=self._context
        )
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json", "Accept": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def conditions(item: Mapping[str, Any]) -> dict[str, str]:
    """Condition type -> status of any Kubernetes object; empty for one that was not looked at yet (null, there)."""
    status = item.get("status") or {}
    return {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}


def write_kubeconfig(path: Path, authority: Path, client: Pair) -> None:
    """A kubeconfig for one user (JSON is YAML), holding the certificates themselves, so that it can be copied about."""

    def data(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    user = {"client-certificate-data": data(client.certificate), "client-key-data": data(client.key)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": SERVER, "certificate-authority-data": data(authority)}}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
        "current-context": "lab",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=1))
