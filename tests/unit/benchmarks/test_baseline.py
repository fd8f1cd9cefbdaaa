"""The baseline has to deploy the same app as we do, or its times mean nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]


def app(directory: Path) -> Any:
    content = yaml.safe_load((directory / "apps/myapp.yml").read_text())
    manifests = {manifest["kind"]: manifest for manifest in content["Helm"]}
    return content, manifests


def test_its_app_is_ours() -> None:
    (ours, our_manifests), (baseline, manifests) = app(ROOT), app(ROOT / "benchmarks/baseline")
    for key in ("Name", "Version", "Tag", "Docker"):
        assert baseline[key] == ours[key]
    assert manifests.keys() == our_manifests.keys()
    assert manifests["Deployment"]["spec"] == our_manifests["Deployment"]["spec"]
    assert manifests["Service"] == our_manifests["Service"]
    hosts = [[rule["host"] for rule in found["Ingress"]["spec"]["rules"]] for found in (manifests, our_manifests)]
    assert hosts[0] == hosts[1]


def test_its_group_vars_are_ours() -> None:
    baseline = yaml.safe_load((ROOT / "benchmarks/baseline/group_vars/local.london.yml").read_text())
    ours: dict[str, Any] = {}
    for name in ("all", "local", "local.london"):
        ours |= yaml.safe_load((ROOT / f"group_vars/{name}.yml").read_text())
    for key in ("AwsRegion", "AwsEcrPrefix", "BaseImage", "DnsDomain"):
        assert baseline[key] == ours[key]
    assert baseline["KubeContext"] == ours["Cluster"]["Context"]
