"""What a look at the cluster compares, on a real API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from servers.kube_api import kube_api

from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.adapters.kubernetes.objects import Objects
from shiftproof.sensitivity.look import _objects

pytestmark = pytest.mark.component

POD: dict[str, Any] = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
OWNER = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "u", "controller": True}


def test_everything_that_people_write_is_compared_and_what_is_made_for_them_is_not(tmp_path: Path) -> None:
    with kube_api(tmp_path) as target:
        api = Api(connect(target))
        api.post("/api/v1/namespaces", {"metadata": {"name": "payments"}})
        objects = Objects(api)
        before = dict(_objects(api, "payments"))

        def make(kind: str, name: str = "new", **fields: Any) -> None:
            metadata = {"name": name, **fields.pop("metadata", {})}
            objects.create(objects.locate(kind, name, "payments"), {"metadata": metadata, **fields})

        make("Role", rules=[])
        make("RoleBinding", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "new"})
        make("ServiceAccount")
        make("Ingress", spec={"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}})
        make("CronJob", spec={"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": POD}}})
        make("Job", spec={"template": POD})
        make("Job", "made-by-a-cronjob", metadata={"ownerReferences": [OWNER]}, spec={"template": POD})
        added = dict(_objects(api, "payments")).keys() - before.keys()
        assert added == {
            f"{kind} new" for kind in ("Role", "RoleBinding", "ServiceAccount", "Ingress", "CronJob", "Job")
        }
