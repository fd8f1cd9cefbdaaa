"""Images made by a builder of one's own: a real BuildKit, for several platforms, with its cache in the registry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from deployer.sandbox.layout import ACCOUNT
from deployer.tools import require
from tests.ignore_cases import KEPT, PATHS
from tests.sandbox.helpers import Project
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import ADDRESSES, unique

REGIONS = ("london", "seoul")
PLATFORMS = ["linux/amd64", "linux/arm64"]


@contextmanager
def buildkit(directory: Path) -> Iterator[str]:
    """A BuildKit of the test's own; its address."""
    # A socket's path may not be long, and BuildKit's own mounts must be gone before its directory is.
    with tempfile.TemporaryDirectory(prefix="buildkit-", dir="/tmp") as short:
        address = f"unix://{short}/socket"
        command = [str(require("buildkitd")), "--addr", address, "--root", str(directory / "root")]
        options = ["--oci-worker-net=host", "--oci-worker-snapshotter=native", "--containerd-worker=false"]
        runc = f"--oci-worker-binary={require('runc')}"
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen([*command, *options, runc], stdout=log, stderr=log, start_new_session=True)
        try:
            assert eventually(lambda: "running server" in (directory / "log").read_text(), 20), (
                directory / "log"
            ).read_text()
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def builders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration of buildx that knows the builders `far`, which works, and `dead`."""
    directory = tmp_path_factory.mktemp("buildkit")
    configuration = directory / "buildx"
    with buildkit(directory) as address:
        environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "BUILDX_CONFIG": str(configuration)}
        for name, endpoint in (("far", address), ("dead", "tcp://127.0.0.1:9")):
            command = [str(require("buildx")), "create", "--name", name, "--driver", "remote", endpoint]
            subprocess.run(command, env=environment, check=True, capture_output=True)
        yield configuration


@pytest.fixture
def built(project: Project, builders: Path) -> Project:
    """An app whose image `far` makes, for two platforms, from nothing but files: nothing is run in it.

    What runs in the cluster stays the base image, since the made one holds no program.
    """
    project.environment["BUILDX_CONFIG"] = str(builders)
    project.stage["Docker"] = {"Builder": "far", "Cache": {"To": f"{{{{ AwsEcrPrefix }}}}/cache:{project.name}"}}
    project.app["Docker"] = {
        "Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY content-$TARGETARCH /content\n",
        "Files": {"content-amd64": f"{project.name} amd64", "content-arm64": f"{project.name} arm64"},
        "Platforms": PLATFORMS,
    }
    project.deployment["metadata"].setdefault("annotations", {})["image"] = (
        "{{ AwsEcrPrefix }}/{{ AppName }}:{{ Tag }}-{{ DockerHash }}"
    )
    return project


def stored(region: str, repository: str, reference: str) -> tuple[str, Any]:
    """The digest and the content of a manifest, as a registry has it."""
    import base64
    import urllib.request

    from deployer.adapters.aws.ecr import Ecr
    from deployer.adapters.aws.session import Sessions
    from deployer.model import EcrSettings
    from tests.sandbox.surroundings import ACCESS

    token = Ecr(
        Sessions().of(ADDRESSES[region].aws_region, "local", str(ACCESS / "aws-config")), EcrSettings()
    ).authorization_token()
    login = base64.b64encode(f"{token.user}:{token.password.reveal()}".encode()).decode()
    kinds = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
    request = urllib.request.Request(
        f"http://{ADDRESSES[region].registry}/v2/{ACCOUNT}/{repository}/manifests/{reference}",
        headers={"Accept": kinds, "Authorization": f"Basic {login}"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.headers["Docker-Content-Digest"], json.load(response)


def test_one_index_of_two_platforms_is_what_every_region_has(built: Project) -> None:
    built.write()
    document = built.run("local", ",".join(REGIONS), built.name, "--json").expect(0).document
    targets = {target["region"]: target for target in document["targets"]}
    assert {target["outcome"] for target in targets.values()} == {"deployed"}, document
    (digest,) = {target["digest"] for target in targets.values()}
    tag = targets["london"]["image"].rpartition(":")[2]
    for region in REGIONS:
        found, index = stored(region, built.name, tag)
        assert found == digest
        children = {
            "/".join((child["platform"]["os"], child["platform"]["architecture"])): child["digest"]
            for child in index["manifests"]
        }
        assert children.keys() >= set(PLATFORMS)
        assert children["linux/amd64"] != children["linux/arm64"]
        for child in children.values():
            assert stored(region, built.name, child)[0] == child
    assert stored("london", "cache", built.name)[1]["layers"]
    again = built.spied()
    assert {
        one["outcome"] for one in built.run("local", "all", built.name, "--json").expect(0).document["targets"]
    } == {"unchanged"}
    assert "buildx build" not in again.read_text()


def test_buildkit_reads_ignore_files_as_the_cases_say_that_ours_is_held_against(builders: Path, tmp_path: Path) -> None:
    """Each case is a context of its own, and all are copied in one build. A file that arrives empty is none."""
    lines, options = ["FROM scratch"], []
    for number, text in enumerate(KEPT):
        context = tmp_path / f"context-{number}"
        for path in PATHS:
            (context / path).parent.mkdir(parents=True, exist_ok=True)
            (context / path).write_text("content")
        (context / ".dockerignore").write_text(text, newline="")
        options.append(f"--build-context=case-{number}={context}")
        lines.append(f"COPY --from=case-{number} . /{number}/")
    (tmp_path / "main").mkdir()
    (tmp_path / "main/Dockerfile").write_text("\n".join(lines))
    command = [str(require("buildx")), "build", "--builder=far", *options, f"--output={tmp_path / 'out'}"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "BUILDX_CONFIG": str(builders)}
    done = subprocess.run([*command, str(tmp_path / "main")], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for number, (text, kept) in enumerate(KEPT.items()):
        top = tmp_path / "out" / str(number)
        sent = {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file() and path.stat().st_size}
        assert sent - {".dockerignore"} == kept, text


def test_a_builder_that_is_not_known_is_told_with_those_that_are(built: Project) -> None:
    built.app["Docker"]["Builder"] = unique("nowhere")
    done = built.deploy("--json").expect(2)
    (error,) = done.document["errors"]
    assert error["what"] == "there is no such builder on this machine"
    assert error["hint"].startswith("there are dead, far;")
    assert not built.revisions


def test_a_builder_that_does_not_answer_is_a_service_out_of_reach(built: Project) -> None:
    built.app["Docker"]["Builder"] = "dead"
    (error,) = built.deploy("--json").expect(5).document["errors"]
    assert error["what"] == "the builder does not answer"
    assert not built.revisions


def test_stopping_ends_the_build_where_it_runs(built: Project) -> None:
    number = f"32{int(built.name[-4:], 36) % 10**6:06}"
    built.app["Docker"] = {"Dockerfile": f"FROM {{{{ BaseImage }}}}\nRUN echo begun; exec sleep {number}\n"}
    built.write()
    running = built.start("local", "london", built.name)

    def sleeping() -> bool:
        def arguments(path: Path) -> list[bytes]:
            with suppress(OSError):
                return path.read_bytes().split(b"\0")
            return []

        return any(number.encode() in arguments(path) for path in Path("/proc").glob("[0-9]*/cmdline"))

    assert eventually(sleeping, 40)
    running.process.send_signal(signal.SIGTERM)
    running.done().expect(128 + signal.SIGTERM)
    assert eventually(lambda: not sleeping(), 15)
    assert not built.revisions
