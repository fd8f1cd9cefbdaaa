"""A deployment repository whose every way to the outside leads through a proxy that can be made to fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from deployer.sandbox.layout import ACCOUNT, AWS_ENDPOINT, SLACK_ENDPOINT
from tests.faults.proxy import KMS_DENIES, S3_DENIES, Proxy
from tests.sandbox.apps import hook
from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project, write_yaml
from tests.sandbox.surroundings import ACCESS, ADDRESSES, Json, unique

GATES = ("hook", "pods", "outside")
_AWS = {"kms": KMS_DENIES, "s3": S3_DENIES, "sts": b"", "ecr": b""}


class FaultyProject(Project):
    """An app of the base image in front of which everything can fail.

    A gate is a file on this machine, for which the app's hook ("hook"), its pods ("pods") or its health check
    ("outside") wait while it is missing: `closed` holds a deployment in the phases release, rollout and outside check.

    `secrets`: TOKEN is in the environment of its containers, BUILD (see `with_build`) is known to the build only.
    """

    def __init__(self, directory: Path, clusters: Mapping[str, Namespace]) -> None:
        super().__init__(directory, clusters)
        self._stack = ExitStack()
        self.aws = {service: self._proxy(AWS_ENDPOINT.removeprefix("http://"), said) for service, said in _AWS.items()}
        self.slack = self._proxy(SLACK_ENDPOINT.removeprefix("http://"))
        self.api = {name: self._proxy(ADDRESSES[name].api_server.removeprefix("https://")) for name in clusters}
        self.registries = {name: self._proxy(ADDRESSES[name].registry) for name in clusters}
        self._write_access()
        self.stage["AwsConfigFile"] = "access/aws-config"
        self.stage["Slack"]["ApiUrl"] = f"http://{self.slack.address}/api/"
        for name in clusters:
            self.regions[name]["AwsEcrPrefix"] = f"{self.registries[name].address}/{ACCOUNT}"
            self.regions[name]["Cluster"]["Kubeconfig"] = "access/kubeconfig"
            self.regions[name]["NearRegistry"] = f"{ADDRESSES[name].registry}/{ACCOUNT}"
        self.secrets = {name: f"canary-{unique(name)}-{unique()}" for name in ("TOKEN", "BUILD")}
        self.values |= self.secrets
        self._add_gates()

    def __enter__(self) -> FaultyProject:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def proxy(self, service: str) -> Proxy:
        """The proxy before a service of the first region: api, registry, slack, or one of AWS."""
        match service:
            case "api":
                return self.api[self.cluster.region]
            case "registry":
                return self.registries[self.cluster.region]
            case "slack":
                return self.slack
        return self.aws[service]

    @contextmanager
    def closed(self, gate: str) -> Iterator[None]:
        """Hold deployments at a gate for the length of the block."""
        file = self.directory / "gates" / gate
        file.unlink()
        try:
            yield
        finally:
            file.touch()

    def with_build(self, source: str, hold: int = 0) -> None:
        """Give the app an image of its own, made from an artefact and a build secret.

        Pods pull it from the registry itself: what fails for us does not fail for the cluster. Building takes `hold`
        seconds, after a line with "RUN --mount" was shown.
        """
        archive = source.rpartition("/")[2]
        secret = "RUN --mount=type=secret,id=token test -s /run/secrets/token && sh /hold"
        self.app["Docker"] = {
            "Download": [{"src": source}],
            "Files": {"hold": f"# {unique()}\nexec sleep {hold}"},
            "Secrets": {"token": "{{ Values[Name].BUILD }}"},
            "Dockerfile": f"FROM {{{{ BaseImage }}}}\nCOPY {archive} /a.tgz\nCOPY hold /hold\n{secret}\n",
        }
        self.container["image"] = "{{ NearRegistry }}/{{ AppName }}:{{ Tag }}-{{ DockerHash }}"

    def _proxy(self, upstream: str, content: bytes = b"") -> Proxy:
        proxy = Proxy(upstream, content)
        self._stack.callback(proxy.close)
        return proxy

    def _write_access(self) -> None:
        access = self.root / "access"
        access.mkdir()
        kubeconfig: Json = yaml.safe_load((ACCESS / "kubeconfig").read_text())
        for cluster in kubeconfig["clusters"]:
            if cluster["name"] in self.api:
                server = f"https://{self.api[cluster['name']].address}"
                cluster["cluster"] |= {"server": server, "tls-server-name": "kubernetes"}
        write_yaml(access / "kubeconfig", kubeconfig)
        lines = [(ACCESS / "aws-config").read_text(), "services = own", "[services own]"]
        for service, proxy in self.aws.items():
            lines += [f"{service} =", f"  endpoint_url = http://{proxy.address}"]
        (access / "aws-config").write_text("\n".join(lines) + "\n")

    def _add_gates(self) -> None:
        gates = self.directory / "gates"
        gates.mkdir()
        for gate in GATES:
            (gates / gate).touch()
        volume = {"name": "gates", "hostPath": {"path": str(gates)}}
        mount = {"name": "gates", "mountPath": "/gates"}
        wait = "until [ -e /gates/{} ]; do sleep 0.2; done"
        pod = self.deployment["spec"]["template"]["spec"]
        script = self.container["command"][2].replace("exec ", "ln -s /gates /www/gates && exec ")
        self.container["command"] = ["sh", "-c", script]
        self.container["volumeMounts"] = [mount]
        self.container["env"].append({"name": "TOKEN", "value": "{{ Values[Name].TOKEN }}"})
        init = {"name": "wait", "image": "{{ BaseImage }}", "command": ["sh", "-c", wait.format("pods")]}
        pod |= {"volumes": [volume], "initContainers": [init | {"volumeMounts": [mount]}]}
        self.stage["HealthCheck"]["Path"] = "/gates/outside"
        job = hook(wait.format("hook"))
        inner = job["spec"]["template"]["spec"]
        inner["volumes"] = [volume]
        inner["containers"][0]["volumeMounts"] = [mount]
        self.app["Helm"].append(job)


@contextmanager
def faulty(directory: Path, clusters: Mapping[str, Namespace]) -> Iterator[FaultyProject]:
    """An app that runs, and whose surroundings can fail."""
    with FaultyProject(directory, clusters) as project:
        project.deploy().expect(0)
        yield project


def later(seconds: float, action: Any, *arguments: Any) -> threading.Timer:
    """Do something while a deployment runs."""
    timer = threading.Timer(seconds, action, arguments)
    timer.daemon = True
    timer.start()
    return timer
