"""Where a branch may be deployed, and what it may not have in common with the app itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from deployer.config import Configuration, load_each, load_settings
from deployer.errors import DeployError
from tests.unit.config.conftest import (
    ALL,
    APP,
    BRANCH,
    STAGE,
    TAKES_BRANCHES,
    Decryption,
    LoadBranch,
    MakeRepository,
    app_with,
    refusal,
)

LABEL = "feature-x-217d2b"
NAME = f"myapp-{LABEL}"


def contents(configuration: Configuration) -> list[Any]:
    return [one.content for one in configuration.any_manifests()]


# --- where it is allowed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("says", ["", "Branches:\n"])
def test_a_stage_that_takes_no_branches(load_branch: LoadBranch, says: str) -> None:
    error = refusal(load_branch, {"group_vars/prod.yml": STAGE + says})
    assert (error.what, str(error.where)) == ("stage prod takes no branches", "group_vars/prod.yml")
    assert "Branches: {Expires: 7d}" in str(error.hint)


def test_what_is_there_can_be_looked_at_where_no_more_branches_are_taken(load_branch: LoadBranch) -> None:
    assert load_branch({"group_vars/prod.yml": STAGE}, manifests=False).app.app_name == NAME


@pytest.mark.parametrize(
    ("says", "what"),
    [
        ("Branches: true", "Branches must be a mapping"),
        ("Branches: {Expires: soon}", "Branches.Expires must be a time: 7d, 12h, 1w2d, or never"),
        ("Branches: {Expires: 999999999999999999w}", "Branches.Expires must be a time: 7d, 12h, 1w2d, or never"),
        ("Branches: {Expires: 7}", "Branches.Expires must be a text"),
        ("Branches: {Expire: 7d}", "Branches.Expire is not known"),
    ],
)
def test_what_a_stage_says_of_branches_is_checked(load_branch: LoadBranch, says: str, what: str) -> None:
    error = refusal(load_branch, {"group_vars/prod.yml": f"{STAGE}{says}\n"})
    assert error.what == what
    assert str(error.where).startswith("group_vars/prod.yml:8:")


def test_an_app_does_not_say_where_branches_are_taken(load_branch: LoadBranch) -> None:
    error = refusal(load_branch, {"apps/myapp.yml": f"{APP}Branches: {{}}\n"})
    assert error.what == "Branches belongs in group_vars, not in an app file"


@pytest.mark.parametrize(
    ("files", "extra", "what", "where"),
    [
        (
            {f"group_vars/branches.{LABEL}.yml": "Namespace: mine\n"},
            (),
            "branches of prod.london are in namespace apps, and myapp@feature/x would be in mine",
            f"group_vars/branches.{LABEL}.yml:1:1",
        ),
        (
            {"group_vars/branches.yml": "Namespace: branches\n"},
            ("Namespace=typed",),
            "branches of prod.london are in namespace branches, and myapp@feature/x would be in typed",
            "--extra-vars",
        ),
        (
            {"group_vars/branches.yml": "Namespace: \"b{{ '-x' if BRANCH else '' }}\"\n"},
            (),
            "branches of prod.london are in namespace b, and myapp@feature/x would be in b-x",
            "group_vars/branches.yml:1:1",
        ),
        (
            {f"group_vars/branches.{LABEL}.yml": "Cluster: {Context: other}\n"},
            (),
            "branches of prod.london are in one cluster, and myapp@feature/x would be in another",
            f"group_vars/branches.{LABEL}.yml:1:1",
        ),
    ],
)
def test_a_branch_that_nobody_would_find(
    load_branch: LoadBranch, files: Mapping[str, str], extra: Sequence[str], what: str, where: str
) -> None:
    error = refusal(load_branch, files, extra=extra)
    assert (error.what, str(error.where)) == (what, where)
    assert "group_vars/branches.yml: `deploy branches` looks there" in str(error.hint)


@pytest.mark.parametrize("namespace", ["{{ APPLICATION }}", "{{ Name }}", "of-{{ Values[APPLICATION].VERSION }}"])
def test_a_namespace_for_each_app_is_none_for_branches(load_branch: LoadBranch, namespace: str) -> None:
    stage = TAKES_BRANCHES["group_vars/prod.yml"].replace('VERSION: "0.0.1"', 'VERSION: "1"')
    files = {"group_vars/prod.yml": f'{stage}Namespace: "{namespace}"\n'}
    error = refusal(load_branch, files)
    assert error.hint == "`deploy branches` knows of no app: say what holds for all in group_vars/branches.yml"
    found = load_branch({**files, "group_vars/branches.yml": "Namespace: branches\n"})
    assert found.settings.namespace == "branches"


def test_settings_of_all_branches_of_a_region(make_repository: MakeRepository) -> None:
    repository = make_repository({"group_vars/branches.yml": "Namespace: branches\n"})
    for branch, namespace in ((None, "apps"), ("", "branches"), ("x", "branches")):
        (one,) = load_settings(repository, "prod", ["london"], decrypt=Decryption({}), branch=branch).values()
        assert one.namespace == namespace


# --- what it may not share --------------------------------------------------------------------------------------------

INGRESS = """\
  - apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: "{{ AppName }}"}
    spec:
      rules: [{host: "HOST.{{ DnsDomain }}"}]
"""
ROUTE = """\
  - apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: "{{ AppName }}"}
    spec: {hostnames: ["HOST.{{ DnsDomain }}"]}
"""
LIST = """\
  - apiVersion: v1
    kind: List
    items:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: "NAME"}}
"""


OWN = '"x-{{ AppName }}"'


def test_an_object_of_the_app_itself(load_branch: LoadBranch) -> None:
    error = refusal(load_branch, app_with(('name: "{{ AppName }}"', "name: myapp")))
    assert error.what == "Deployment/myapp is an object of myapp itself, too"
    assert str(error.where) == "apps/myapp.yml:16:5"
    assert 'name: "{{ AppName }}"' in str(error.hint)


@pytest.mark.parametrize("manifest", [INGRESS, ROUTE])
def test_a_host_of_the_app_itself(load_branch: LoadBranch, manifest: str) -> None:
    error = refusal(load_branch, {"apps/myapp.yml": APP + manifest.replace("HOST", "shop")})
    assert error.what.endswith(f"/{NAME} would take requests for shop.deploy.test from myapp itself")
    assert str(error.where) == "apps/myapp.yml:23:5"
    assert "{{ SubDomain }}.{{ REGION }}.{{ DnsDomain }}" in str(error.hint)
    assert load_branch({"apps/myapp.yml": APP + manifest.replace("HOST", "{{ SubDomain }}")})


def test_all_that_would_be_shared_is_told_at_once(load_branch: LoadBranch) -> None:
    text = app_with(('name: "{{ AppName }}"', "name: myapp"))["apps/myapp.yml"] + INGRESS.replace("HOST", "shop")
    with pytest.raises(DeployError) as caught:
        load_branch({"apps/myapp.yml": text})
    assert len(list(caught.value.leaves())) == 2


def test_what_is_in_a_list_counts_by_itself(load_branch: LoadBranch) -> None:
    assert load_branch({"apps/myapp.yml": APP + LIST.replace("NAME", "{{ AppName }}")})
    error = refusal(load_branch, {"apps/myapp.yml": APP + LIST.replace("NAME", "settings")})
    assert error.what == "ConfigMap/settings is an object of myapp itself, too"


@pytest.mark.parametrize(
    "manifest",
    [
        "{kind: {a: b}, metadata: {name: OWN}}",
        "{kind: ConfigMap, metadata: [a]}",
        "{kind: ConfigMap, metadata: {namespace: [a], name: OWN}}",
        "{kind: Ingress, metadata: {name: OWN}, spec: [a]}",
        "{kind: Ingress, metadata: {name: OWN}, spec: {rules: {host: a}}}",
        "{kind: Ingress, metadata: {name: OWN}, spec: {rules: [[a], {host: [a]}, {host: }]}}",
        "{kind: HTTPRoute, metadata: {name: OWN}, spec: {hostnames: [{a: b}, 5]}}",
        "{kind: List, items: [5, [a], {kind: List, items: x}]}",
    ],
)
def test_what_is_no_manifest_is_told_of_elsewhere(load_branch: LoadBranch, manifest: str) -> None:
    assert load_branch({"apps/myapp.yml": f"{APP}  - {manifest.replace('OWN', OWN)}\n"})


def test_the_branch_alone_may_have_what_the_layers_of_branches_say(load_branch: LoadBranch) -> None:
    files = app_with(('metadata:\n      name: "{{ AppName }}"', 'metadata: {name: "{{ Values.own }}"}'))
    found = load_branch(
        files
        | {
            "group_vars/all.yml": f"{ALL}Values: {{own: main}}\n",
            "group_vars/branches.yml": 'Values: {own: "b-{{ AppName }}"}\n',
        }
    )
    assert contents(found)[0]["metadata"]["name"] == f"b-{NAME}"


def test_an_app_that_is_broken_itself_shares_nothing(load_branch: LoadBranch) -> None:
    files = app_with(
        ('name: "{{ AppName }}"', "name: myapp"), ("replicas:", 'more: "{{ Values.more }}"\n      replicas:')
    )
    found = load_branch({**files, "group_vars/branches.yml": "Values: {more: 1}\n"})
    assert contents(found)[0]["metadata"]["name"] == "myapp"


def test_a_broken_app_file_is_told_once(load_branch: LoadBranch) -> None:
    error = refusal(load_branch, {"apps/myapp.yml": f"{APP}Helms: []\n"})
    assert "Helms" in error.what


def test_what_is_wrong_with_a_branch_keeps_nobody_else_from_being_deployed(make_repository: MakeRepository) -> None:
    other = APP.replace("myapp", "other").replace('"{{ AppName }}"', "fixed").replace("Values[Name]", "Values.myapp")
    repository = make_repository({**TAKES_BRANCHES, "apps/other.yml": other})
    targets = repository.targets("prod", "london", [f"{name}@{BRANCH}" for name in ("myapp", "other")])
    loaded = load_each(repository, targets, decrypt=Decryption({}))
    assert [one.target.application for one in loaded.configurations] == [f"myapp@{BRANCH}"]
    assert [target.application for target, _ in loaded.failures] == [f"other@{BRANCH}"]
