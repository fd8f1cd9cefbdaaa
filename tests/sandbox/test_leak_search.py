"""The searches for leaks prove nothing if they are blind: each place and packing holds a canary, and it is found."""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project
from tests.sandbox.leak_places import Traces
from tests.sandbox.leaks import Search, canaries
from tests.sandbox.processes import Watch
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import Json, unique


def test_the_search_finds_a_secret_in_every_place(tmp_path: Path, clusters: dict[str, Namespace]) -> None:
    """The story proves nothing if its search is blind: each place and packing holds a canary, and it is found."""
    project = Project(tmp_path, clusters)
    secrets = canaries()
    name, secret = "QUOTES", secrets["QUOTES"]
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("a")
        entry.size = len(secret.encode())
        archive.addfile(entry, BytesIO(secret.encode()))
    contents: dict[str, str | bytes] = {
        "plain": f"a {secret} b",
        "JSON": json.dumps([secret]),
        "JSON, twice": json.dumps(json.dumps([secret])),
        "URL": quote(secret, safe=""),
        "base64": base64.b64encode(b"user:" + secret.encode() + b"@").decode(),
        "HTML": html.escape(secret),
        "a layer": packed.getvalue(),
        "Helm's": base64.b64encode(gzip.compress(json.dumps({"config": secret, "x": os.urandom(300).hex()}).encode())),
    }
    for kind, content in contents.items():
        search = Search({name: secret})
        search.look(kind, content)
        assert search.leaks, kind
    for each, value in secrets.items():
        search = Search({each: value})
        search.look("itself", f"a {value} b")
        assert search.leaks, each

    traces = Traces(project, Search({name: secret}))
    for place in (project.cache, project.home, project.temporary, project.root):
        (place / "left").write_text(secret)
    shared = [Path(directory) / unique("leak") for directory in ("/tmp", "/dev/shm")]
    try:
        for file in shared:
            file.write_text(secret)
        traces.files()
    finally:
        for file in shared:
            file.unlink(missing_ok=True)
    found = "\n".join(traces.search.leaks)
    wanted = [str(place / "left") for place in (project.cache, project.home, project.temporary, project.root)]
    assert all(place in found for place in [*wanted, *map(str, shared)]), found

    release = base64.b64encode(gzip.compress(json.dumps({"manifest": secret, "x": os.urandom(300).hex()}).encode()))
    planted: list[tuple[str, Json]] = [
        ("ConfigMap", {"metadata": {"name": "leak"}, "data": {"key": secret}}),
        (
            "Secret",
            {
                "metadata": {"name": "leak", "labels": {"owner": "helm"}},
                "data": {"release": base64.b64encode(release).decode()},
            },
        ),
    ]
    for kind, manifest in planted:
        project.cluster.create(kind, manifest)
    try:
        traces = Traces(project, Search({name: secret}))
        traces.clusters()
    finally:
        for kind, manifest in planted:
            project.cluster.delete(kind, manifest["metadata"]["name"])
    assert {leak.partition(", after")[0].rpartition(", ")[2] for leak in traces.search.leaks} == {
        "ConfigMap/leak",
        "Secret/leak",
    }

    traces = Traces(project, Search({name: secret}))
    environment = {**project.environment, "LEAK": secret}
    process = subprocess.Popen([sys.executable, "-c", "input()", secret], env=environment, stdin=subprocess.PIPE)
    try:
        with Watch(process.pid) as watch:
            assert eventually(lambda: watch.looks > 2, 10)
    finally:
        process.communicate(b"\n")
    traces.watched("a sleep", watch)
    found = "\n".join(traces.search.leaks)
    assert "the arguments" in found
    assert "an environment" in found
