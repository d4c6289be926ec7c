"""One request, one arrival: HTTP/1.1 on kept connections, never sent twice, with a time-out for all of it.

geventhttpclient parses the answers; its client is not used, because it sends a GET again after a reset (with
max_retries=0 too), which would hide exactly what the gate looks for, and its time-outs are per read, so that a server
that trickles is never timed out.
"""

from __future__ import annotations

import errno
import ipaddress
import select
import socket as stdlib_socket
import ssl
import time
from urllib.parse import urlsplit

from gevent import Timeout, monkey
from gevent import socket as gsocket
from gevent import ssl as gssl
from geventhttpclient.response import HTTPParseError, HTTPResponse

from shiftproof.load.answer import Answer
from shiftproof.model.event import Failure

IDLE_LIMIT_S = 20.0
"""A connection idle for longer is not used again: load balancers close idle ones (an ALB after 60 s by default), and a
request that crosses that close on its way is lost by the client's fault, not by the service's."""

READ_BYTES = 65_536
SERVED_BY = "x-served-by"

_OUR_OWN_FAULT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_BY_ERRNO = {
    errno.ECONNREFUSED: Failure.REFUSED,
    errno.ECONNRESET: Failure.RESET,
    errno.EPIPE: Failure.RESET,
    errno.ECONNABORTED: Failure.RESET,
    errno.ETIMEDOUT: Failure.TIMEOUT,
}
_poll = monkey.get_original("select", "poll")  # never waits here, so it need not go through gevent's hub


class OwnFaultError(Exception):
    """This machine ran out of something (sockets, ports, memory): no statement about the service."""


class Connections:
    """The kept connections of one side. `ask` may be called from many greenlets at once."""

    def __init__(self, base_url: str, timeout_s: float) -> None:
        url = urlsplit(base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"{base_url!r} is no http or https URL")
        self._tls = gssl.create_default_context() if url.scheme == "https" else None
        self._host = url.hostname
        self._port = url.port or (443 if self._tls else 80)
        self._family = _family_of(self._host)
        self._timeout_s = timeout_s
        self._idle: list[tuple[gsocket.socket, float]] = []

    def ask(self, request: bytes, method: str) -> Answer:
        """Send once and wait for the whole answer, `timeout_s` at most for connecting, sending and reading together.

        Raises OwnFaultError when this machine, not the service, is at fault.
        """
        timer = Timeout.start_new(self._timeout_s)
        sock: gsocket.socket | None = None
        keep = False
        try:
            sock = self._take()
            sock.sendall(request)
            response = _receive(sock, method)
            keep = not response.should_close()
            return _answer(response)
        except Timeout as fired:
            if fired is not timer:
                raise
            return Answer(Failure.TIMEOUT)
        except ConnectionEndedError:
            return Answer(Failure.RESET)
        except HTTPParseError:
            return Answer(Failure.OTHER)
        except OSError as error:
            if error.errno in _OUR_OWN_FAULT:
                raise OwnFaultError(f"the load generator's machine: {error.strerror}") from error
            return Answer(_failure_of(error))
        finally:
            timer.close()
            if sock is not None:
                self._give_back(sock, keep)

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()

    def _take(self) -> gsocket.socket:
        """The connection used last, if it is still fit to be used; else a new one."""
        oldest = time.monotonic() - IDLE_LIMIT_S
        while self._idle:
            sock, since = self._idle.pop()
            if since >= oldest and not _has_something_to_say(sock):
                return sock
            sock.close()
        return self._connect()

    def _give_back(self, sock: gsocket.socket, keep: bool) -> None:
        if keep:
            self._idle.append((sock, time.monotonic()))
        else:
            sock.close()

    def _connect(self) -> gsocket.socket:
        sock = self._connected()
        try:
            sock.setsockopt(stdlib_socket.IPPROTO_TCP, stdlib_socket.TCP_NODELAY, 1)
            return self._tls.wrap_socket(sock, server_hostname=self._host) if self._tls else sock
        except BaseException:  # gevent's Timeout is no Exception, and the socket must not leak
            sock.close()
            raise

    def _connected(self) -> gsocket.socket:
        """A name is resolved for each connection, as a client should that moves with its service."""
        if self._family is None:
            return gsocket.create_connection((self._host, self._port))
        sock = gsocket.socket(self._family, stdlib_socket.SOCK_STREAM)
        try:
            sock.connect((self._host, self._port))
        except BaseException:
            sock.close()
            raise
        return sock


class ConnectionEndedError(Exception):
    """The other side closed before a whole answer."""


def _family_of(host: str) -> int | None:
    """The family of an address; None for a name. gevent resolves addresses too on a thread, which would be late."""
    try:
        return stdlib_socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else stdlib_socket.AF_INET
    except ValueError:
        return None


def _has_something_to_say(sock: gsocket.socket) -> bool:
    """True when an idle connection is readable: it was closed, or holds what belongs to no request of ours."""
    poll = _poll()
    poll.register(sock.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


class _Response(HTTPResponse):
    """The parser with its body: geventhttpclient gives that only to responses that read their own sockets."""

    def body(self) -> bytes:
        return bytes(self._body_buffer)


def _receive(sock: gsocket.socket, method: str) -> _Response:
    """Read until the answer is whole; raises ConnectionEndedError when it ends before."""
    response = _Response(method)
    while not (response.message_complete and response.get_code() >= 200):
        data = sock.recv(READ_BYTES)
        if data:
            response.feed(data)
            continue
        if not response.headers_complete or response.get_code() < 200:
            raise ConnectionEndedError
        try:
            response.feed(b"")  # an answer without a length ends with its connection
        except HTTPParseError as error:
            raise ConnectionEndedError from error
        if not response.message_complete:
            raise ConnectionEndedError
    return response


def _answer(response: _Response) -> Answer:
    served_by, content_type = response.get(SERVED_BY), response.get("content-type")
    cookies = response.get("set-cookie") or ()
    return Answer(
        Failure.NONE,
        response.get_code(),
        response.body(),
        served_by if isinstance(served_by, str) else "",
        content_type if isinstance(content_type, str) else "",
        (cookies,) if isinstance(cookies, str) else tuple(cookies),
    )


def _failure_of(error: OSError) -> Failure:
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Failure.RESET
    return _BY_ERRNO.get(error.errno or 0, Failure.OTHER)
