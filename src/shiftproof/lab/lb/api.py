"""The AWS API of the lab: moto as a WSGI application, and in front of it what moto does not know or does not refuse.

- DescribeTargetHealth is answered with what HAProxy knows.
- What AWS refuses and moto takes is refused: weights outside 0..999, conditions that the lab could not follow.
- `/_lab/ready` (GET) and `/_lab/lag` (GET, PUT) are the lab's own.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from shiftproof.lab.lb.config import CONDITION_FIELDS
from shiftproof.lab.lb.desired import Address, Group
from shiftproof.lab.lb.lag import Lag, SharedLag
from shiftproof.lab.lb.reconciler import TargetHealth

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ELBV2_VERSION = "2015-12-01"
NAMESPACE = f"http://elasticloadbalancing.amazonaws.com/doc/{ELBV2_VERSION}/"
MAX_BODY_BYTES = 1 << 20
WEIGHT = re.compile(r"^(?:Default)?Actions\.member\.\d+\.ForwardConfig\.TargetGroups\.member\.\d+\.Weight$")
FIELD = re.compile(r"^Conditions\.member\.\d+\.Field$")

Health = Callable[[str, Sequence[Address]], Sequence[TargetHealth]]


class LabApi:
    """The WSGI application. `groups` gives target groups by name as the API holds them, `health` what HAProxy knows of
    one, `status` what `/_lab/ready` tells (its "ready" decides between 200 and 503)."""

    def __init__(
        self,
        moto: WSGIApplication,
        lag: SharedLag,
        groups: Callable[[], Mapping[str, Group]],
        health: Health,
        status: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._moto = moto
        self._lag = lag
        self._groups = groups
        self._health = health
        self._status = status

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_lab/"):
            return self._lab(path, environ, start_response)
        if environ.get("REQUEST_METHOD") == "POST" and "urlencoded" in environ.get("CONTENT_TYPE", ""):
            body = _body(environ)
            environ["wsgi.input"] = io.BytesIO(body)
            answer = self._elbv2(dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))
            if answer is not None:
                return _respond(start_response, *answer)
        return self._moto(environ, start_response)

    def _elbv2(self, fields: Mapping[str, str]) -> tuple[int, str, bytes] | None:
        """Our answer (status, content type, body), or None to leave it to moto."""
        if fields.get("Version") != ELBV2_VERSION:
            return None
        problem = refusal(fields)
        if problem is not None:
            return _xml(400, _error(problem))
        if fields.get("Action") != "DescribeTargetHealth":
            return None
        arn = fields.get("TargetGroupArn", "")
        group = next((group for group in self._groups().values() if group.arn == arn), None)
        if group is None:
            return None  # moto has the words for it
        return _xml(200, _health_answer(self._health(group.name, _asked(fields, group))))

    def _lab(self, path: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ.get("REQUEST_METHOD")
        if path == "/_lab/ready" and method == "GET":
            status = self._status()
            return _respond(start_response, *_json(200 if status["ready"] else 503, status))
        if path == "/_lab/lag" and method in ("GET", "PUT"):
            if method == "PUT":
                problem = self._set_lag(_body(environ))
                if problem is not None:
                    return _respond(start_response, *_json(400, {"problem": problem}))
            return _respond(start_response, *_json(200, asdict(self._lag.get())))
        return _respond(start_response, *_json(404, {"problem": f"there is no {method} {path}"}))

    def _set_lag(self, body: bytes) -> str | None:
        """Set what is named and leave the rest. Returns why not, if not."""
        try:
            values = {**asdict(self._lag.get()), **json.loads(body)}
            leaving = values.pop("deregistration_s")
            lag = Lag(
                weights_s=float(values.pop("weights_s")),
                registration_s=float(values.pop("registration_s")),
                deregistration_s=None if leaving is None else float(leaving),
            )
        except (ValueError, TypeError) as error:
            return f'a JSON object such as {{"weights_s": 0, "registration_s": 10}} is wanted: {error}'
        problem = f"unknown: {', '.join(sorted(values))}" if values else lag.problem()
        if problem is None:
            self._lag.set(lag)
        return problem


def refusal(fields: Mapping[str, str]) -> str | None:
    """What AWS would refuse of an elbv2 request's fields and moto would not: the error's message, or None."""
    for key, value in fields.items():
        if WEIGHT.match(key) and not (value.lstrip("-").isdigit() and 0 <= int(value) <= 999):
            return (
                f"1 validation error detected: Value '{value}' at '{key}' failed to satisfy constraint: "
                "a target group's weight is between 0 and 999"
            )
        if FIELD.match(key) and value not in CONDITION_FIELDS:
            return f"the lab's load balancer does not follow conditions on '{value}'"
    return None


def serve(app: WSGIApplication, host: str, port: int) -> BaseWSGIServer:
    """Serve on a thread of its own until `shutdown()`."""
    server = make_server(host, port, app, threaded=True, request_handler=_Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="aws-api", daemon=True).start()
    return server


def moto_application() -> WSGIApplication:
    application: WSGIApplication = DomainDispatcherApplication(create_backend_app)
    return application


class _Handler(MotoRequestHandler):
    """Keeps connections, and does not wait for acknowledgements between head and body of an answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Several a second are polls: not worth a line."""


def _asked(fields: Mapping[str, str], group: Group) -> Sequence[Address]:
    asked = []
    number = 1
    while (ip := fields.get(f"Targets.member.{number}.Id")) is not None:
        asked.append(Address(ip, int(fields.get(f"Targets.member.{number}.Port", group.port))))
        number += 1
    return asked


def _health_answer(targets: Sequence[TargetHealth]) -> ET.Element:
    root = ET.Element("DescribeTargetHealthResponse", xmlns=NAMESPACE)
    result = ET.SubElement(root, "DescribeTargetHealthResult")
    listed = ET.SubElement(result, "TargetHealthDescriptions")
    for target in targets:
        member = ET.SubElement(listed, "member")
        _leaves(ET.SubElement(member, "Target"), Id=target.address.ip, Port=str(target.address.port))
        _leaves(member, HealthCheckPort=str(target.address.port))
        health = ET.SubElement(member, "TargetHealth")
        _leaves(health, State=target.state, Reason=target.reason, Description=target.description)
    _leaves(ET.SubElement(root, "ResponseMetadata"), RequestId="00000000-0000-0000-0000-000000000000")
    return root


def _error(message: str) -> ET.Element:
    root = ET.Element("ErrorResponse", xmlns=NAMESPACE)
    _leaves(ET.SubElement(root, "Error"), Type="Sender", Code="ValidationError", Message=message)
    _leaves(root, RequestId="00000000-0000-0000-0000-000000000000")
    return root


def _leaves(parent: ET.Element, **texts: str) -> None:
    for name, text in texts.items():
        if text:
            ET.SubElement(parent, name).text = text


def _body(environ: WSGIEnvironment) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return bytes(environ["wsgi.input"].read(min(length, MAX_BODY_BYTES)))


def _xml(status: int, root: ET.Element) -> tuple[int, str, bytes]:
    return status, "text/xml", ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _json(status: int, value: Mapping[str, Any]) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(value).encode()


_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 503: "Service Unavailable"}


def _respond(start_response: StartResponse, status: int, content_type: str, body: bytes) -> Iterable[bytes]:
    start_response(f"{status} {_REASONS[status]}", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]
