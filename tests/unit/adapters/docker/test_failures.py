from __future__ import annotations

import pytest

from deployer.adapters.docker.failures import build_failure, is_taken, push_failure
from deployer.errors import DeployError
from deployer.model import Image

IMAGE = Image("registry.example.com", "app", "1.0-abc")
DOCKERFILE = 'FROM base:1\nCOPY a /\nRUN apk add --no-cache \\\n    nginx\nRUN ["false"]\n'
OLD = "failed to solve: rpc error: code = Unknown desc = failed to solve with frontend dockerfile.v0: "


@pytest.mark.parametrize(
    ("lines", "code", "what", "where", "why"),
    [
        (
            [" > [3/4] RUN apk add --no-cache     nginx:", "0.3 not found", "ERROR: failed to build: failed to solve: "
             'process "/bin/sh -c apk" did not complete successfully: exit code: 3'],
            1, "a command in its Dockerfile failed", "Dockerfile:3", "exit code: 3",
        ),
        (
            ["Step 4/4 : RUN [\"false\"]", "ERROR: The command 'false' returned a non-zero code: 1"],
            1, "a command in its Dockerfile failed", "Dockerfile:5", "non-zero code: 1",
        ),
        (
            ["#5 0.04 exec /bin/sh: exec format error", "ERROR: failed to solve: did not complete successfully: 255"],
            2, "commands of one of the platforms", "registry.example.com/app:1.0-abc", "exec format error",
        ),
        (
            ["ERROR: failed to build: Cache export is not supported for the docker driver."],
            2, "cannot write a cache", "registry.example.com/app:1.0-abc", "docker driver",
        ),
        (
            ["Dockerfile:5", "ERROR: failed to solve: executor failed running [false]: exit code: 1"],
            1, "a command in its Dockerfile failed", "Dockerfile:5", "executor failed",
        ),
        (
            [f"ERROR: {OLD}failed to create LLB definition: dockerfile parse error line 2: unknown instruction: RUNX"],
            2, "cannot be built", "Dockerfile:2", "dockerfile parse error",
        ),
        (
            [" > [2/4] COPY a /:", 'ERROR: failed to solve: failed to compute cache key: "/a" not found: not found'],
            2, "cannot be built", "Dockerfile:2", '"/a" not found',
        ),
        (
            [" > [internal] load metadata for base:1:", f"ERROR: {OLD}base:1: not found"],
            2, "base image", "registry.example.com/app:1.0-abc", "base:1: not found",
        ),
        (
            ["ERROR: failed to solve: base:1: failed to resolve source metadata for base:1: 401 Unauthorized"],
            5, "base image", "registry.example.com/app:1.0-abc", "401",
        ),
        (
            ["ERROR: failed to solve: base:1: failed to resolve source metadata for base:1: dial tcp: i/o timeout"],
            5, "does not answer", "registry.example.com/app:1.0-abc", "i/o timeout",
        ),
        (
            ['ERROR: failed to build: Get "http://registry.example.com/v2/": EOF'],
            5, "the registry does not answer", "registry.example.com/app:1.0-abc", "EOF",
        ),
        (
            ["ERROR: failed to build: Get \"http://x/v2/\": net/http: request canceled (Client.Timeout exceeded)"],
            5, "the registry does not answer", "registry.example.com/app:1.0-abc", "Client.Timeout",
        ),
        (
            ["ERROR: failed to build: unauthorized: authentication required"],
            5, "does not let us in", "registry.example.com/app:1.0-abc", "unauthorized",
        ),
        (
            ["ERROR: Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?"],
            5, "Docker does not answer", "None", "Cannot connect",
        ),
        (
            ["ERROR: permission denied while trying to connect to the docker API at unix:///var/run/docker.sock"],
            5, "may not use Docker", "None", "permission denied",
        ),
        (
            ["ERROR: failed to solve: write /x: no space left on device"],
            1, "disk is full", "registry.example.com/app:1.0-abc", "no space left",
        ),
        (
            ["ERROR: failed to build: Multi-platform build is not supported for the docker driver."],
            2, "several platforms", "registry.example.com/app:1.0-abc", "docker driver",
        ),
        ([], 1, "cannot be built", "registry.example.com/app:1.0-abc", "no reason"),
    ],
)  # fmt: skip
def test_what_docker_says_is_understood(lines: list[str], code: int, what: str, where: str, why: str) -> None:
    error: DeployError = build_failure(IMAGE, lines, DOCKERFILE)
    assert (error.exit_code, str(error.where)) == (code, where)
    assert what in error.what
    assert why in (error.why or "")


def test_the_end_of_the_log_is_shown() -> None:
    lines = [f"#5 line {number}" for number in range(50)]
    why = build_failure(IMAGE, [*lines, "ERROR: something new"]).why or ""
    assert why.splitlines()[0] == "something new"
    assert why.splitlines()[-1] == "  #5 line 49"
    assert len(why.splitlines()) == 16


def test_a_tag_that_is_taken_is_told_from_a_layer_that_is_there() -> None:
    assert is_taken("tag invalid: The image tag '1.0' already exists in the 'app' repository and cannot be overwritten")
    assert not is_taken("#9 pushing layer 1234 Layer already exists")
    assert not is_taken("")


def test_a_push_that_is_refused() -> None:
    assert push_failure(IMAGE, "denied: User is not authorized to perform: ecr:PutImage").exit_code == 5
    assert push_failure(IMAGE, "something new").exit_code == 1
