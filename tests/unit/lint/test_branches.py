"""What lint says of branches: what they would share with their app, and what is wrong with their layers."""

from __future__ import annotations

import pytest

from tests.unit.lint.conftest import FILES, Lint

APP, PROD, BRANCHES = "apps/site.yml", "group_vars/prod.yml", "group_vars/branches.yml"
TAKES = (PROD, "DnsDomain:", "Branches: {}\nDnsDomain:")
OWN_OBJECTS = (APP, "metadata: {name: site}", 'metadata: {name: "{{ AppName }}"}')
OWN_HOST = (APP, 'host: "site.', 'host: "{{ SubDomain }}.')
SUB_DOMAIN = (APP, 'AppName: "{{ Name }}"\n', 'AppName: "{{ Name }}"\nSubDomain: "site"\n')
BACKEND = (APP, "service: {name: site", 'service: {name: "{{ AppName }}"')
GOOD = (OWN_OBJECTS, SUB_DOMAIN, OWN_HOST, BACKEND)


def test_a_stage_without_branches_may_share_what_it_likes(lint_with: Lint) -> None:
    assert lint_with() == []


def test_an_app_whose_objects_and_hosts_are_its_own(lint_with: Lint) -> None:
    assert lint_with(TAKES, *GOOD) == []


def test_what_a_branch_would_share_is_a_warning_with_its_place(lint_with: Lint) -> None:
    findings = lint_with(TAKES)
    assert {(one.rule, one.severity, one.file) for one in findings} == {("shared-by-branches", "warning", APP)}
    assert [(one.line, one.message.partition(" is ")[0].partition(" would ")[0]) for one in findings] == [
        (29, "Service/site"),
        (35, "Ingress/site"),
        (35, "Ingress/site"),
    ]
    assert "would take requests for site.london.example.test from site itself" in findings[2].message
    assert all("{{ AppName }}" in one.hint or "{{ SubDomain }}" in one.hint for one in findings)


def test_one_region_of_a_stage_tells_for_all(lint_with: Lint) -> None:
    assert {one.environments for one in lint_with(TAKES)} == {("prod.london",)}


def test_only_stages_that_take_branches_are_looked_at(lint_with: Lint) -> None:
    stage = FILES[PROD].replace("GREETING", "PASSWORD: x\n    GREETING") + "Branches: {Expires: 3d}\n"
    dev = {"group_vars/dev.yml": stage, "group_vars/dev.london.yml": ""}
    findings = lint_with((APP, '  - "prod.london"', '  - "dev.london"\n  - "prod.london"'), files=dev)
    findings = [one for one in findings if one.rule == "shared-by-branches"]
    assert {one.environments for one in findings} == {("dev.london",)}


def test_what_branches_alone_may_have(lint_with: Lint) -> None:
    """A name that the layers of branches change is not shared."""
    own = (APP, "metadata: {name: site}", 'metadata: {name: "{{ Values.object }}"}')
    backend = (APP, "service: {name: site", 'service: {name: "{{ Values.object }}"')
    value = (PROD, "Values:\n", "Values:\n  object: site\n")
    layer = {BRANCHES: "Values: {object: \"site-{{ BRANCH | regex_replace('[^a-z]', '-') }}\"}\n"}
    assert lint_with(TAKES, own, backend, SUB_DOMAIN, OWN_HOST, value, files=layer) == []


@pytest.mark.parametrize(
    ("content", "rule", "line", "word"),
    [
        ('Values: {site: {GREETING: "{{ Values.nowhere }}"}}\n', "undefined-variable", 1, "nowhere"),
        ("Values:\n  a: [\n", "invalid-file", 3, ""),
        ("Rollout: {Bakes: 5}\n", "unknown-key", 1, "did you mean Bake"),
        ("BRANCH: x\n", "reserved-name", 1, "BRANCH"),
        ("AppName: x\n", "unknown-key", 1, "belongs in an app file"),
        ("Values: {site: {GREETINGS: x}}\n", "unused-value", 1, "what is used there is GREETING"),
        ("Namespace: no name\n", "invalid-value", 1, "a name of a Kubernetes namespace"),
    ],
)
def test_what_is_wrong_in_the_layer_of_branches(lint_with: Lint, content: str, rule: str, line: int, word: str) -> None:
    findings = lint_with(TAKES, *GOOD, files={BRANCHES: content})
    assert [(one.rule, one.file, one.line) for one in findings] == [(rule, BRANCHES, line)], findings
    assert word in f"{findings[0].message} {findings[0].hint}"


def test_a_time_that_is_none(lint_with: Lint) -> None:
    (one,) = lint_with((PROD, "DnsDomain:", "Branches: {Expires: soon}\nDnsDomain:"))
    assert (one.rule, one.file, one.line) == ("invalid-value", PROD, 1)
    assert "7d, 12h, 1w2d, or never" in one.message


def test_an_app_that_is_wrong_itself_is_not_asked_for_its_branches(lint_with: Lint) -> None:
    findings = lint_with(TAKES, (APP, "kind: Service", "kind: Servise"))
    assert [one.rule for one in findings] == ["invalid-manifest"]


def test_what_branches_alone_use_is_used(lint_with: Lint) -> None:
    layer = {BRANCHES: 'Values: {site: {GREETING: "{{ Values.site.OTHER }}"}}\n'}
    other = (PROD, "Values:\n  site:\n", "Values:\n  site:\n    OTHER: hi\n")
    assert lint_with(TAKES, *GOOD, other, files=layer) == []


@pytest.mark.parametrize(
    ("content", "rule", "line"),
    [("Values: [\n", "invalid-file", 2), ("\nAppName: x\n", "unknown-key", 2), ("STAGE: x\n", "reserved-name", 1)],
)
def test_the_layer_of_a_single_branch_is_looked_at_by_itself(
    lint_with: Lint, content: str, rule: str, line: int
) -> None:
    name = "group_vars/branches.feature-x-217d2b.yml"
    assert [(one.rule, one.file, one.line) for one in lint_with(files={name: content})] == [(rule, name, line)]
    assert lint_with(files={name: "Values: {site: {GREETING: x}}\n", "group_vars/branches.notes.txt": "["}) == []


def test_secrets_of_branches_that_nothing_would_read(lint_with: Lint) -> None:
    (one,) = lint_with(TAKES, *GOOD, files={"group_vars/secrets_branches.yml": "Values: {}\n"})
    assert (one.severity, one.file) == ("error", "group_vars/secrets_branches.yml")
    assert "branches have the secrets of their stage" in one.message
