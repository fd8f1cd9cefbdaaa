"""The places where a run of the tool may leave something, all of which are searched for its secrets."""

from __future__ import annotations

import json
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import httpx2

from deployer.tools.resolve import cache_directory
from tests.sandbox.clusters import COLLECTIONS, Namespace
from tests.sandbox.helpers import Project
from tests.sandbox.leaks import Search
from tests.sandbox.processes import Watch
from tests.sandbox.surroundings import messages
from tests.sandbox.tool import Done, Running

SHARED = (Path(tempfile.gettempdir()), Path("/dev/shm"))
ENGINE = ("buildkit", "containers", "image", "tmp")
"""Directories of Docker's own, below its root: the build cache, what containers logged, images' configurations."""

_OTHERS = {"Event": "/api/v1/namespaces/{}/events", "Lease": "/apis/coordination.k8s.io/v1/namespaces/{}/leases"}


_PAUSE = 0.02
"""Seconds between two looks at all processes: no program that gets a secret lives as short as that."""


class Traces:
    """Searches what was left by everything that ran since it was made."""

    def __init__(self, project: Project, search: Search) -> None:
        self.project = project
        self.search = search
        self.began = time.time() - 1

    def run(self, what: str, running: Running, seconds: float = 120) -> Done:
        """The end of a command; every process of the machine is looked at meanwhile, and its output afterwards."""
        with Watch(running.process.pid, pause=_PAUSE) as watch:
            done = running.done(seconds)
        assert watch.looks > 5
        self.watched(what, watch)
        self.search.done(what, done)
        return done

    def watched(self, what: str, watch: Watch) -> None:
        for command in watch.commands:
            self.search.look(f"the arguments {command[:60]!r} during {what}", command)
        for environment in watch.environments:
            self.search.look(f"an environment during {what}", environment)

    def own_files(self) -> None:
        """The repository, the cache, HOME and TMPDIR of the run."""
        self.search.files(self.project.directory)

    def files(self) -> None:
        """Those, and what is new in directories that all share, Docker's among them."""
        self.own_files()
        engine = cache_directory().parent / "sandbox/docker"
        self.search.files(*SHARED, *(engine / name for name in ENGINE if (engine / name).is_dir()), since=self.began)

    def slack(self) -> None:
        told = messages(self.project.channel)
        self.search.look("Slack", json.dumps(told, ensure_ascii=False))

    def clusters(self, *exempt: str) -> None:
        """Every object in the namespaces, Helm's releases decoded; the data of other Secrets is exempt by contract."""
        for namespace in self.project.clusters.values():
            for where, content in objects(namespace):
                if where not in exempt:
                    self.search.look(f"{namespace.region}, {where}", content)

    def image(self, reference: str) -> None:
        for name, content in image_contents(reference):
            self.search.look(f"the image, {name}", content)

    def everything(self) -> None:
        self.files()
        self.slack()
        self.clusters()


def objects(namespace: Namespace) -> Iterator[tuple[str, str]]:
    """Kind and name → JSON, for what there is in a namespace; of a Secret only Helm's show their data."""
    paths = {**COLLECTIONS, **_OTHERS}
    for kind, path in paths.items():
        for item in (namespace.request("GET", path.format(namespace.name)) or {"items": []})["items"]:
            shown = item
            if kind == "Secret" and item["metadata"].get("labels", {}).get("owner") != "helm":
                shown = {"metadata": item["metadata"], "keys": list(item.get("data", {}))}
            elif kind == "Secret":  # Kubernetes' base64 off; the search undoes the rest
                shown = {**item, "data": {key: b64decode(text).decode() for key, text in item["data"].items()}}
            yield f"{kind}/{item['metadata']['name']}", json.dumps(shown, ensure_ascii=False)


def image_contents(reference: str) -> Iterator[tuple[str, bytes]]:
    """Manifest, configuration (with the history) and layers of an image, as its registry has them."""
    address, _, rest = reference.partition("@")[0].partition("/")
    repository, _, tag = rest.rpartition(":")
    accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
    base = f"http://{address}/v2/{repository}"
    with httpx2.Client(auth=("AWS", "123456789012-auth-token"), timeout=30, trust_env=False) as client:
        manifest = client.get(f"{base}/manifests/{tag}", headers={"Accept": accept})
        assert manifest.status_code == 200, manifest.text
        yield "manifest", manifest.content
        content = manifest.json()
        for blob in (content["config"], *content["layers"]):
            yield blob["digest"], client.get(f"{base}/blobs/{blob['digest']}").content
