"""The configuration of a branch: its names, and its own layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from deployer.config import Configuration, load
from deployer.config.explaining import explain
from deployer.config.nodes import show_path
from deployer.errors import ConfigurationError
from deployer.model import Target
from deployer.model.branches import MAX_BRANCH
from deployer.report.explain import explanation_lines
from tests.unit.config.conftest import (
    ALL,
    BRANCH,
    SOPS,
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


# --- its names --------------------------------------------------------------------------------------------------------


def test_release_and_host_are_the_branchs_and_the_image_is_the_apps(load_branch: LoadBranch) -> None:
    found = load_branch()
    assert (found.app.app_name, found.app.sub_domain) == (NAME, NAME)
    assert (found.app.name, found.app.repository) == ("myapp", "myapp")
    (deployment,) = contents(found)
    assert deployment["metadata"]["name"] == NAME


def test_the_app_itself_has_its_own_names(make_repository: MakeRepository) -> None:
    repository = make_repository(TAKES_BRANCHES)
    (found,) = load(repository, repository.targets("prod", "london", ["myapp"]), decrypt=Decryption({}))
    assert (found.app.app_name, found.app.sub_domain, found.app.image_name) == ("myapp", "myapp", None)


def test_what_templates_see(load_branch: LoadBranch) -> None:
    told = "{{ AppName }} {{ SubDomain }} {{ BRANCH }} {{ APPLICATION }} {{ Name }} {{ Own.AppName }} {{ Other }}"
    files = app_with(("{{ Values[Name].Replicas }}", told))
    files["apps/myapp.yml"] += 'Own: {AppName: "inner"}\nOther: "{{ AppName }}.svc"\n'
    (deployment,) = contents(load_branch(files))
    assert deployment["spec"]["replicas"] == f"{NAME} {NAME} {BRANCH} myapp myapp inner {NAME}.svc"


def test_without_a_branch_its_variable_is_empty(make_repository: MakeRepository) -> None:
    files = app_with(("{{ Values[Name].Replicas }}", "<{{ BRANCH == '' }}>"))
    repository = make_repository(files)
    (found,) = load(repository, repository.targets("prod", "london", ["myapp"]), decrypt=Decryption({}))
    assert contents(found)[0]["spec"]["replicas"] == "<True>"


def test_the_image_is_spelt_as_the_app_spells_it(load_branch: LoadBranch) -> None:
    """It is `preparing` that knows it as the app's image."""
    (deployment,) = contents(load_branch())
    assert deployment["spec"]["image"].startswith(f"registry.test/team/{NAME}:0.0.1-")


def test_of_a_host_with_several_labels_the_first_is_the_branchs(load_branch: LoadBranch) -> None:
    found = load_branch(app_with(('SubDomain: "myapp"', 'SubDomain: "api.shop"')))
    assert found.app.sub_domain == f"api-{LABEL}.shop"


def test_a_name_from_values_and_a_name_that_is_a_number(load_branch: LoadBranch) -> None:
    found = load_branch(
        {**app_with(('AppName: "{{ Name }}"', "AppName: 5"), ('"myapp"\nEnv', '"{{ Values.host }}"\nEnv'))}
        | {"group_vars/all.yml": f"{ALL}Values: {{host: shop}}\n"}
    )
    assert (found.app.app_name, found.app.repository) == (f"5-{LABEL}", "5")
    assert found.app.sub_domain == f"shop-{LABEL}"


@pytest.mark.parametrize("left_out", ['AppName: "{{ omit }}"', "Slack: {}"])
def test_an_app_that_does_not_say_how_it_is_called(load_branch: LoadBranch, left_out: str) -> None:
    files = app_with(
        ('AppName: "{{ Name }}"', left_out),
        ('name: "{{ AppName }}"', 'name: "of-{{ BRANCH | length }}"'),
        ("/{{ AppName }}", "/x"),
    )
    found = load_branch(files)
    assert (found.app.app_name, found.app.repository) == (NAME, "myapp")


@pytest.mark.parametrize("left_out", ['SubDomain: "{{ omit }}"', "Slack: {}"])
def test_an_app_without_a_host(load_branch: LoadBranch, left_out: str) -> None:
    assert load_branch(app_with(('SubDomain: "myapp"', left_out))).app.sub_domain is None


@pytest.mark.parametrize(
    ("old", "new", "what", "why"),
    [
        ('"{{ Name }}"', "My_App", "AppName must be", "it is the text 'My_App'"),
        ('"{{ Name }}"', "a" * 54, "AppName must be", "it is the text 'aaaa"),
        ('"{{ Name }}"', f'"{"a" * 60}!"', "AppName must be", "it is the text 'aaaa"),
        ('"{{ Name }}"', '""', "AppName must be", "it is the text ''"),
        ('"{{ Name }}"', "true", "AppName must be", "it is true"),
        ('"{{ Name }}"', "[a]", "AppName must be", "it is a list"),
        ('"{{ Name }}"', '"{{ AppName }}-x"', "AppName refers to itself", "AppName → AppName"),
        ('"myapp"\nEnv', '""\nEnv', "SubDomain must be", "it is the text ''"),
        ('"myapp"\nEnv', '".x"\nEnv', "SubDomain must be", "it is the text '.x'"),
        ('"myapp"\nEnv', "\nEnv", "SubDomain must be", "it is empty"),
        ('"myapp"\nEnv', f'"{"a" * 64}"\nEnv', "SubDomain must be", "it is the text 'aaaa"),
    ],
)
def test_a_name_that_the_app_could_not_have_either(
    load_branch: LoadBranch, old: str, new: str, what: str, why: str
) -> None:
    error = refusal(load_branch, app_with((old, new)))
    assert error.what.startswith(what)
    assert str(error.why).startswith(why)
    assert str(error.where).startswith("apps/myapp.yml:")


def test_the_longest_names_still_fit(load_branch: LoadBranch) -> None:
    found = load_branch(
        app_with(('"{{ Name }}"', "a" * 53), ('"myapp"\nEnv', f'"{"b" * 63}.c"\nEnv')), branch="x" * MAX_BRANCH
    )
    assert len(found.app.app_name) == 53
    assert found.app.sub_domain is not None
    assert [len(part) for part in found.app.sub_domain.split(".")] == [63, 1]
    assert found.app.repository == "a" * 53


def test_nothing_may_set_the_name_of_the_branch(load_branch: LoadBranch) -> None:
    error = refusal(load_branch, {"group_vars/branches.yml": "BRANCH: x\n"})
    assert error.what == "BRANCH is a built-in variable and cannot be set here"
    assert refusal(load_branch, {"group_vars/branches.yml": ""}, extra=["BRANCH=x"]).what == "-e cannot set BRANCH"


# --- its layers -------------------------------------------------------------------------------------------------------

LAYERS = {
    "group_vars/prod.london.yml": "Values: {a: region, b: region, c: region, d: region, e: region}\n",
    "group_vars/secrets_prod.yml": f"Values: {{b: 'ENC[x]', c: 'ENC[x]', d: 'ENC[x]', e: 'ENC[x]'}}\n{SOPS}",
    "group_vars/branches.yml": "Values: {c: branches, d: branches, e: branches}\n",
    f"group_vars/branches.{LABEL}.yaml": "Values: {d: own, e: own}\n",
}
DECRYPTED = {"secrets_prod.yml": {"Values": dict.fromkeys("bcde", "secret")}}
SHOWN = app_with(("replicas:", 'all: "{{ Values.a }} {{ Values.c }} {{ Values.d }} {{ Values.e }}"\n      replicas:'))


def test_layers_of_branches_win_over_all_others_and_the_command_line_over_them(load_branch: LoadBranch) -> None:
    found = load_branch(LAYERS | SHOWN, secrets=DECRYPTED, extra=['{"Values": {"e": "typed"}}'])
    assert contents(found)[0]["spec"]["all"] == "region branches own typed"
    assert [layer.name for layer in found.layers][-2:] == [
        "group_vars/branches.yml",
        f"group_vars/branches.{LABEL}.yaml",
    ]


def test_a_secret_that_branches_override_is_none(load_branch: LoadBranch) -> None:
    found = load_branch(LAYERS | SHOWN, secrets=DECRYPTED)
    (manifest,) = found.any_manifests()
    assert manifest.secrets == {}


def test_layers_of_branches_are_nobody_elses(load_branch: LoadBranch, make_repository: MakeRepository) -> None:
    other = load_branch(LAYERS | SHOWN, secrets=DECRYPTED, branch="feature-x")
    assert contents(other)[0]["spec"]["all"] == "region branches branches branches"
    repository = make_repository(LAYERS | SHOWN)
    targets = repository.targets("prod", "london", ["myapp"])
    (itself,) = load(repository, targets, decrypt=Decryption(DECRYPTED))
    assert contents(itself)[0]["spec"]["all"] == "region secret secret secret"


def test_branches_may_be_in_a_namespace_of_their_own(load_branch: LoadBranch) -> None:
    assert load_branch({"group_vars/branches.yml": "Namespace: branches\n"}).settings.namespace == "branches"


@pytest.mark.parametrize(
    ("files", "where", "what"),
    [
        (
            {"group_vars/branches.yml": "Values: {}\nBranches: {Expires: 2w}\n"},
            "group_vars/branches.yml:2:1",
            "Branches belongs in the files of stages",
        ),
        ({"group_vars/branches.yml": "a: [\n"}, "group_vars/branches.yml:2:1", "this is not YAML"),
        ({"group_vars/branches.yml": f"a: x\n{SOPS}"}, "group_vars/branches.yml", "this file is encrypted"),
        (
            {f"group_vars/branches.{LABEL}.{end}": "" for end in ("yml", "yaml")},
            f"group_vars/branches.{LABEL}.yaml",
            "are both there",
        ),
        ({"group_vars/secrets_branches.yml": SOPS}, "group_vars/secrets_branches.yml", "the secrets of their stage"),
        (
            {f"group_vars/secrets_branches.{LABEL}.yaml": SOPS},
            f"group_vars/secrets_branches.{LABEL}.yaml",
            "the secrets of their stage",
        ),
        ({"group_vars/branches.yml": "AppName: x\n"}, "group_vars/branches.yml:1:1", "belongs in an app file"),
        ({"group_vars/branches.yml": "Values:\n"}, "group_vars/branches.yml:1:1", "Values is empty here"),
    ],
)
def test_what_is_wrong_in_layers_of_branches_has_its_place(
    load_branch: LoadBranch, files: Mapping[str, str], where: str, what: str
) -> None:
    error = refusal(load_branch, files)
    assert str(error.where) == where
    assert what in error.what


def test_what_is_wrong_in_layers_of_branches_is_nothing_to_the_app_itself(make_repository: MakeRepository) -> None:
    repository = make_repository({"group_vars/branches.yml": "a: [\n"})
    assert load(repository, repository.targets("prod", "london", ["myapp"]), decrypt=Decryption({}))


def test_many_targets_read_each_secret_once(make_repository: MakeRepository) -> None:
    repository = make_repository({**TAKES_BRANCHES, **LAYERS})
    targets = repository.targets("prod", "london", ["myapp", "myapp@x", f"myapp@{BRANCH}"])
    decryption = Decryption(DECRYPTED)
    found = load(repository, targets, decrypt=decryption)
    assert len({one.app.app_name for one in found}) == 3
    assert [name for name, _, _ in decryption.asked] == ["secrets_prod.yml"]


def test_no_stage_arises_from_the_files_of_branches(make_repository: MakeRepository) -> None:
    repository = make_repository(
        {**LAYERS, "group_vars/branches.london.yml": "", "group_vars/secrets_branches.yml": ""}
    )
    assert repository.stages == ("prod",)
    with pytest.raises(ConfigurationError, match="a stage cannot be called branches"):
        repository.targets("branches", "london", ["myapp"])


def test_explain_names_the_layers_of_the_branch(make_repository: MakeRepository) -> None:
    repository = make_repository({**TAKES_BRANCHES, **LAYERS})
    (target,) = repository.targets("prod", "london", [f"myapp@{BRANCH}"])
    explanation = explain(repository, target, None, decrypt=Decryption(DECRYPTED))
    assert [(layer.name, layer.exists) for layer in explanation.layers][-3:] == [
        ("group_vars/secrets_prod.london.yml", False),
        ("group_vars/branches.yml", True),
        (f"group_vars/branches.{LABEL}.yaml", True),
    ]
    values = {show_path(one.path): one for one in explanation.values}
    assert (values["AppName"].value, values["SubDomain"].value) == (NAME, NAME)
    assert (values["AppName"].original, values["Name"].original) == ("myapp", None)
    assert '    made of "myapp" for the branch' in list(explanation_lines(explanation))
    assert str(values["Values.d"].held.where) == f"group_vars/branches.{LABEL}.yaml:1:10"
    assert [str(held.where) for held in values["Values.d"].overrode][-1] == "group_vars/branches.yml:1:26"
    itself = explain(repository, Target("prod", "london", "myapp"), None, decrypt=Decryption(DECRYPTED))
    assert [layer.name for layer in itself.layers if "branches" in layer.name] == []
