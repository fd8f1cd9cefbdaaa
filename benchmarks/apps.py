"""`deploy STAGE all --all` of many apps in three regions with nothing changed, as a whole process; and half as many."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.measuring import (
    REPOSITORY,
    Failed,
    Run,
    machine,
    main,
    median,
    positive,
    run,
    say,
    spread,
    table,
    verdict,
)
from benchmarks.region import Cluster
from deployer.sandbox.layout import REGIONS, STAGE

_TARGET = 15.0
_LINEAR = 2.5
"""How many times as long twice as many apps may take: some of it is there once, and caches fill."""

_NAMESPACE = "benchmark-apps"
_HALF, _ALL = "half", "everything"

_APP = """\
Environments: [{environments}]
Groups: [{groups}]
Version: "1"
Docker:
  Dockerfile: |
    FROM scratch
    COPY note.txt /
  Files: {{note.txt: the same in all of them}}
Helm:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {{name: "{{{{ AppName }}}}"}}
    spec:
      replicas: 0
      selector: {{matchLabels: {{app: "{{{{ AppName }}}}"}}}}
      template:
        metadata: {{labels: {{app: "{{{{ AppName }}}}"}}}}
        spec:
          containers:
            - name: main
              image: "{{{{ AwsEcrPrefix }}}}/{{{{ AppName }}}}:{{{{ Tag }}}}-{{{{ DockerHash }}}}"
              env: [{{name: REGION, value: "{{{{ REGION }}}}"}}]
              ports: [{{name: http, containerPort: 80}}]
              resources: {{requests: {{cpu: 10m}}, limits: {{memory: 64Mi}}}}
  - apiVersion: v1
    kind: Service
    metadata: {{name: "{{{{ AppName }}}}"}}
    spec:
      selector: {{app: "{{{{ AppName }}}}"}}
      ports: [{{name: http, port: 80, targetPort: http}}]
  - apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {{name: "{{{{ AppName }}}}"}}
    spec:
      ingressClassName: nginx
      rules:
        - host: "{{{{ AppName }}}}.test"
          http:
            paths:
              - path: /
                pathType: Prefix
                backend: {{service: {{name: "{{{{ AppName }}}}", port: {{name: http}}}}}}
"""


def benchmark() -> bool:
    """Measure, print, and say whether the targets were reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.apps", description=__doc__)
    parser.add_argument("--apps", type=positive, default=100, metavar="N")
    parser.add_argument("--repetitions", type=positive, default=3, metavar="N")
    parser.add_argument("--command", default=str(REPOSITORY / "wrapper"), help="the command line that starts this tool")
    options = parser.parse_args()
    names = [f"bench-{number:03}" for number in range(options.apps)]
    command = shlex.split(options.command)
    with tempfile.TemporaryDirectory(prefix="benchmark-apps-") as parent:
        repository = Path(parent) / "repository"
        _write_repository(repository, names)
        try:
            _everywhere(Cluster.renew)
            say(f"deploying {options.apps} apps to {len(REGIONS)} regions, untimed")
            first = _deploy(command, repository, "--all", options.apps, "deployed")
            print(
                f"{options.apps} apps in {len(REGIONS)} regions, {options.repetitions} times. {machine()}.\n",
                flush=True,
            )
            runs: dict[str, list[float]] = {_HALF: [], _ALL: []}
            for _ in range(options.repetitions):
                half = _deploy(command, repository, f"--group={_HALF}", options.apps // 2, "unchanged")
                whole = _deploy(command, repository, "--all", options.apps, "unchanged")
                runs[_HALF].append(half.seconds)
                runs[_ALL].append(whole.seconds)
        finally:
            _everywhere(Cluster.remove)
    growth = median(runs[_ALL]) / median(runs[_HALF])
    fast, linear = median(runs[_ALL]) <= _TARGET, growth <= _LINEAR
    rows = [
        (f"{options.apps} apps, nothing changed", spread(runs[_ALL]), f"{_TARGET:.0f} s", verdict(fast)),
        (f"{options.apps // 2} apps, nothing changed", spread(runs[_HALF]), "", ""),
        ("twice as many apps take", f"{growth:.2f} times as long", f"{_LINEAR:.1f}", verdict(linear)),
        ("their first deployment, once", f"{first.seconds:.0f} s", "", ""),
    ]
    print(table(("", "median (range)", "target", ""), rows))
    return fast and linear


def _deploy(command: list[str], repository: Path, which: str, apps: int, outcome: str) -> Run:
    """One whole process; Failed unless every target has the outcome."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    result = run([*command, STAGE, "all", which, "--json"], env=environment, cwd=repository, limit=1800)
    targets = json.loads(result.stdout)["targets"]
    odd = [one for one in targets if one["outcome"] != outcome]
    if odd or len(targets) != apps * len(REGIONS):
        raise Failed(f"{len(targets)} targets, of which not {outcome}: {json.dumps(odd[:3])}")
    return result


def _write_repository(directory: Path, names: list[str]) -> None:
    """This repository's group_vars, its encrypted files among them, with many small apps."""
    for place in ("group_vars", ".sandbox"):
        if not (REPOSITORY / place).is_dir():
            raise Failed("there is no sandbox to measure in; `./wrapper sandbox up`")
        shutil.copytree(REPOSITORY / place, directory / place)
    with (directory / f"group_vars/{STAGE}.yml").open("a") as layer:
        layer.write(f'Namespace: "{_NAMESPACE}"\n')
    (directory / "apps").mkdir()
    environments = ", ".join(f"{STAGE}.{region.name}" for region in REGIONS)
    for number, name in enumerate(names):
        groups = _HALF if number % 2 else ""
        (directory / f"apps/{name}.yml").write_text(_APP.format(environments=environments, groups=groups))


def _everywhere(work: Callable[[Cluster, str], None]) -> None:
    """Do the same to the namespace in all regions at once; raises what failed."""

    def do(region: str) -> None:
        with Cluster(region) as cluster:
            work(cluster, _NAMESPACE)

    with ThreadPoolExecutor(len(REGIONS)) as pool:
        list(pool.map(do, [region.name for region in REGIONS]))


if __name__ == "__main__":
    main(benchmark)
