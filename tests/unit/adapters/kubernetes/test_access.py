"""What we may do: one list of rules where that tells everything, single questions where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.adapters.kubernetes.access import denied
from deployer.adapters.kubernetes.kinds import Kinds
from deployer.model import Json, Permission

SECRETS = Permission("v1", "Secret", "create", "here")
LOG = Permission("v1", "Pod", "get", "here", "log")
DEPLOYMENT = Permission("apps/v1", "Deployment", "patch", "here")
CLASS = Permission("networking.k8s.io/v1", "IngressClass", "create", None)


class Server:
    """Answers with these rules, and allows what is in `allows` when it is asked for alone."""

    def __init__(self, *rules: Json, incomplete: bool = False, allows: tuple[Json, ...] = ()) -> None:
        self.rules, self.incomplete, self.allows = rules, incomplete, allows
        self.asked: list[Any] = []

    def __call__(self, path: str, review: Json) -> Json:
        spec = review["spec"]
        self.asked.append(spec)
        if path.endswith("/selfsubjectrulesreviews"):
            return {"status": {"resourceRules": list(self.rules), "incomplete": self.incomplete}}
        return {"status": {"allowed": spec["resourceAttributes"] in self.allows}}


def rule(groups: str, resources: str, verbs: str, **more: Any) -> Json:
    return {"apiGroups": [groups], "resources": resources.split(), "verbs": verbs.split(), **more}


def lacking(server: Server, *permissions: Permission) -> tuple[Permission, ...]:
    return denied(server, Kinds(lambda api_version: None), permissions)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (rule("", "secrets", "get create"), SECRETS),
        (rule("*", "*", "*"), SECRETS),
        (rule("apps", "deployments", "*"), DEPLOYMENT),
        (rule("", "pods/log", "get"), LOG),
        (rule("", "*/log", "get"), LOG),
        (rule("*", "*", "*"), LOG),
    ],
)
def test_a_rule_that_grants_it(given: Json, wanted: Permission) -> None:
    server = Server(given)
    assert lacking(server, wanted) == ()
    assert server.asked == [{"namespace": "here"}]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (rule("", "secrets", "get"), SECRETS),
        (rule("apps", "secrets", "create"), SECRETS),
        (rule("", "configmaps", "create"), SECRETS),
        (rule("", "secrets", "create", resourceNames=["one"]), SECRETS),
        (rule("", "pods", "get"), LOG),
        (rule("", "pods/exec", "get"), LOG),
    ],
)
def test_a_rule_that_does_not(given: Json, wanted: Permission) -> None:
    server = Server(given)
    assert lacking(server, wanted) == (wanted,)
    assert len(server.asked) == 1, "RBAC's list is complete"


def test_what_an_incomplete_list_does_not_grant_is_asked_for_alone() -> None:
    """EKS: its own authorizer cannot list rules."""
    allowed = {"verb": "get", "group": "", "resource": "pods", "subresource": "log", "namespace": "here"}
    server = Server(rule("", "secrets", "*"), incomplete=True, allows=(allowed,))
    assert lacking(server, SECRETS, LOG, DEPLOYMENT) == (DEPLOYMENT,)
    assert len(server.asked) == 3


def test_a_namespaces_rules_say_nothing_about_what_belongs_to_the_cluster() -> None:
    server = Server(rule("*", "*", "*"))
    assert lacking(server, CLASS) == (CLASS,)
    assert server.asked == [
        {"resourceAttributes": {"verb": "create", "group": "networking.k8s.io", "resource": "ingressclasses"}}
    ]
    allowing = Server(allows=(server.asked[0]["resourceAttributes"],))
    assert lacking(allowing, CLASS) == ()


def test_kinds_that_the_cluster_does_not_know_are_left_out() -> None:
    assert lacking(Server(), Permission("example.test/v1", "Widget", "get", "here")) == ()
