"""A project whose secrets stand wherever they may, and what can go wrong with it."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import yaml

from deployer.sandbox.layout import REGIONS as SANDBOX
from tests.sandbox.apps import hook
from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project, with_image
from tests.sandbox.leaks import canaries
from tests.sandbox.surroundings import CLOSED, unique

GIT = {
    "GIT_AUTHOR_NAME": "x",
    "GIT_AUTHOR_EMAIL": "x@y.test",
    "GIT_COMMITTER_NAME": "x",
    "GIT_COMMITTER_EMAIL": "x@y.test",
}
FILE = "group_vars/secrets_local.yml"
Change = Callable[["Story"], None]


class Echo(BaseHTTPRequestHandler):
    """A GitHub that quotes what it was asked with, as a debugging proxy would."""

    port = 0

    def do_GET(self) -> None:
        body = json.dumps({"message": str(self.headers)}).encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Story(Project):
    """A project whose secrets stand wherever they may: environment, own Secret, build, Slack, GitHub, fingerprints."""

    def __init__(self, directory: Path, clusters: dict[str, Namespace], source: str) -> None:
        super().__init__(directory, clusters)
        self.secrets = canaries()
        self.own = f"own-{uuid.uuid4().hex}"
        self.token = f"xoxb-{uuid.uuid4().hex}"
        self.github = f"ghp_{uuid.uuid4().hex}"
        self.key = uuid.uuid4().hex + uuid.uuid4().hex
        self.values = {**self.values, **self.secrets, "OWN": self.own}
        self.encrypted = {"GitHub": {"Token": self.github}, "FingerprintKey": self.key}
        self.container["env"] += [{"name": name, "value": f"{{{{ Values[Name].{name} }}}}"} for name in self.secrets]
        own = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{ AppName }}-own"}}
        self.app["Helm"].append({**own, "type": "Opaque", "data": {"key": "{{ Values[Name].OWN | b64encode }}"}})
        ids = {name.lower(): f"{{{{ Values[Name].{name} }}}}" for name in self.secrets}
        mounts = " ".join(f"--mount=type=secret,id={name}" for name in ids)
        show = "; ".join(f"cat /run/secrets/{name}; base64 /run/secrets/{name}" for name in ids)
        with_image(self, source)
        self.app["Docker"]["Secrets"] = ids
        self.app["Docker"]["Dockerfile"] += f"RUN {mounts} {show}; echo {unique('never cached')}\n"

    @property
    def sought(self) -> dict[str, str]:
        """Everything that must not be found. (What the app's own Secret holds may stand in its release.)"""
        return {**self.secrets, "SLACK": self.token, "GITHUB": self.github, "FINGERPRINT": self.key}

    def git(self, *arguments: str) -> None:
        command = ["git", *arguments]
        subprocess.run(command, cwd=self.root, env={**self.environment, **GIT}, capture_output=True, check=True)


def new_value(story: Story) -> None:
    story.values["DASH"] = f"--{uuid.uuid4().hex}"
    story.secrets[f"DASH {len(story.secrets)}"] = story.values["DASH"]


def crash(story: Story) -> None:
    story.container["command"] = ["sh", "-c", 'env; echo "$PEM" | base64; exit 3']


def failing_hook(story: Story) -> None:
    manifest = hook('env; echo "$URL" >&2; exit 5')
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "URL", "value": "{{ Values[Name].URL }}"}]
    story.app["Helm"].append(manifest)


def failing_build(story: Story) -> None:
    story.app["Docker"]["Dockerfile"] += (
        "RUN --mount=type=secret,id=quotes --mount=type=secret,id=long cat /run/secrets/*; exit 9\n"
    )


def no_registry(story: Story) -> None:
    story.regions["london"]["AwsEcrPrefix"] = f"{CLOSED}/123456789012"


def no_cluster(story: Story) -> None:
    file = story.root / ".sandbox/kubeconfig"
    story.regions["london"]["Cluster"]["Kubeconfig"] = "other-kubeconfig"
    content = yaml.safe_load(file.read_text())
    for cluster in content["clusters"]:
        cluster["cluster"]["server"] = f"https://{CLOSED}"
    (story.root / "other-kubeconfig").write_text(yaml.safe_dump(content))


def refused(story: Story) -> None:
    story.deployment["spec"]["replicas"] = "{{ Values[Name].QUOTES }}"


def takes_branches(story: Story) -> None:
    story.stage["Branches"] = {}


def in_annotation(story: Story) -> None:
    story.deployment["metadata"]["annotations"] = {"note": "for {{ Values[Name].UNICODE }} alone"}


def undefined(story: Story) -> None:
    story.container["env"].append({"name": "X", "value": "{{ Values[Name].URL ~ Values[Name].URLL }}"})


def wrong_filter(story: Story) -> None:
    story.container["env"].append({"name": "X", "value": "{{ Values[Name].PEM | from_json }}"})


def from_github(story: Story) -> None:
    story.stage["GitHub"] = {"ApiUrl": f"http://127.0.0.1:{Echo.port}"}
    story.app["Docker"]["Download"] = [{"src": "github://owner/name/releases/v1/asset.tgz"}]


def broken_file(story: Story) -> None:
    text = (story.root / FILE).read_text()
    (story.root / FILE).write_text(text.replace("mac: ENC[AES256_GCM,data:", "mac: ENC[AES256_GCM,data:AAAA"))


def wrong_key(story: Story) -> None:
    arns = [region.kms_alias_arn for region in SANDBOX]
    text = (story.root / FILE).read_text()
    for arn in arns:
        text = text.replace(arn, arn.replace("alias/", "alias/not-"))
    (story.root / FILE).write_text(text)


def plaintext(story: Story) -> None:
    """A secrets file that nobody encrypted: the one place where a secret is on the disk, taken back at once."""
    (story.root / FILE).write_text(yaml.safe_dump({"Values": {story.name: story.secrets}}))
