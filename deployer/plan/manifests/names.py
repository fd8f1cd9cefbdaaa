"""The rules for names, labels and annotations of objects (RFC 1123, and what single kinds ask beyond it)."""

from __future__ import annotations

import re

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_DNS_1035_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")

_RBAC = frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})
_LABEL_NAMED = frozenset({"Namespace", "StatefulSet"})
_FREELY_NAMED = frozenset({"IPAddress", "ClusterTrustBundle"})
_MAXIMUM = {"CronJob": (52, "Kubernetes appends 11 characters for each Job")}

ANNOTATIONS_LIMIT = 262_144
"""Bytes that all annotations of one object may have, keys included."""


def name_problem(kind: str, name: str) -> str | None:
    """What is wrong with an object's name; None when nothing is."""
    if kind in _FREELY_NAMED:
        return None
    if kind in _RBAC:
        return "must not be . or .. or contain / or %" if name in (".", "..") or {"/", "%"} & set(name) else None
    if kind in _MAXIMUM and len(name) > _MAXIMUM[kind][0]:
        limit, why = _MAXIMUM[kind]
        return f"has {len(name)} characters; a {kind} may have {limit} ({why})"
    if kind == "Service":
        return _fits(name, _DNS_1035_LABEL, 63, "lower-case letters, digits and -, beginning with a letter")
    if kind in _LABEL_NAMED:
        return container_name_problem(name)
    return _fits(
        name, _DNS_SUBDOMAIN, 253, "lower-case letters, digits, - and ., beginning and ending with a letter or digit"
    )


def container_name_problem(name: str) -> str | None:
    """What is wrong with a container's name (a DNS label)."""
    return _fits(name, _DNS_LABEL, 63, "lower-case letters, digits and -, beginning and ending with a letter or digit")


def key_problem(key: str) -> str | None:
    """What is wrong with the key of a label or an annotation: `name` or `prefix/name`."""
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= 253 and _DNS_SUBDOMAIN.fullmatch(prefix)):
        return "has a prefix that is not a DNS name"
    return _fits(name, _QUALIFIED, 63, "letters, digits, - _ and ., beginning and ending with a letter or digit")


def label_value_problem(value: str) -> str | None:
    """What is wrong with the value of a label; the value itself is not told."""
    if not value:
        return None
    return _fits(value, _QUALIFIED, 63, "letters, digits, - _ and ., beginning and ending with a letter or digit")


def _fits(text: str, pattern: re.Pattern[str], limit: int, allowed: str) -> str | None:
    if len(text) > limit:
        return f"has {len(text)} characters; {limit} are allowed"
    return None if pattern.fullmatch(text) else f"may only have {allowed}"
