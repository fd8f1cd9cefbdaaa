"""`deploy status` of a stage with many apps in three regions, as a whole process."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measuring import REPOSITORY, Failed, machine, main, median, positive, run, say, spread, table, verdict
from benchmarks.region import Cluster
from deployer.adapters.helm.encoding import SECRET_TYPE, VERIFIED, VERIFIED_REVISION, pack
from deployer.model import DeploymentRecord, Json
from deployer.sandbox.layout import REGIONS, STAGE

_TARGET = 3.0
_NAMESPACE = "benchmark-status"
_HASH = "5ae768241ccef13c9166b804bfe440f6"


def benchmark() -> bool:
    """Measure, print, and say whether the target was reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.status", description=__doc__)
    parser.add_argument("--apps", type=positive, default=100, metavar="N")
    parser.add_argument("--revisions", type=positive, default=5, metavar="N", help="that Helm keeps of each release")
    parser.add_argument("--repetitions", type=positive, default=7, metavar="N")
    parser.add_argument("--command", default=str(REPOSITORY / "wrapper"), help="the command line that starts this tool")
    options = parser.parse_args()
    names = [f"app-{number:03}" for number in range(options.apps)]
    with tempfile.TemporaryDirectory(prefix="benchmark-status-") as parent:
        repository = Path(parent) / "repository"
        _write_repository(repository, names)
        try:
            say(f"making {options.apps} releases of {options.revisions} revisions in each of {len(REGIONS)} regions")
            _everywhere(lambda region: _seed(region, names, options.revisions))
            print(
                f"{options.apps} apps in {len(REGIONS)} regions, {options.repetitions} times. {machine()}.\n",
                flush=True,
            )
            command = [*shlex.split(options.command), "status", STAGE, "--json"]
            runs = [_look(command, repository, options.apps) for _ in range(options.repetitions + 1)][1:]
        finally:
            _everywhere(_remove)
    whole, own = [run_[0] for run_ in runs], [run_[1] for run_ in runs]
    reached = median(whole) <= _TARGET
    rows = [
        ("deploy status, the whole process", spread(whole), f"{_TARGET:.0f} s", verdict(reached)),
        ("of that, asking the clusters", spread(own), "", ""),
    ]
    print(table(("", "median (range)", "target", ""), rows))
    return reached


def _look(command: list[str], repository: Path, apps: int) -> tuple[float, float]:
    """Seconds of the process, and of the questions in it; Failed unless it finds every app well in every region."""
    result = run(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, cwd=repository, limit=120)
    document = json.loads(result.stdout)
    found = [(one["health"], one["revision"] is not None) for one in document["targets"]]
    if found != [("well", True)] * (apps * len(REGIONS)) or document["skew"]:
        odd = [one for one in document["targets"] if one["health"] != "well"][:3]
        raise Failed(f"not all of {apps * len(REGIONS)} are well, but: {json.dumps(odd)}")
    return result.seconds, float(document["seconds"])


def _write_repository(directory: Path, names: list[str]) -> None:
    """This repository's group_vars, its encrypted files among them, with many copies of one app."""
    for place in ("group_vars", ".sandbox"):
        if not (REPOSITORY / place).is_dir():
            raise Failed("there is no sandbox to measure in; `./wrapper sandbox up`")
        shutil.copytree(REPOSITORY / place, directory / place)
    with (directory / f"group_vars/{STAGE}.yml").open("a") as layer:
        layer.write(f'Namespace: "{_NAMESPACE}"\n')
    (directory / "apps").mkdir()
    text = (REPOSITORY / "apps/notmyapp.yml").read_text()
    for name in names:
        (directory / f"apps/{name}.yml").write_text(text.replace("notmyapp", name))


def _everywhere(work: Callable[[str], None]) -> None:
    """Do the same in all regions at once; raises what failed."""
    with ThreadPoolExecutor(len(REGIONS)) as pool:
        list(pool.map(work, [region.name for region in REGIONS]))


def _remove(region: str) -> None:
    with Cluster(region) as cluster:
        cluster.remove(_NAMESPACE)


def _seed(region: str, names: list[str], revisions: int) -> None:
    """Write what Helm would have stored, and Deployments without pods: they are read alike."""
    with Cluster(region) as cluster:
        cluster.renew(_NAMESPACE)
        for name in names:
            manifests = _manifests(name, region)
            cluster.create(f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments", manifests[0])
            for number in range(1, revisions + 1):
                secret = _release(name, region, number, manifests, newest=number == revisions)
                cluster.create(f"/api/v1/namespaces/{_NAMESPACE}/secrets", secret)


def _release(name: str, region: str, number: int, manifests: list[Json], *, newest: bool) -> Json:
    record = DeploymentRecord(
        deployment_id=f"20261121-0709{number:02}-3f9a1c",
        application=name,
        stage=STAGE,
        region=region,
        version="0.0.1",
        tag=f"0.0.1-{_HASH}",
        image=f"registry.example.com/{name}:0.0.1-{_HASH}",
        digest=f"sha256:{_HASH}{_HASH}",
        who="benchmark@localhost",
        action="deploy",
    )
    status = "deployed" if newest else "superseded"
    texts = [json.dumps(manifest) for manifest in manifests]
    release = {
        "name": name,
        "namespace": _NAMESPACE,
        "version": number,
        "info": {"status": status, "last_deployed": datetime.now(UTC).isoformat(), "description": "0.0.1"},
        "config": {"manifests": texts, "record": asdict(record)},
        "manifest": "\n".join(f"---\n# Source: deployer/templates/manifests.yaml\n{text}" for text in texts),
        "chart": _chart(),
        "hooks": [],
    }
    labels = {
        "name": name,
        "owner": "helm",
        "status": status,
        "version": str(number),
        VERIFIED: "true",
        VERIFIED_REVISION: str(number),
    }
    metadata = {"name": f"sh.helm.release.v1.{name}.v{number}", "labels": labels}
    return {"metadata": metadata, "type": SECRET_TYPE, "data": {"release": pack(release)}}


def _chart() -> Json:
    """Our chart, as Helm keeps it in each revision."""
    template = (REPOSITORY / "deployer/chart/templates/manifests.yaml").read_text()
    return {
        "metadata": {"name": "deployer", "version": "1.0.0", "apiVersion": "v2"},
        "templates": [{"name": "templates/manifests.yaml", "data": template}],
        "values": {"manifests": []},
    }


def _manifests(name: str, region: str) -> list[Json]:
    """A Deployment, a Service and an Ingress, about as large as the example's."""
    labels = {"app": name}
    container = {
        "name": name,
        "image": f"registry.example.com/{name}:0.0.1-{_HASH}@sha256:{_HASH}{_HASH}",
        "env": [{"name": f"VARIABLE_{number}", "value": f"{name} {number}"} for number in range(10)],
        "ports": [{"containerPort": 80, "name": "http"}],
        "resources": {"limits": {"cpu": "50m", "memory": "64Mi"}, "requests": {"cpu": "50m", "memory": "64Mi"}},
        "livenessProbe": {"httpGet": {"path": "/healthcheck", "port": "http"}, "initialDelaySeconds": 15},
        "readinessProbe": {"httpGet": {"path": "/healthcheck", "port": "http"}, "periodSeconds": 2},
    }
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"name": "http"}}}}
    rules = [{"host": host, "http": {"paths": [path]}} for host in (f"{name}.test", f"{name}.{region}.test")]
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pods},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": labels},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": name},
            "spec": {"ingressClassName": "nginx", "rules": rules},
        },
    ]


if __name__ == "__main__":
    main(benchmark)
