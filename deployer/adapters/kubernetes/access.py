"""Asks an API server what its credentials may do there, with as few questions as tell it.

See https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from deployer.adapters.kubernetes.kinds import Kinds, Resource, root_of
from deployer.model import Json, Permission

Ask = Callable[[str, Json], Json]
"""Posts a review to a path; its answer."""

_API = "authorization.k8s.io/v1"
_AT_ONCE = 8
"""Single questions at the same time, where the list of rules does not tell everything (EKS)."""


def denied(ask: Ask, kinds: Kinds, permissions: Sequence[Permission]) -> tuple[Permission, ...]:
    """Those of the permissions that we do not have, in their order; kinds that the cluster does not know are left out.

    One list of rules answers for a namespace. What it does not settle is asked for one by one: cluster-wide kinds, and
    everything that it does not grant while it calls itself incomplete.
    """
    resources = {one: kinds.find(one.api_version, one.kind) for one in permissions}
    wanted = {one: resource for one, resource in resources.items() if resource is not None}
    namespaces = dict.fromkeys(one.namespace for one in wanted if one.namespace is not None)
    rules = {namespace: _rules(ask, namespace) for namespace in namespaces}
    refused: set[Permission] = set()
    open_questions: list[Permission] = []
    for one, resource in wanted.items():
        if one.namespace is not None and resource.namespaced:
            granted, complete = rules[one.namespace]
            if any(_covers(rule, one, resource) for rule in granted):
                continue
            if complete:
                refused.add(one)
                continue
        open_questions.append(one)
    if open_questions:
        with ThreadPoolExecutor(min(_AT_ONCE, len(open_questions)), thread_name_prefix="access") as pool:
            allowed = pool.map(lambda one: is_allowed(ask, one, wanted[one]), open_questions)
            refused |= {one for one, yes in zip(open_questions, allowed, strict=True) if not yes}
    return tuple(one for one in permissions if one in refused)


def is_allowed(ask: Ask, permission: Permission, resource: Resource) -> bool:
    """One question about one permission."""
    group = permission.api_version.rpartition("/")[0]
    attributes = {"verb": permission.verb, "group": group, "resource": resource.plural}
    if permission.subresource:
        attributes["subresource"] = permission.subresource
    if permission.namespace is not None and resource.namespaced:
        attributes["namespace"] = permission.namespace
    review = {"apiVersion": _API, "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    answer = ask(f"{root_of(_API)}/selfsubjectaccessreviews", review)
    return bool((answer.get("status") or {}).get("allowed"))


def _rules(ask: Ask, namespace: str) -> tuple[Sequence[Json], bool]:
    """The rules that grant us something in a namespace, and whether they are all of them."""
    review = {"apiVersion": _API, "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    status = ask(f"{root_of(_API)}/selfsubjectrulesreviews", review).get("status") or {}
    return status.get("resourceRules") or (), not status.get("incomplete")


def _covers(rule: Json, permission: Permission, resource: Resource) -> bool:
    """Whether a rule grants a permission on all objects of a kind, as RBAC reads it."""
    group = permission.api_version.rpartition("/")[0]
    names = {"*", resource.plural}
    if permission.subresource:
        names = {"*", f"{resource.plural}/{permission.subresource}", f"*/{permission.subresource}"}
    return (
        not rule.get("resourceNames")
        and not {"*", permission.verb}.isdisjoint(rule.get("verbs") or ())
        and not {"*", group}.isdisjoint(rule.get("apiGroups") or ())
        and not names.isdisjoint(rule.get("resources") or ())
    )
