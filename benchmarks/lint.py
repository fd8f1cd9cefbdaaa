"""`deploy lint` of many apps in many environments, as a whole process, at half the size and at the full one."""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import REPOSITORY, Failed, machine, main, median, positive, run, say, spread, table, verdict

_TARGET = 10.0
_LINEAR = 1.25
"""How much more than twice as long twice as many apps may take."""

_STAGES = ("dev", "preprod", "prod")
_REGIONS = ("london", "virginia", "seoul")
_APP = """\
Name: "NAME"
AppName: "{{ Name }}"
SubDomain: "NAME"
Environments: [ENVIRONMENTS]
Version: "{{ Values[Name].VERSION }}"
Docker:
  Download: [{src: "s3://artifacts/{{ Name }}-{{ Version }}.tar.gz"}]
  Dockerfile: |
    FROM {{ BaseImage }}
    COPY {{ Name }}-{{ Version }}.tar.gz /app.tar.gz
Helm:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: "{{ AppName }}", labels: {app: "{{ AppName }}"}}
    spec:
      replicas: "{{ Values[Name].Replicas }}"
      selector: {matchLabels: {app: "{{ AppName }}"}}
      template:
        metadata: {labels: {app: "{{ AppName }}"}}
        spec:
          containers:
            - name: "{{ AppName }}"
              image: "{{ AwsEcrPrefix }}/{{ AppName }}:{{ Tag }}-{{ DockerHash }}"
              env:
                - {name: STAGE, value: "{{ STAGE | upper }}"}
                - {name: GREETING, value: "{{ Values[Name].GREETING }}"}
                - {name: DATABASE_URL, value: "{{ Values[Name].DATABASE_URL }}"}
              ports: [{name: http, containerPort: 8080}]
              resources: {limits: {cpu: 50m, memory: 64Mi}, requests: {cpu: 50m, memory: 64Mi}}
              livenessProbe: {httpGet: {path: /, port: http}}
              readinessProbe: {httpGet: {path: /, port: http}}
  - apiVersion: v1
    kind: Service
    metadata: {name: "{{ AppName }}"}
    spec:
      ports: [{name: http, port: 80, targetPort: http}]
      selector: {app: "{{ AppName }}"}
  - apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: "{{ AppName }}"}
    spec:
      ingressClassName: nginx
      rules:
        - host: "{{ SubDomain }}.{{ REGION }}.{{ DnsDomain }}"
          http:
            paths:
              - {path: /, pathType: Prefix, backend: {service: {name: "{{ AppName }}", port: {name: http}}}}
"""


def benchmark() -> bool:
    """Measure, print, and say whether the targets were reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lint", description=__doc__)
    parser.add_argument("--apps", type=positive, default=200, metavar="N")
    parser.add_argument("--repetitions", type=positive, default=3, metavar="N")
    parser.add_argument("--command", default=str(REPOSITORY / "wrapper"), help="the command line that starts this tool")
    options = parser.parse_args()
    environments = len(_STAGES) * len(_REGIONS)
    print(f"{options.apps} apps × {environments} environments, {options.repetitions} times. {machine()}.\n", flush=True)
    command = [*shlex.split(options.command), "lint", "--json"]
    times: dict[int, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-lint-") as parent:
        for apps in (max(1, options.apps // 2), options.apps):
            repository = Path(parent) / str(apps)
            _write_repository(repository, [f"app-{number:03}" for number in range(apps)])
            say(f"{apps} apps")
            times[apps] = [_lint(command, repository) for _ in range(options.repetitions)]
    half, full = (times[apps] for apps in sorted(times))
    wall, work = [one[0] for one in full], [one[1] for one in full]
    growth = median(work) / median([one[1] for one in half])
    fast, linear = median(wall) <= _TARGET, growth <= 2 * _LINEAR
    rows = [
        ("deploy lint, the whole process", spread(wall), f"{_TARGET:.0f} s", verdict(fast)),
        ("processor time, all its processes", spread(work), "", ""),
        ("processor time, over that of half as many apps", f"{growth:.2f}", f"{2 * _LINEAR:.1f}", verdict(linear)),
    ]
    print(table(("", "median (range)", "target", ""), rows))
    return fast and linear


def _lint(command: list[str], repository: Path) -> tuple[float, float]:
    """Seconds on the clock and of processors. Raises unless nothing was found."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    result = run(command, cwd=repository, env={**os.environ, "DEPLOY_DIRECTORY": str(repository)})
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if '"findings": []' not in result.stdout:
        raise Failed(f"lint found something: {result.stdout[:500]}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _write_repository(repository: Path, names: list[str]) -> None:
    (repository / "apps").mkdir(parents=True)
    (repository / "group_vars").mkdir()
    environments = [f"{stage}.{region}" for stage in _STAGES for region in _REGIONS]
    for name in names:
        text = _APP.replace("NAME", name).replace("ENVIRONMENTS", ", ".join(environments))
        (repository / f"apps/{name}.yml").write_text(text)
    shared = 'BaseImage: "busybox"\nAwsEcrPrefix: "registry.test/team"\nAwsRegion: "eu-west-2"\nValues:\n'
    values = "".join(f"  {name}: {{Replicas: 2, VERSION: 0.0.1, GREETING: Hello}}\n" for name in names)
    (repository / "group_vars/all.yml").write_text(shared + values)
    cipher = "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]"
    for stage in _STAGES:
        (repository / f"group_vars/{stage}.yml").write_text(f'DnsDomain: "{stage}.test"\n')
        secret = "".join(f"  {name}: {{DATABASE_URL: '{cipher}'}}\n" for name in names)
        (repository / f"group_vars/secrets_{stage}.yml").write_text(f"Values:\n{secret}sops: {{mac: x}}\n")
        for region in _REGIONS:
            (repository / f"group_vars/{stage}.{region}.yml").write_text("")


if __name__ == "__main__":
    main(benchmark)
