"""What lint says of profiles, of workloads on spot nodes, and of autoscalers."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.lint.finding import Finding
from deployer.lint.placement import on_spot
from tests.unit.lint.conftest import FILES, Lint

APP, ALL = "apps/site.yml", "group_vars/all.yml"
CHOICE = (APP, 'Version: "1.0"', 'Profiles: [spot]\nVersion: "1.0"')
VOLUME = (
    APP,
    "          containers:",
    "          volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]\n          containers:",
)


def told(findings: list[Finding]) -> list[tuple[str, str, int]]:
    return [(one.rule, one.file, one.line) for one in findings]


def spot(*changes: tuple[str, str, str], lint_with: Lint, profile: str) -> list[Finding]:
    return lint_with(*changes, files={ALL: FILES[ALL] + f"Profiles:\n  spot:\n    {profile}\n"})


def test_profiles_that_are_used_well_are_no_finding(lint_with: Lint) -> None:
    profile = "Pod: {spec: {terminationGracePeriodSeconds: 90}}"
    assert spot(CHOICE, lint_with=lint_with, profile=profile) == []


def test_a_misspelt_profile_is_an_error_at_its_name(lint_with: Lint) -> None:
    findings = spot((APP, 'Version: "1.0"', 'Profiles: [spto]\nVersion: "1.0"'), lint_with=lint_with, profile="Pod: {}")
    assert told(findings) == [("unknown-profile", APP, 6)]
    assert findings[0].hint == "did you mean spot?"


def test_a_profile_that_nobody_chooses_is_a_warning_and_so_is_a_misspelt_kind(lint_with: Lint) -> None:
    assert told(spot(lint_with=lint_with, profile="Pod: {}")) == [("unused-profile", ALL, 3)]
    (one,) = spot(CHOICE, lint_with=lint_with, profile="Deploymnet: {}")
    assert (one.rule, one.line, one.hint) == ("unused-profile", 4, "did you mean Deployment?")
    assert spot(CHOICE, lint_with=lint_with, profile="StatefulSet: {}") == []  # another app's, later


def test_a_mistake_in_a_profile_is_found_in_its_own_line(lint_with: Lint) -> None:
    (one,) = spot(CHOICE, lint_with=lint_with, profile="Pod: {spec: {terminationGracePeriodSecond: 5}}")
    assert (one.rule, one.file, one.line) == ("kubernetes-schema", ALL, 4)


def test_a_volume_or_a_long_end_on_spot_is_a_warning(lint_with: Lint) -> None:
    assert told(spot(CHOICE, VOLUME, lint_with=lint_with, profile="Pod: {}")) == [("volume-on-spot", APP, 18)]
    findings = spot(CHOICE, lint_with=lint_with, profile="Pod: {spec: {terminationGracePeriodSeconds: 121}}")
    assert told(findings) == [("grace-on-spot", ALL, 4)]
    stays = "nodeSelector: {karpenter.sh/capacity-type: on-demand}"
    assert spot(CHOICE, VOLUME, lint_with=lint_with, profile=f"Pod: {{spec: {{{stays}}}}}") == []


def test_replicas_beside_an_autoscaler_are_a_warning(lint_with: Lint) -> None:
    scaler = """
  - apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: site}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: site}
      minReplicas: 2
      maxReplicas: 4
"""
    replicas = (APP, '      replicas: "{{ Values[Name].Replicas }}"\n', "")
    unused = ("group_vars/prod.yml", "    Replicas: 2\n", "")
    files = {APP: FILES[APP] + scaler}
    assert told(lint_with(files=files)) == [("replicas-and-autoscaler", APP, 12)]
    assert lint_with(replicas, unused, files=files) == []


LABEL = "eks.amazonaws.com/capacityType"


def affinity(kind: str, operator: str, value: str) -> Any:
    expressions = {"matchExpressions": [{"key": LABEL, "operator": operator, "values": [value]}]}
    if kind == "required":
        terms: Any = {"nodeSelectorTerms": [expressions]}
    else:
        terms = [{"weight": 1, "preference": expressions}]
    return {"affinity": {"nodeAffinity": {f"{kind}DuringSchedulingIgnoredDuringExecution": terms}}}


@pytest.mark.parametrize(
    ("spec", "profiles", "expected"),
    [
        ({}, (), False),
        ({}, ("high", "spot"), True),
        ({"nodeSelector": {LABEL: "SPOT"}}, (), True),
        ({"nodeSelector": {LABEL: "ON_DEMAND"}}, ("spot",), False),
        ({"nodeSelector": {"disk": "ssd"}}, (), False),
        ({"tolerations": [{"key": "spot", "operator": "Exists"}]}, (), True),
        ({"tolerations": [{"key": "node-lifecycle", "value": "spot"}]}, (), True),
        ({"tolerations": [{"key": "node-lifecycle", "value": "normal"}]}, (), False),
        ({"tolerations": [{"key": "disk", "operator": "Exists"}]}, (), False),
        (affinity("required", "In", "SPOT"), (), True),
        (affinity("required", "NotIn", "SPOT"), ("spot",), False),
        (affinity("required", "In", "ON_DEMAND"), ("spot",), False),
        (affinity("preferred", "In", "SPOT"), (), True),
        (affinity("preferred", "NotIn", "SPOT"), (), False),
        ({"nodeSelector": "x", "affinity": "x", "tolerations": "x"}, (), False),
    ],
)
def test_what_is_taken_for_spot(spec: Any, profiles: tuple[str, ...], expected: bool) -> None:
    assert on_spot(spec, profiles) is expected
