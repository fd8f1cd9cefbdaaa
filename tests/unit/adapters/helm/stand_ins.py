"""Stand-ins for what the adapter touches: the cluster's Secrets, and the helm program."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deployer.adapters.helm import HelmReleases
from deployer.adapters.helm.encoding import SECRET_TYPE, pack
from deployer.model import Json, ObjectKey

NAMESPACE = "here"


class Secrets:
    """Secrets in memory, changed by merge patches as the API server does it."""

    def __init__(self, *secrets: Json) -> None:
        self.content = {secret["metadata"]["name"]: secret for secret in secrets}
        self.selectors: list[str] = []

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        labels: Mapping[str, str] | None = None,
        *,
        selector: str = "",
    ) -> list[Json]:
        assert (api_version, kind, namespace) == ("v1", "Secret", NAMESPACE)
        self.selectors.append(selector)
        return [
            secret
            for secret in self.content.values()
            if all(secret["metadata"]["labels"].get(name) == value for name, value in (labels or {}).items())
            and chosen(secret["metadata"]["labels"], selector)
        ]

    def patch(self, key: ObjectKey, change: Json) -> Json:
        assert (key.api_version, key.kind, key.namespace) == ("v1", "Secret", NAMESPACE)
        self.content[key.name] = merged(self.content[key.name], change)
        changed: Json = self.content[key.name]
        return changed

    def delete(self, key: ObjectKey) -> None:
        assert (key.api_version, key.kind, key.namespace) == ("v1", "Secret", NAMESPACE)
        del self.content[key.name]


def chosen(labels: Mapping[str, str], selector: str) -> bool:
    """Whether a label selector of Kubernetes chooses these labels."""
    for part in re.findall(r"[^,(]+(?:\([^)]*\))?", selector):
        if match := re.fullmatch(r"(\S+) in \((.*)\)", part):
            if labels.get(match[1]) not in match[2].split(","):
                return False
        elif match := re.fullmatch(r"([^!=]+)(!?=)(.*)", part):
            if (labels.get(match[1]) == match[3]) != (match[2] == "="):
                return False
        elif part not in labels:
            return False
    return True


def merged(target: Any, change: Any) -> Any:
    """RFC 7386."""
    if not isinstance(change, dict):
        return change
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def release(number: int = 1, status: str = "deployed", **fields: Any) -> Json:
    """A release as Helm writes it down, made by us."""
    values = {
        "manifests": ['{"kind":"ConfigMap"}'],
        "record": {
            "deployment_id": f"d-{number}",
            "application": "app",
            "stage": "local",
            "region": "london",
            "who": "anna@laptop",
        },
    }
    return {
        "name": "app",
        "version": number,
        "info": {"status": status, "last_deployed": "2026-01-02T03:04:05.123456789Z"},
        "chart": {"metadata": {"name": "deployer", "version": "1.0.0"}},
        "config": values,
        "manifest": '---\n{"apiVersion":"v1","kind":"ConfigMap"}\n',
        **fields,
    }


def secret(content: Json | str, number: int = 1, labels: Mapping[str, str] | None = None, **fields: Any) -> Json:
    """The Secret of a release; a text is its data as it stands."""
    status = content["info"]["status"] if isinstance(content, dict) else "deployed"
    own = {"owner": "helm", "name": "app", "version": str(number), "status": status}
    data = pack(content) if isinstance(content, dict) else base64.b64encode(content.encode()).decode()
    return {
        "type": SECRET_TYPE,
        "metadata": {
            "name": f"sh.helm.release.v1.app.v{number}",
            "namespace": NAMESPACE,
            "resourceVersion": "1",
            "labels": own | dict(labels or {}),
        },
        "data": {"release": data},
        **fields,
    }


class Helm:
    """A program that notes how it was called and then does what a piece of Python says."""

    def __init__(self, directory: Path, body: str, version: str = "v3.22.0") -> None:
        self.path = directory / "helm"
        self._calls = directory / "calls"
        self.path.write_text(
            f"#!{sys.executable}\n"
            "import json, os, sys, time\n"
            f"if sys.argv[1] == 'version': print({version!r}); sys.exit()\n"
            "stdin = sys.stdin.buffer.read().decode()\n"
            "kubeconfig = sys.argv[sys.argv.index('--kubeconfig') + 1] if '--kubeconfig' in sys.argv else None\n"
            "content = open(kubeconfig).read() if kubeconfig and os.path.exists(kubeconfig) else None\n"
            f"with open({str(self._calls)!r}, 'a') as calls:\n"
            "    call = {'argv': sys.argv[1:], 'stdin': stdin, 'env': dict(os.environ), 'kubeconfig': content}\n"
            "    calls.write(json.dumps(call) + '\\n')\n"
            f"count = len(open({str(self._calls)!r}).readlines())\n"
            f"{body}\n"
        )
        self.path.chmod(0o755)

    @property
    def calls(self) -> list[Json]:
        return [json.loads(line) for line in self._calls.read_text().splitlines()] if self._calls.exists() else []


def failing(stderr: str) -> str:
    return f"sys.exit({stderr!r})"


SUCCEEDING = "print(json.dumps({'version': 7}))"


def adapter(
    helm: Helm | Callable[[], Path], secrets: Secrets | None = None, *, directory: Path, **options: Any
) -> HelmReleases:
    find = (lambda: helm.path) if isinstance(helm, Helm) else helm
    return HelmReleases(secrets or Secrets(), find, directory=directory, **options)
