"""A deployment repository of a test's own, in which the tool is run as its user runs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deployer.sandbox.layout import ACCOUNT, BASE_IMAGE, DNS_DOMAIN, REGIONS, SLACK_ENDPOINT
from deployer.tools import require
from deployer.tools.resolve import cache_directory
from tests.sandbox.apps import web_app
from tests.sandbox.clusters import Namespace, Stored
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import ACCESS, ADDRESSES, CHECKOUT, Json, ask, messages, unique
from tests.sandbox.tool import Done, Running


class Project:
    """A deployment repository with one app of a unique name, made for one namespace of some regions.

    Its cache is its own (the tools in it are the machine's), and so are HOME and TMPDIR: what a run leaves can be seen.
    """

    def __init__(self, directory: Path, clusters: Mapping[str, Namespace]) -> None:
        self.directory = directory
        self.clusters = clusters
        self.name = unique("app")
        self.channel = f"#{self.name}"
        self.root = directory / "repository"
        self.cache = directory / "cache"
        self.temporary = directory / "tmp"
        self.home = directory / "home"
        for each in (self.root / "apps", self.root / "group_vars", self.temporary, self.home, self.cache / "deployer"):
            each.mkdir(parents=True)
        shutil.copytree(ACCESS, self.root / ".sandbox")
        for file in (CHECKOUT / "group_vars").glob("secrets_local.*.yml"):
            shutil.copy(file, self.root / "group_vars")
        for shared in ("tools", "venv", "sandbox"):
            (self.cache / "deployer" / shared).symlink_to(cache_directory().parent / shared)
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "PYTHONPATH": str(CHECKOUT),
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.cache),
            "TMPDIR": str(self.temporary),
        }
        self.stage: Json = {
            "AwsProfile": "local",
            "AwsConfigFile": ".sandbox/aws-config",
            "DnsDomain": DNS_DOMAIN,
            "Namespace": next(iter(clusters.values())).name,
            "BaseImage": BASE_IMAGE,
            "Ecr": {"CreateRepositories": True},
            "Slack": {"Channel": self.channel, "ApiUrl": f"{SLACK_ENDPOINT}/api/"},
            "HealthCheck": {"Protocol": "HTTP", "Timeout": 15},
            "Rollout": {"Timeout": 60, "UnschedulableGrace": 3, "RestartAllowance": 1, "Stable": 1},
        }
        self.regions: dict[str, Json] = {
            name: {
                "AwsRegion": region.aws_region,
                "AwsEcrPrefix": f"{region.registry}/{ACCOUNT}",
                "Cluster": {"Context": name, "Kubeconfig": ".sandbox/kubeconfig"},
                "HealthCheck": {"ConnectTo": region.ingress},
            }
            for name, region in ADDRESSES.items()
        }
        self.token = f"xoxb-{self.name}"
        self.fingerprint_key: str | None = "5d1c0e7f9ab24c3e8f60d1b2a3c4e5f6"
        self.values: Json = {"GREETING": f"hello from {self.name}"}
        self.encrypted: Json = {}
        self.app: Json = web_app(self.name, list(clusters))

    @property
    def cluster(self) -> Namespace:
        """The first of its clusters."""
        return next(iter(self.clusters.values()))

    @property
    def host(self) -> str:
        return f"{self.name}.{self.cluster.region}.{DNS_DOMAIN}"

    @property
    def deployment(self) -> Json:
        """The app's Deployment manifest, to be changed."""
        manifest: Json = next(one for one in self.app["Helm"] if one["kind"] == "Deployment")
        return manifest

    @property
    def container(self) -> Json:
        """The container in it."""
        container: Json = self.deployment["spec"]["template"]["spec"]["containers"][0]
        return container

    @property
    def channel_messages(self) -> list[Json]:
        """What Slack was told, without replies in threads."""
        return [message for message in messages(self.channel) if not message.get("thread_ts")]

    @property
    def revisions(self) -> list[Stored]:
        """The release's revisions in the first cluster."""
        return self.cluster.revisions(self.name)

    def write(self) -> Project:
        """Write all files as they are wanted now."""
        write_yaml(self.root / "group_vars/local.yml", self.stage)
        for name, content in self.regions.items():
            write_yaml(self.root / f"group_vars/local.{name}.yml", content)
        write_yaml(self.root / f"apps/{self.name}.yml", self.app)
        secrets = {
            **({"FingerprintKey": self.fingerprint_key} if self.fingerprint_key else {}),
            "Slack": {"Token": self.token},
            "Values": {self.name: self.values},
            **self.encrypted,
        }
        encrypt(self.root / "group_vars/secrets_local.yml", secrets)
        return self

    def start(self, *arguments: str, **options: Any) -> Running:
        """Start `deploy` with these arguments, in the repository."""
        environment = {**self.environment, **options.pop("env", {})}
        process = subprocess.Popen(
            [sys.executable, "-m", "deployer", *arguments],
            cwd=options.pop("cwd", self.root),
            env=environment,
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_hear_hangups,
            **options,
        )
        return Running(process)

    def run(self, *arguments: str, **options: Any) -> Done:
        """Run `deploy` with these arguments to its end."""
        return self.start(*arguments, **options).done()

    def deploy(self, *options: str, region: str | None = None, **more: Any) -> Done:
        """The main job, in the files' newest state."""
        self.write()
        return self.run("local", region or self.cluster.region, self.name, *options, **more)

    def answers(self, text: str, path: str = "/") -> bool:
        """Whether its host in the first region comes to answer so: pods that are ending may answer for a moment."""
        return bool(eventually(lambda: ask(self.host, self.cluster.region, path) == (200, text)))

    def spied(self) -> Path:
        """From now on every program that is started is written into the file that this gives, a line each."""
        directory, log = self.directory / "spies", self.directory / "started"
        directory.mkdir()
        for tool in ("helm", "buildx", "sops", "docker"):
            script = directory / tool
            script.write_text(f'#!/bin/sh\necho "{tool} $*" >> {log}\nexec {require(tool)} "$@"\n')
            script.chmod(0o755)
        self.environment["PATH"] = f"{directory}:{self.environment['PATH']}"
        log.touch()
        return log


def _hear_hangups() -> None:
    """Under nohup the tests would hand on that SIGHUP is ignored, and the tool respects that."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def write_yaml(file: Path, content: Any) -> None:
    file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def encrypt(file: Path, content: Json) -> None:
    """Write a SOPS file with the sandbox's KMS keys, unless it holds this content already."""
    plain = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    known = file.with_suffix(".known")
    digest = uuid.uuid5(uuid.NAMESPACE_OID, plain).hex
    if known.exists() and file.exists() and known.read_text() == digest:
        return
    keys = ",".join(region.kms_alias_arn for region in REGIONS[:1])
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_PROFILE": "local",
        "AWS_CONFIG_FILE": str(ACCESS / "aws-config"),
    }
    command = [
        str(require("sops")),
        "encrypt",
        "--kms",
        keys,
        "--input-type",
        "yaml",
        "--output-type",
        "yaml",
        "/dev/stdin",
    ]
    done = subprocess.run(command, input=plain.encode(), env=environment, cwd="/", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    file.write_bytes(done.stdout)
    known.write_text(digest)


def with_image(project: Project, source: str, **docker: Any) -> None:
    """Give the app an image of its own, made from the artefact at `source`."""
    archive = source.rpartition("/")[2]
    project.app["Docker"] = {
        "Download": [{"src": source}],
        "Dockerfile": f"FROM {{{{ BaseImage }}}}\nCOPY {archive} /a.tgz\nRUN mkdir /www && tar -xzf /a.tgz -C /www\n",
        **docker,
    }
    project.container["image"] = "{{ AwsEcrPrefix }}/{{ AppName }}:{{ Tag }}-{{ DockerHash }}"


def only(project: Project, *manifests: Json) -> None:
    """Replace the app's manifests; it then has no host either."""
    project.app["Helm"] = list(manifests)
    del project.app["SubDomain"]


def deploy_refused(project: Project, code: int, *options: str, **more: Any) -> list[Json]:
    """The errors of a deployment that is refused without a trace in the cluster."""
    before, told = project.cluster.snapshot(), len(project.channel_messages)
    done = project.deploy("--json", *options, **more).expect(code)
    assert project.cluster.snapshot() == before
    document = done.document
    errors: list[Json] = document.get("errors") or [each for one in document["targets"] for each in one["errors"]]
    assert errors
    assert all(error["what"] in done.stderr for error in errors)
    for message in project.channel_messages[told:]:
        assert message["text"].startswith(":x:")
    return errors
