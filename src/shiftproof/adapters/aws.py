"""What every adapter of an AWS service needs: a client for a target, and its errors in our own tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shiftproof.errors import SetupError
from shiftproof.model.target import Target

_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 3, "mode": "standard"})


def aws_client(service: str, target: Target) -> Any:
    """boto3's client with its own credentials; the lab's API takes any. Calls nothing yet. Raises SetupError.

    Untyped, as boto3 itself is: whoever uses it says in a Protocol what it needs of it.
    """
    own: dict[str, Any] = {}
    if target.kind == "lab":
        own = {"aws_access_key_id": "lab", "aws_secret_access_key": "lab"}
    make: Any = boto3.client
    try:
        return make(service, region_name=target.region, endpoint_url=target.aws_endpoint, config=_CONFIG, **own)
    except (BotoCoreError, ValueError) as error:
        raise SetupError(f"no client for AWS's {service} API of target {target.name}: {error}") from error


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Turn botocore's errors into SetupError that says what we were doing."""
    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        code = details.get("Code", "unknown")
        hint = "renew the credentials" if "Expired" in code or "AccessDenied" in code else None
        raise SetupError(f"AWS refused to {doing}: {code}: {details.get('Message', '')}", hint=hint) from error
    except BotoCoreError as error:
        raise SetupError(f"could not {doing}: {error}") from error
