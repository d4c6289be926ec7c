"""The two things that kubectl is asked for: to build a kustomize folder, and to apply one as a deploy does."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from shiftproof.errors import SetupError
from shiftproof.lab.enter import kubectl_path
from shiftproof.model.target import Target

WITHIN_S = 120.0


def built(folder: Path) -> list[dict[str, Any]]:
    """The objects of a kustomize folder. Raises SetupError with kubectl's words."""
    documents = YAML(typ="safe", pure=True).load_all(_kubectl("kustomize", str(folder)))
    return [document for document in documents if document]


def apply(folder: Path, target: Target) -> None:
    """`kubectl apply -k`. Raises SetupError with kubectl's words."""
    where = ["--kubeconfig", str(Path(str(target.kubeconfig)).expanduser())] if target.kubeconfig else []
    where += ["--context", target.kube_context] if target.kube_context else []
    _kubectl(*where, "apply", "-k", str(folder))


def _kubectl(*arguments: str) -> str:
    program = kubectl_path()
    if program is None:
        raise SetupError("kubectl is not there", hint="shiftproof lab build, or install it")
    with tempfile.TemporaryDirectory(prefix="shiftproof-kubectl-") as cache:
        environment: Mapping[str, str] = {**os.environ, "KUBECACHEDIR": cache}
        try:
            done = subprocess.run(
                [str(program), *arguments],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=WITHIN_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SetupError(f"kubectl {arguments[-1]}: {error}") from error
    if done.returncode != 0:
        last = " ".join(done.stderr.strip().splitlines()[-3:])
        raise SetupError(f"kubectl could not build or apply {arguments[-1]}: {last}")
    return done.stdout
