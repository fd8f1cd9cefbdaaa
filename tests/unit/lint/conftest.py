"""A repository that lint finds nothing wrong with, and changes to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from deployer.lint.finding import Finding
from deployer.lint.run import lint

ENC = "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]"
FILES = {
    "group_vars/all.yml": 'AwsRegion: "eu-west-2"\n',
    "group_vars/prod.yml": 'DnsDomain: "example.test"\nValues:\n  site:\n    Replicas: 2\n    GREETING: "Hello"\n',
    "group_vars/prod.london.yml": "",
    "group_vars/prod.seoul.yml": 'AwsRegion: "ap-northeast-2"\n',
    "group_vars/secrets_prod.yml": f"Values:\n  site:\n    PASSWORD: {ENC}\nsops:\n  mac: ENC[x]\n",
    "apps/site.yml": """\
Name: "site"
AppName: "{{ Name }}"
Environments:
  - "prod.london"
  - "prod.seoul"
Version: "1.0"
Helm:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: "{{ AppName }}"}
    spec:
      replicas: "{{ Values[Name].Replicas }}"
      selector: {matchLabels: {app: site}}
      template:
        metadata: {labels: {app: site}}
        spec:
          containers:
            - name: main
              image: "busybox:{{ Version }}"
              args: ["--loud"]
              env:
                - name: GREETING
                  value: "{{ Values[Name].GREETING }}"
                - {name: PASSWORD, value: "{{ Values[Name].PASSWORD | b64encode }}"}
              ports: [{name: http, containerPort: 8080}]
              readinessProbe: {httpGet: {path: /, port: http}}
              livenessProbe: {httpGet: {path: /, port: http}}
              resources: {requests: {cpu: 50m}, limits: {memory: 64Mi}}
  - apiVersion: v1
    kind: Service
    metadata: {name: site}
    spec:
      ports: [{port: 80, targetPort: http}]
      selector: {app: site}
  - apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: site}
    spec:
      rules:
        - host: "site.{{ REGION }}.{{ DnsDomain }}"
          http:
            paths:
              - {path: /, pathType: Prefix, backend: {service: {name: site, port: {number: 80}}}}
""",
}

Lint = Callable[..., list[Finding]]


@pytest.fixture
def lint_with(tmp_path: Path) -> Lint:
    """Lints FILES after replacing texts in them (`(file, old, new)`), and after adding whole files."""

    def run(*changes: tuple[str, str, str], files: Mapping[str, str] = {}, apps: tuple[str, ...] = ()) -> list[Finding]:
        contents = dict(FILES) | dict(files)
        for file, old, new in changes:
            assert old in contents[file], (file, old)
            contents[file] = contents[file].replace(old, new)
        for name, text in contents.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return lint(tmp_path, apps)

    return run
