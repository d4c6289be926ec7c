"""Files of defects, as small as they may be."""

from __future__ import annotations

from pathlib import Path

DEFECT = """\
id: test-defect
title: A test
evidence: nowhere#1
service: payments
plant:
{plant}
expect: {{claim: outage}}
"""


def defect_file(folder: Path, plant: str) -> Path:
    file = folder / "defect.yaml"
    file.write_text(DEFECT.format(plant=plant))
    return file
