"""HAProxy's configuration, written from rules and groups; it changes (and HAProxy reloads) only when these do.

Weights and targets are not in it: they change through the runtime API. The settings make HAProxy behave as an
Application Load Balancer does; docs/LOAD_BALANCER.md lists where it still differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shiftproof.errors import LabError
from shiftproof.lab.lb.desired import Address, Condition, Desired, Group, Rule
from shiftproof.lab.lb.slots import GROUP, SHARES, STICKY
from shiftproof.model.marks import ID_HEADER, REHEARSAL_HEADER

PLACES = tuple(f"s{number}" for number in range(1, 49))
"""Servers that stand ready in each group: more pods than a service of the lab can have, draining ones included."""

NOWHERE = Address("127.0.0.1", 1)

OPEN = ".open"
"""Ends the name of a group's second backend, used while none of its targets is healthy: an ALB then fails open."""

STICKY_COOKIE = "AWSALBTG"

CONDITION_FIELDS = ("path-pattern", "http-header", "host-header", "http-request-method")


@dataclass(frozen=True, slots=True)
class Files:
    """Where the load balancer keeps what it writes."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "haproxy.cfg"

    @property
    def socket(self) -> Path:
        return self.folder / "haproxy.sock"

    @property
    def inner(self) -> Path:
        return self.folder / "rules.sock"

    @property
    def state(self) -> Path:
        return self.folder / "servers.state"

    @property
    def access_log(self) -> Path:
        return self.folder / "access.log"

    @property
    def errors(self) -> Path:
        return self.folder / "haproxy.err"

    def map(self, rule: Rule) -> Path:
        return self.folder / "maps" / f"{rule.key}.map"


Taken = Mapping[str, Mapping[str, Address]]
"""By target group: the places that targets have now, with their addresses."""


def render(desired: Desired, files: Files, bind: str, taken: Taken) -> str:
    """The whole configuration. Raises LabError for a condition that the lab cannot follow.

    Addresses are written for a process that takes over: HAProxy's state file brings health over, and no addresses.
    """
    parts = [_global(files), _DEFAULTS, _entry(files, bind), _rules(desired.rules, files)]
    parts += [_backends(group, taken.get(name, {})) for name, group in sorted(desired.groups.items()) if group.in_use]
    parts.append("backend no-target\n")
    return "\n".join(parts)


def _global(files: Files) -> str:
    return f"""global
    stats socket {files.socket} mode 600 level admin expose-fd listeners
    server-state-file {files.state}
    nbthread 1
    maxconn 8000
    spread-checks 0
    hard-stop-after 60s
"""


# 60 s idle and 10 s to connect are an ALB's own. Connections to targets are shared by all clients and stay for the idle
# time-out: stale ones must be able to hurt.
_DEFAULTS = """defaults
    mode http
    retries 0
    no option redispatch
    option http-keep-alive
    http-reuse always
    default-server pool-purge-delay 60s
    timeout client 60s
    timeout server 60s
    timeout http-request 60s
    timeout http-keep-alive 60s
    timeout connect 10s
    timeout queue 60s
    load-server-state-from-file global
"""

# One JSON object a line. Values from outside are cut short and escaped before they come here.
_LOG_FORMAT = (
    '{"t_us":%[date(0,us)],"id":"%[var(txn.id)]","rehearsal":"%[var(txn.rehearsal)]","method":"%[var(txn.method)]",'
    '"path":"%[var(txn.path)]","backend":"%b","target":"%si:%sp","status":%ST,"end":"%ts",'
    '"wait_ms":%Tw,"connect_ms":%Tc,"answer_ms":%Tr,"total_ms":%Ta}'
)


def _entry(files: Files, bind: str) -> str:
    """Where clients come in; each request goes on to the rules on a connection of its own.

    When a target resets a request that was not the first on its client's connection, HAProxy closes that connection
    without an answer and without a line in the log, so that the client may try again. An ALB answers 502 and logs it.
    With this step between, every request is the first.
    """
    return f"""frontend entry
    bind {bind}
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    default_backend rules

backend rules
    option http-server-close
    http-reuse never
    server rules unix@{files.inner}
"""


def _rules(rules: Sequence[Rule], files: Files) -> str:
    lines = [
        "frontend rules",
        f"    bind unix@{files.inner} mode 600",
        # Log on this frontend alone: messages about servers would come between the lines of requests.
        "    log stdout len 2048 format raw local0 info",
        f"    log-format {_quoted(_LOG_FORMAT)}",
        f"    http-request set-var(txn.id) req.hdr({ID_HEADER}),bytes(0,64),json(utf8ps)",
        f"    http-request set-var(txn.rehearsal) req.hdr({REHEARSAL_HEADER}),bytes(0,16),json(utf8ps)",
        "    http-request set-var(txn.method) method,bytes(0,16),json(utf8ps)",
        "    http-request set-var(txn.path) path,bytes(0,128),json(utf8ps)",
    ]
    for rule in rules:
        tests = ["!{ var(txn.rule) -m found }", *(f"{{ {_acl(condition)} }}" for condition in rule.conditions)]
        lines.append(f"    http-request set-var(txn.rule) str({rule.key}) if {' '.join(tests)}")
    for rule in rules:
        mine = f"{{ var(txn.rule) -m str {rule.key} }}"
        if rule.weights:
            lines += _draw(files.map(rule), mine)
        else:
            lines.append(f"    http-request return status {rule.status} if {mine}")
    lines += [
        _STICK,
        f"    use_backend %[var(txn.group)]{OPEN} if {{ var(txn.group),nbsrv eq 0 }}",
        "    use_backend %[var(txn.group)]",
        "    default_backend no-target",
        "",
    ]
    return "\n".join(lines)


def _draw(table: Path, mine: str) -> list[str]:
    """A group by the rule's weights; and whether clients stick, and to which of the rule's groups this one does."""
    return [
        f"    http-request set-var(txn.group) rand({SHARES}),map({table}) if {mine}",
        f"    http-request set-var(txn.sticky_s) str({STICKY}),map({table}) if {mine}",
        f"    http-request set-var(txn.stuck) req.cook({STICKY_COOKIE}),field(1,.),map({table}) if {mine}",
    ]


# As an ALB: the cookie holds the group and until when; clients keep it for a week, the load balancer decides. Whoever
# sticks goes on doing so when the weights change, and until the time is over: nothing prolongs it.
_STICK = f"""    http-request set-var(txn.now) date()
    acl sticks var(txn.sticky_s) -m int gt 0
    acl stuck var(txn.left_s) -m int gt 0
    acl named var(txn.stuck) -m found
    http-request set-var(txn.left_s) req.cook({STICKY_COOKIE}),field(2,.),sub(txn.now) if sticks named
    http-request set-var(txn.group) var(txn.stuck) if stuck
    http-request set-var(txn.until) date(),add(txn.sticky_s) if sticks !stuck
    http-response add-header Set-Cookie "{STICKY_COOKIE}={GROUP}%[var(txn.group)].%[var(txn.until)]; \
Expires=%[date(604800),http_date]; Path=/" if {{ var(txn.until) -m found }}"""


def _backends(group: Group, taken: Mapping[str, Address]) -> str:
    request = f"meth GET uri {_quoted(group.check_path)} ver HTTP/1.1"
    # static-rr takes strict turns. HAProxy's "roundrobin" was seen to give a server that just came up six in a row.
    return f"""backend {group.name}
    balance static-rr
    option httpchk
    http-check send {request} hdr Host {group.name} hdr User-Agent ELB-HealthChecker/2.0
    http-check expect status {group.check_codes}
    timeout check {group.timeout_ms}ms
    default-server inter {group.interval_ms}ms rise {group.rise} fall {group.fall}
{_places(taken, "check disabled")}
backend {group.name}{OPEN}
    balance static-rr
{_places(taken, "disabled")}"""


def _places(taken: Mapping[str, Address], options: str) -> str:
    return "".join(f"    server {place} {taken.get(place, NOWHERE)} {options}\n" for place in PLACES)


def _acl(condition: Condition) -> str:
    """One ACL expression: any of the values, with AWS's wildcards. Header and host ignore case, paths do not."""
    patterns = " ".join(_quoted(_regex(value)) for value in condition.values)
    match condition.field:
        case "path-pattern":
            return f"path -m reg {patterns}"
        case "http-header":
            return f"req.fhdr({condition.name}) -m reg -i {patterns}"
        case "host-header":
            return f"req.hdr(host),field(1,:) -m reg -i {patterns}"
        case "http-request-method":
            return f"method -m reg {patterns}"
    raise LabError(f"the lab's load balancer cannot follow a rule condition on {condition.field!r}")


def _regex(value: str) -> str:
    pieces = {"*": ".*", "?": "."}
    return "^" + "".join(pieces.get(char, re.escape(char)) for char in value) + "$"


def _quoted(text: str) -> str:
    """As one word of HAProxy's configuration; strong quotes know no escape, so a quote inside cannot be written."""
    if "'" in text or "\n" in text:
        raise LabError(f"the lab's load balancer cannot take a quote or a line break in {text!r}")
    return f"'{text}'"
