from __future__ import annotations

from pathlib import Path

import pytest
from fakes.kubernetes_api import kubeconfig_text

from shiftproof.adapters.kubernetes import Api, KubernetesError, connect
from shiftproof.errors import LabError, UserError
from shiftproof.model.target import Target


def target(kubeconfig: Path, kind: str = "eks") -> Target:
    return Target.model_validate(
        {
            "name": "somewhere",
            "kind": kind,
            "entry": "http://198.18.0.10",
            "aws_endpoint": "http://127.0.0.1:1",
            "kubeconfig": str(kubeconfig),
        }
    )


def test_a_kubeconfig_that_turns_off_certificate_checks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig_text("https://127.0.0.1:1", {"insecure-skip-tls-verify": True}))
    with pytest.raises(UserError, match="turns off the checking of certificates"):
        connect(target(path))


def test_certificates_are_checked_when_nothing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig_text("https://127.0.0.1:1"))
    assert connect(target(path)).configuration.verify_ssl is True


def test_no_kubeconfig_means_that_the_lab_is_not_up(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="not up"):
        connect(target(tmp_path / "none", kind="lab"))
    with pytest.raises(UserError, match="not there"):
        connect(target(tmp_path / "none"))


def test_a_broken_kubeconfig_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("clusters: []\n")
    with pytest.raises(UserError, match="cannot be used"):
        connect(target(path))


def test_an_api_that_is_down_is_our_set_up_and_no_fault_of_the_service(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig_text("http://127.0.0.1:1"))
    with pytest.raises(KubernetesError, match="does not answer") as caught:
        Api(connect(target(path))).get("/api/v1/nodes")
    assert caught.value.status is None
