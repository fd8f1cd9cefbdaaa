"""A deployment repository of a test's own, the tool run in it as a user runs it, and a look at what became of it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml

from deployer.adapters.aws.session import Sessions
from deployer.adapters.kubernetes.connection import Connection
from deployer.adapters.kubernetes.kubeconfig import read_access
from deployer.sandbox.layout import ACCOUNT, BASE_IMAGE, BUCKET, DNS_DOMAIN, REGIONS, SLACK_ENDPOINT
from deployer.tools import require
from deployer.tools.resolve import cache_directory

CHECKOUT = Path(__file__).parents[2]
ACCESS = CHECKOUT / ".sandbox"
ADDRESSES = {region.name: region for region in REGIONS}

Json = dict[str, Any]


def unique(prefix: str = "t") -> str:
    """A name that no other test, and no other run, uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


# --- the cluster, seen and touched by somebody else ------------------------------------------------------------------

COLLECTIONS = {
    "Pod": "/api/v1/namespaces/{}/pods",
    "Service": "/api/v1/namespaces/{}/services",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
}


@dataclass(frozen=True)
class Stored:
    """One revision of a Helm release, as Helm has stored it."""

    number: int
    status: str
    labels: Mapping[str, str]
    record: Json
    manifest: str

    @property
    def verified(self) -> bool:
        return self.labels.get("verified") == "true"


class Namespace:
    """One namespace of one region's cluster."""

    def __init__(self, region: str, name: str) -> None:
        self.region = region
        self.name = name
        self._connection = Connection(read_access(ACCESS / "kubeconfig", region), timeout=30)

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        response = self._connection.request(method, path, body=body, **options)
        if response.status_code == 404:
            return None
        assert response.status_code < 300, response.text
        return response.json()

    def _path(self, kind: str, name: str = "") -> str:
        return COLLECTIONS[kind].format(self.name) + (f"/{name}" if name else "")

    def create_namespace(self) -> None:
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": self.name}})

    def delete_namespace(self) -> None:
        self.request("DELETE", f"/api/v1/namespaces/{self.name}")
        self._connection.close()

    def get(self, kind: str, name: str) -> Json | None:
        found: Json | None = self.request("GET", self._path(kind, name))
        return found

    def live(self, kind: str, name: str) -> Json:
        found = self.get(kind, name)
        assert found is not None, f"{kind} {name} is not in {self.region}"
        return found

    def all(self, kind: str, labels: str = "") -> list[Json]:
        found = self.request("GET", self._path(kind), query={"labelSelector": labels} if labels else None)
        items: list[Json] = found["items"]
        return items

    def create(self, kind: str, manifest: Json) -> None:
        self.request("POST", self._path(kind), manifest)

    def patch(self, kind: str, name: str, change: Json) -> None:
        self.request("PATCH", self._path(kind, name), change, content_type="application/merge-patch+json")

    def delete(self, kind: str, name: str) -> None:
        self.request("DELETE", self._path(kind, name))

    def pods(self) -> list[Json]:
        return [pod for pod in self.all("Pod") if "deletionTimestamp" not in pod["metadata"]]

    def revisions(self, release: str) -> list[Stored]:
        """The stored revisions of a release, oldest first."""
        found = []
        for secret in self.all("Secret", f"owner=helm,name={release}"):
            content = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
            record = (content.get("config") or {}).get("record") or {}
            labels = secret["metadata"]["labels"]
            found.append(Stored(content["version"], labels["status"], labels, record, content["manifest"]))
        return sorted(found, key=lambda revision: revision.number)

    def snapshot(self) -> Json:
        """Everything that a deployment might change: kind and name → what identifies its state."""
        seen: Json = {}
        for kind in COLLECTIONS:
            for item in self.all(kind):
                metadata = item["metadata"]
                if metadata["name"] == "kube-root-ca.crt":
                    continue
                state = [metadata["uid"], metadata.get("generation"), metadata.get("labels")]
                if kind in ("ConfigMap", "Secret", "Service"):
                    state.append(metadata["resourceVersion"])
                seen[f"{kind}/{metadata['name']}"] = state
        return seen


@contextmanager
def namespaces(*regions: str) -> Iterator[dict[str, Namespace]]:
    """A new namespace of one name in each of the regions, deleted afterwards."""
    name = unique("test")
    made = {region: Namespace(region, name) for region in regions}
    try:
        for namespace in made.values():
            namespace.create_namespace()
        yield made
    finally:
        for namespace in made.values():
            namespace.delete_namespace()


def eventually(condition: Callable[[], Any], seconds: float = 60.0, what: str = "it") -> Any:
    """The condition's first true value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come true within {seconds:g} s"
        time.sleep(0.1)
    return value


# --- what surrounds a deployment -------------------------------------------------------------------------------------


def ask(host: str, region: str = "london", path: str = "/") -> tuple[int, str]:
    """What a host answers through its region's load balancer."""
    url = f"http://{ADDRESSES[region].ingress}{path}"
    response = httpx2.get(url, headers={"Host": host}, timeout=10, trust_env=False)
    return response.status_code, response.text


def messages(channel: str) -> list[Json]:
    """What a Slack channel was told, oldest first."""
    found = httpx2.get(f"{SLACK_ENDPOINT}/messages", timeout=10, trust_env=False).json()
    found = found["messages"] if isinstance(found, dict) else found
    wanted = ("C" + "".join(filter(str.isalnum, channel)).upper(), channel)
    return [message for message in found if message.get("channel") in wanted]


def s3() -> Any:
    return Sessions().of("eu-west-2", "local", str(ACCESS / "aws-config")).client("s3")


def tarball(files: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


@contextmanager
def artefacts(prefix: str) -> Iterator[Callable[[str, Mapping[str, str]], str]]:
    """Puts archives below a prefix of the bucket; gives their `s3://` addresses. They are deleted afterwards."""
    client = s3()

    def put(name: str, files: Mapping[str, str]) -> str:
        client.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=tarball(files))
        return f"s3://{BUCKET}/{prefix}/{name}"

    yield put
    for item in client.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/").get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])


# --- the tool --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def document(self) -> Json:
        """What `--json` printed: one document and nothing else."""
        content: Json = json.loads(self.stdout)
        return content

    @property
    def target(self) -> Json:
        """The only target in the document."""
        (found,) = self.document["targets"]
        target: Json = found
        return target

    @property
    def output(self) -> str:
        return f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"

    def expect(self, code: int) -> Done:
        """Itself, if it ended with this exit code and without a traceback."""
        assert self.code == code, f"exit code {self.code} instead of {code}\n{self.output}"
        assert "Traceback" not in self.stderr + self.stdout, self.output
        assert "defect" not in self.stderr + self.stdout, self.output
        return self


class Running:
    """A command that runs; its standard error is read line by line as it comes (`times`: seconds since the epoch)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.times: list[float] = []
        self._began = time.monotonic()
        self._changed = threading.Condition()
        self._stdout = ""
        self._readers = [threading.Thread(target=work, daemon=True) for work in (self._read_errors, self._read_output)]
        for reader in self._readers:
            reader.start()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self.times.append(time.time())
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        self._stdout = self.process.stdout.read()

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Until a line of standard error contains the text."""
        with self._changed:
            said = self._changed.wait_for(
                lambda: any(text in line for line in self.lines) or self.process.poll() is not None, seconds
            )
        assert said and any(text in line for line in self.lines), f"{text!r} was not said:\n" + "\n".join(self.lines)

    def time_of(self, text: str) -> float:
        """When the first line that contains the text was said."""
        return next(when for when, line in zip(self.times, self.lines, strict=True) if text in line)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def done(self, seconds: float = 120) -> Done:
        """Wait for its end."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it did not end within {seconds:g} s:\n" + "\n".join(self.lines)) from None
        took = time.monotonic() - self._began
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return Done(self.process.returncode, self._stdout, "\n".join(self.lines), took)


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
            "Rollout": {"Timeout": 60, "UnschedulableGrace": 3, "RestartAllowance": 1},
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
        self.values: Json = {"GREETING": f"hello from {self.name}"}
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
            "FingerprintKey": "5d1c0e7f9ab24c3e8f60d1b2a3c4e5f6",
            "Slack": {"Token": f"xoxb-{self.name}"},
            "Values": {self.name: self.values},
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
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
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


# --- apps ------------------------------------------------------------------------------------------------------------

SERVE = 'mkdir -p /www && echo "$GREETING" > /www/index.html && exec httpd -f -p 80 -h /www'


def web_app(name: str, regions: list[str]) -> Json:
    """An app that answers with the value GREETING, from the base image: no image of its own."""
    labels = {"app": "{{ AppName }}"}
    container: Json = {
        "name": "main",
        "image": "{{ BaseImage }}",
        "command": ["sh", "-c", SERVE],
        "env": [{"name": "GREETING", "value": "{{ Values[Name].GREETING }}"}],
        "ports": [{"containerPort": 80, "name": "http"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
    }
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    backend = {"service": {"name": "{{ AppName }}", "port": {"name": "http"}}}
    rule = {
        "host": "{{ SubDomain }}.{{ REGION }}.{{ DnsDomain }}",
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    }
    return {
        "Name": name,
        "AppName": "{{ Name }}",
        "SubDomain": name,
        "Environments": [f"local.{region}" for region in regions],
        "Version": "1.0.0",
        "Tag": "{{ Version }}",
        "Helm": [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "{{ AppName }}"},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                },
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "{{ AppName }}"},
                "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
            },
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {"name": "{{ AppName }}"},
                "spec": {"ingressClassName": "nginx", "rules": [rule]},
            },
        ],
    }


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


# --- processes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """A process that was seen. Pid and start time name it for ever."""

    pid: int
    started: str
    command: str

    @property
    def alive(self) -> bool:
        return _start_time(self.pid) == self.started


def _stat(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat from the third on (proc(5)); empty for a process that has gone, or is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return []
    fields = text.rpartition(")")[2].split()
    return [] if fields[0] == "Z" else fields


def _start_time(pid: int | str) -> str | None:
    fields = _stat(pid)
    return fields[19] if fields else None


class Watch:
    """Looks at all processes again and again while the block runs.

    `family` are the descendants of a process, also those that outlive it; `commands` are the arguments of every
    process of the machine, `environments` the variables of the family.
    """

    def __init__(self, pid: int, *, pause: float = 0.005) -> None:
        self.family: dict[int, Seen] = {}
        self.commands: set[bytes] = set()
        self.environments: set[bytes] = set()
        self.looks = 0
        self._pause = pause
        self._over = threading.Event()
        self._note(pid)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)

    @property
    def orphans(self) -> list[Seen]:
        """Members of the family that are still there."""
        return [seen for seen in self.family.values() if seen.alive]

    def _run(self) -> None:
        while not self._over.wait(self._pause):
            self._look()
            self.looks += 1

    def _look(self) -> None:
        pids = sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        for pid in pids:
            fields = _stat(pid)
            if fields and int(fields[1]) in self.family and pid not in self.family:
                self._note(pid)
            with suppress(OSError):
                self.commands.add(Path(f"/proc/{pid}/cmdline").read_bytes())
            if pid in self.family:
                with suppress(OSError):
                    self.environments.add(Path(f"/proc/{pid}/environ").read_bytes())

    def _note(self, pid: int) -> None:
        with suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            self.family[pid] = Seen(pid, _start_time(pid) or "", command)
