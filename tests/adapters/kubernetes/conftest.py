from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.kubernetes_api import FakeKubernetes, lab_target, serving

from shiftproof.adapters.kubernetes import connect


@pytest.fixture
def fake_and_client(tmp_path: Path) -> Iterator[tuple[FakeKubernetes, Any]]:
    with serving(tmp_path) as (fake, kubeconfig):
        yield fake, connect(lab_target(kubeconfig))
