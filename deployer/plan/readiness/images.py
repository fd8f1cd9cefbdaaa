"""Why an image cannot be pulled, told from the words of containerd, CRI-O or Docker."""

from __future__ import annotations

import re
from typing import Literal

from deployer.plan.readiness.evidence import clip

Prospect = Literal["passes", "stays", "unknown"]

_PERMANENT = (
    (
        ("not found", "manifest unknown", "name unknown", "does not exist", "notfound"),
        "the registry does not have it",
    ),
    (
        (
            "unauthorized",
            "401",
            "403",
            "forbidden",
            "authentication required",
            "access denied",
            "authorization failed",
            "no basic auth credentials",
            "insufficient_scope",
        ),
        "the registry refuses access",
    ),
    (("no match for platform", "no matching manifest"), "it has no variant for the node's platform"),
    (("x509", "certificate"), "the registry's certificate is not trusted"),
    (("server gave http response to https client",), "the registry speaks HTTP where HTTPS is expected"),
    (("invalid reference format",), "its name is not valid"),
)
_PASSING = (
    ("no such host", "the registry's name does not resolve"),
    ("connection refused", "the registry refuses connections"),
    ("timeout", "the registry does not answer in time"),
    ("deadline exceeded", "the registry does not answer in time"),
    ("connection reset", "the registry broke the connection"),
    ("eof", "the registry broke the connection"),
    ("too many requests", "the registry asks to come back later"),
    ("toomanyrequests", "the registry asks to come back later"),
    ("server misbehaving", "the registry's name cannot be resolved"),
    ("network is unreachable", "the registry's network cannot be reached"),
    ("no route to host", "the registry's network cannot be reached"),
    ("internal server error", "the registry has an error of its own"),
    ("bad gateway", "the registry has an error of its own"),
    ("service unavailable", "the registry has an error of its own"),
    ("no space left", "the node's disk is full"),
)


def pull_problem(message: str) -> tuple[str, Prospect]:
    """The cause in a few words, and whether it may pass by itself."""
    lower = _without_names(message).lower()
    for word, cause in _PASSING:
        if word in lower:
            return cause, "passes"
    for words, cause in _PERMANENT:
        if any(word in lower for word in words):
            return cause, "stays"
    return clip(message.rpartition(": ")[2] or "the node does not say why", 120), "unknown"


def _without_names(message: str) -> str:
    """The message without quoted names and digests, whose digits and words say nothing about the cause."""
    return re.sub(r'"[^"]*"|sha256:[0-9a-f]+|\S+/\S+:\S+', " ", message)
