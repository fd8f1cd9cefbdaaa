"""The example repository of profiles on a real cluster."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.sandbox.helpers import Project
from tests.sandbox.surroundings import CHECKOUT, Json

EXAMPLE = CHECKOUT / "examples/profiles"
_SCALERS = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"


def test_the_example_deploys_and_its_pods_have_what_their_profiles_say(project: Project) -> None:
    _copy_example(project.write())
    region, name = project.cluster.region, project.name
    try:
        project.run("local", region, "priorities").expect(0)
        project.run("local", region, name).expect(0)
        pods = {pod["metadata"]["labels"]["app"]: pod for pod in project.cluster.pods()}
        front, cache = pods[name], pods[f"{name}-cache"]
        assert _tolerates_spot(front)
        assert front["spec"]["terminationGracePeriodSeconds"] == 60, "the app's own, not the profile's"
        assert front["spec"]["priority"] == 5
        assert front["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "15"]
        assert front["metadata"]["annotations"]["prometheus.io/port"] == "8080"
        assert not _tolerates_spot(cache)
        assert cache["spec"]["priority"] == 0
        for pod in (front, cache):
            assert {"name": "ndots", "value": "1"} in pod["spec"]["dnsConfig"]["options"]
        (scaler,) = project.cluster.request("GET", _SCALERS.format(project.cluster.name))["items"]
        assert scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 60
        project.run("plan", "local", region, name, "--exit-code").expect(0)
    finally:
        project.run("remove", "local", region, "priorities", "--yes").expect(0)


def _copy_example(project: Project) -> None:
    """The example in place of the project's app, with priority classes of its own: they are the whole cluster's."""
    (project.root / f"apps/{project.name}.yml").unlink()
    for directory in ("apps", "macros"):
        shutil.copytree(EXAMPLE / directory, project.root / directory, dirs_exist_ok=True)
    shutil.copy(EXAMPLE / "group_vars/all.yml", project.root / "group_vars/all.yml")
    for file in (*project.root.glob("apps/*.yml"), project.root / "group_vars/all.yml"):
        _replace(file, "local.london", f"local.{project.cluster.region}")
        for name in ("low", "high"):
            _replace(file, f"priorityClassName: {name}", f"priorityClassName: {project.name}-{name}")
            _replace(file, f"metadata: {{name: {name}}}", f"metadata: {{name: {project.name}-{name}}}")
    (project.root / "apps/web.yml").rename(project.root / f"apps/{project.name}.yml")


def _replace(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text().replace(old, new))


def _tolerates_spot(pod: Json) -> bool:
    return any(one["key"] == "node-lifecycle" for one in pod["spec"]["tolerations"])
