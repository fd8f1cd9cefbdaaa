"""The two that are compared: each deploys the same app, in a directory and a namespace of its own."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import region
from benchmarks.measuring import REPOSITORY, Failed, Run, run
from deployer.sandbox.layout import BUCKET, REGIONS, STAGE
from deployer.tools import find

_BASELINE = Path(__file__).parent / "baseline"
_TARGET = (STAGE, region.REGION.name, "myapp")
_ENTRIES = {each.name: each.ingress for each in REGIONS}


class Side:
    """One way to deploy. `directory` is a new directory of its own, `payload` the size of artefacts in bytes.

    It deploys to the region of `cluster`; ours also to those of `others`.
    """

    name: str
    """Also that of its release, its namespace and its host."""

    def __init__(
        self, cluster: region.Cluster, directory: Path, payload: int, others: Sequence[region.Cluster] = ()
    ) -> None:
        self.directory = directory
        self._cluster = cluster
        self._clusters = (cluster, *others)
        self._payload = payload
        self._version = f"benchmark-{secrets.token_hex(4)}"
        self._key = f"myapp/myapp-{self._version}.tar.gz"
        self._value = self._marker = ""

    def change_value(self) -> None:
        """A value in the encrypted file is edited."""
        self._value = secrets.token_hex(4)
        values = {"Replicas": 2, "VERSION": self._version, "VALUE1": "Hello", "VALUE2": self._value}
        for cluster in self._clusters:
            self._encrypt(f"group_vars/secrets_{STAGE}.{cluster.region}.yml", {"Values": {"myapp": values}})

    def _encrypt(self, file: str, content: Any) -> None:
        encrypted = subprocess.run(
            [
                _tool("sops"),
                "encrypt",
                "--filename-override",
                file,
                "--input-type",
                "json",
                "--output-type",
                "yaml",
            ],
            cwd=self.directory,
            env={**os.environ, "AWS_CONFIG_FILE": str(region.ACCESS / "aws-config"), "AWS_PROFILE": STAGE},
            input=json.dumps(content).encode(),
            capture_output=True,
            check=False,
        )
        if encrypted.returncode != 0:
            raise Failed(f"sops cannot encrypt: {encrypted.stderr.decode(errors='replace')}")
        (self.directory / file).write_bytes(encrypted.stdout)

    def change_artefact(self) -> None:
        """Another artefact is there under the same name, as in development."""
        self._marker = secrets.token_hex(8)
        region.s3().put_object(Bucket=BUCKET, Key=self._key, Body=_artefact(self._marker, self._payload))

    def forget(self) -> None:
        """As if the app had never been deployed: no release, another artefact, nothing of it on this machine."""
        for cluster in self._clusters:
            cluster.renew(self.name)
        self.change_value()
        self.change_artefact()

    def deploy(self) -> Run:
        """Deploy, timed; raises Failed unless what runs afterwards is what was asked for."""
        raise NotImplementedError

    def live(self) -> Any:
        """What runs, but for what differs by intent: names and the image."""
        deployment = self._cluster.deployment(self.name, self.name)
        text = json.dumps(
            {key: deployment["spec"][key] for key in ("replicas", "strategy", "template")}, sort_keys=True
        )
        spec = json.loads(text.replace(self.name, "NAME"))
        spec["template"].pop("metadata", None)
        for container in spec["template"]["spec"]["containers"]:
            container["image"] = "IMAGE"
            container["env"] = [entry["name"] for entry in container["env"]]
        return spec

    def close(self) -> None:
        """Remove everything that came into being outside of the directory, as far as the sandbox still answers."""
        with contextlib.suppress(Exception):
            region.s3().delete_object(Bucket=BUCKET, Key=self._key)
        for cluster in self._clusters:
            with contextlib.suppress(Failed):
                cluster.remove(self.name)
        listed = subprocess.run(
            [_tool("docker"), "image", "ls", "--quiet", "--filter", f"reference=*/*/{self.name}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        images = sorted(set(listed.stdout.split()))
        if images:
            subprocess.run([_tool("docker"), "image", "rm", "--force", *images], stdout=subprocess.DEVNULL, check=False)

    def _measured(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> Run:
        for cluster in self._clusters:
            cluster.settle(self.name)
        result = run(command, env=environment, cwd=self.directory)
        for cluster in self._clusters:
            host, entry = f"{self.name}.{cluster.region}.deploy.test", _ENTRIES[cluster.region]
            region.expect(host, "/greeting.txt", f"Hello {self._value}", entry)
            region.expect(host, "/marker", self._marker, entry)
        return result


class Baseline(Side):
    """The old tool: `baseline/wrapper`."""

    name = "benchmark-baseline"

    def __init__(self, cluster: region.Cluster, directory: Path, payload: int) -> None:
        super().__init__(cluster, directory, payload)
        shutil.copytree(_BASELINE, directory, dirs_exist_ok=True)
        shutil.copy(REPOSITORY / ".sops.yaml", directory)
        programs = directory / ".bin"
        programs.mkdir()
        for tool in ("sops", "helm", "docker"):
            (programs / tool).symlink_to(_tool(tool))
        configuration = directory / ".docker"  # nobody's login is touched
        (configuration / "cli-plugins").mkdir(parents=True)
        (configuration / "cli-plugins/docker-buildx").symlink_to(_tool("buildx"))
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "AWS_CONFIG_FILE": str(region.ACCESS / "aws-config"),
            "KUBECONFIG": str(region.ACCESS / "kubeconfig"),
            "DOCKER_CONFIG": str(configuration),
            "DOCKER_BUILDKIT": "1",
        }

    def deploy(self) -> Run:
        """`./wrapper local london myapp`."""
        return self._measured([self.directory / "wrapper", *_TARGET], self._environment)

    def helm_alone(self) -> Run:
        """Only its last step: `helm upgrade` of the chart that it wrote."""
        chart = self.directory / "build/chart"
        options = ["--kube-context", region.REGION.name, "--namespace", self.name, "--wait", "--timeout", "5m"]
        return self._measured([_tool("helm"), "upgrade", "--install", self.name, chart, *options], self._environment)


class Ours(Side):
    """This tool, through its public command, in a copy of this repository's apps and group_vars."""

    name = "benchmark-deploy"

    def __init__(
        self,
        cluster: region.Cluster,
        directory: Path,
        payload: int,
        command: Sequence[str],
        *,
        others: Sequence[region.Cluster] = (),
        name: str = name,
    ) -> None:
        super().__init__(cluster, directory, payload, others)
        self.name = name
        self._command = command
        self._cache = directory.with_name(f"{directory.name}-cache") / "deployer"
        self._copy_repository()
        # The prepared tool is where it was; only artefacts begin anew.
        real = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deployer"
        self._cache.mkdir(parents=True)
        for place in real.iterdir():
            if place.name != "artefacts":
                (self._cache / place.name).symlink_to(place)
        self._environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "XDG_CACHE_HOME": str(self._cache.parent)}

    def forget(self) -> None:
        """See `Side`."""
        super().forget()
        shutil.rmtree(self._cache / "artefacts", ignore_errors=True)

    def deploy(self, outcome: str = "deployed", *options: str) -> Run:
        """`deploy local london myapp`, or `all`, with options; Failed when the outcome is another one in any region."""
        target = (STAGE, "all" if len(self._clusters) == len(REGIONS) else region.REGION.name, "myapp")
        result = self._measured([*self._command, *target, *options, "--yes", "--json"], self._environment)
        found = [target["outcome"] for target in json.loads(result.stdout)["targets"]]
        if found != [outcome] * len(self._clusters):
            raise Failed(f"the outcome is {', '.join(found)}, not {outcome}")
        return result

    def _copy_repository(self) -> None:
        for place in ("apps", "group_vars", ".sandbox"):
            shutil.copytree(REPOSITORY / place, self.directory / place)
        shutil.copy(REPOSITORY / ".sops.yaml", self.directory)
        app = self.directory / "apps/myapp.yml"
        text = app.read_text()
        for key in ("AppName", "SubDomain"):
            text, count = re.subn(rf"^{key}: .*$", f'{key}: "{self.name}"', text, flags=re.MULTILINE)
            if count != 1:
                raise Failed(f"apps/myapp.yml has {count} lines with {key}")
        app.write_text(text)
        for cluster in self._clusters:
            with (self.directory / f"group_vars/{STAGE}.{cluster.region}.yml").open("a") as layer:
                layer.write(f'Namespace: "{self.name}"\n')
        ignored = self.directory / ".gitignore"
        ignored.write_text("/.sandbox/\n/group_vars/secrets_*\n")
        identity = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "commit.gpgsign=false"]
        for arguments in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message", "Begin"]):
            subprocess.run([_tool("git"), *arguments], cwd=self.directory, check=True)


def _tool(name: str) -> Path:
    path = find(name)
    if path is None:
        raise Failed(f"{name} is not on this machine: `./wrapper doctor` shows how to get it")
    return path


def _artefact(marker: str, payload: int) -> bytes:
    """A site of four files: what the app needs, what tells it from all others, and weight that cannot be compressed."""
    files = {"healthcheck": b"ok\n", "index.html": b"<h1>myapp</h1>\n", "marker": marker.encode()}
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", compresslevel=1) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for name, data in {**files, "payload": os.urandom(payload)}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()
