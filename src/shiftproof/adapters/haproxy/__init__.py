"""The lab's load balancer's access log."""

from shiftproof.adapters.haproxy.access_log import HaproxyAccessLog

__all__ = ["HaproxyAccessLog"]
