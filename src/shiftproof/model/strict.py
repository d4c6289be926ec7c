"""What models of people's files have in common: their base, and kinds of values that recur in them.

Only what people write is pydantic: every error must name its place. Reading the files (and turning an error into
`file:line: what is wrong`) is shiftproof.adapters.documents' work.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,50}[a-z0-9])?$")]
Share = Annotated[float, Field(gt=0, lt=1)]
Pct = Annotated[int, Field(ge=0, le=100)]


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt objective must not silently fall back to a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
