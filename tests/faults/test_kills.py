"""Deployments that are cut off in each of their phases: what is left, and that the next one converges."""

from __future__ import annotations

import http.server
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, Signals

import pytest

from tests.faults.checks import ENDING, end
from tests.sandbox.apps import hook
from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project, with_image
from tests.sandbox.leaks import Search
from tests.sandbox.locks import somebody_elses_lock
from tests.sandbox.processes import Watch
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import artefacts, ask, unique
from tests.sandbox.tool import Done

BEFORE_THE_CLUSTER = ("configuration", "artefacts", "compare", "build image", "lock")
PHASES = (*BEFORE_THE_CLUSTER, "release", "rollout", "outside check")


def prepare(project: Project, source: str) -> Project:
    """An app whose build and whose pods can be held, with a secret in both."""
    project.values["TOKEN"] = f"canary-{unique()}-{unique()}"
    project.container["env"].append({"name": "TOKEN", "value": "{{ Values[Name].TOKEN }}"})
    with_image(project, source, Secrets={"token": "{{ Values[Name].TOKEN }}"}, Files={"hold": "true"})
    mount = "RUN --mount=type=secret,id=token test -s /run/secrets/token && sh /hold\n"
    project.app["Docker"]["Dockerfile"] += f"COPY hold /hold\n{mount}"
    return project


def hold_pods(project: Project, command: str) -> None:
    """Have every pod run this before its container starts."""
    init = {"name": "hold", "image": "{{ BaseImage }}", "command": ["sh", "-c", command]}
    project.deployment["spec"]["template"]["spec"]["initContainers"] = [init]


def free_pods(project: Project) -> None:
    project.deployment["spec"]["template"]["spec"].pop("initContainers")


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace]) -> Iterator[Project]:
    """An app that runs."""
    with artefacts(unique("tests")) as put:
        project = prepare(Project(tmp_path_factory.mktemp("victim"), clusters), put("site.tgz", {"page": "first"}))
        project.deploy().expect(0)
        yield project


# --- how a deployment is held in a phase -----------------------------------------------------------------------------


class Slow(http.server.BaseHTTPRequestHandler):
    """Begins to send a file, and goes on only when it is let."""

    released = threading.Event()

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(b"x" * 1000)
        self.released.wait(60)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def slow_file() -> Iterator[str]:
    Slow.released.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/slow.bin"
        finally:
            Slow.released.set()
            server.shutdown()
            thread.join(5)


@contextmanager
def slow_sops(project: Project) -> Iterator[None]:
    directory, path = project.directory / "slow", project.environment["PATH"]
    directory.mkdir(exist_ok=True)
    slow = "[ $1 = --version ] || { touch $0.begun; exec sleep 61; }"
    (directory / "sops").write_text(f"#!/bin/sh\n{slow}\nexec echo sops 3.13.3\n")
    (directory / "sops").chmod(0o755)
    project.environment["PATH"] = f"{directory}:{path}"
    try:
        yield
    finally:
        project.environment["PATH"] = path
        shutil.rmtree(directory)


@contextmanager
def held(project: Project, phase: str) -> Iterator[str]:
    """A change whose deployment stays in a phase; gives what is said when it is there."""
    project.values["GREETING"] = unique(phase.replace(" ", "-"))
    said = f"{phase} …"
    with ExitStack() as stack:
        match phase:
            case "configuration":
                stack.enter_context(slow_sops(project))
            case "artefacts":
                project.app["Docker"]["Download"].append({"src": stack.enter_context(slow_file())})
                stack.callback(project.app["Docker"]["Download"].pop)
            case "build image":
                project.app["Docker"]["Files"] = {"hold": f"# {unique()}\nexec sleep 62"}
                stack.callback(project.app["Docker"].update, Files={"hold": f"# {unique()}\ntrue"})
                said = "] RUN --mount"
            case "lock":
                stack.enter_context(somebody_elses_lock(project))
                said = "] waiting for anna@laptop"
            case "release":
                project.app["Helm"].append(hook("exec sleep 63"))
                stack.callback(project.app["Helm"].pop)
                said = "] Job/"
            case "rollout":
                hold_pods(project, "exec sleep 64")
                stack.callback(free_pods, project)
                said = "] Deployment/"
            case "outside check":
                stack.callback(project.stage.update, HealthCheck=project.stage["HealthCheck"])
                project.stage["HealthCheck"] = {**project.stage["HealthCheck"], "Path": "/absent", "Timeout": 65}
        project.write()
        yield said


# --- the tests -------------------------------------------------------------------------------------------------------

CASES = [(phase, number) for phase in PHASES for number in (SIGTERM, SIGKILL)]
CASES += [("build image", SIGINT), ("rollout", SIGINT), ("rollout", SIGHUP)]


def cut_off(project: Project, said: str, *numbers: Signals) -> Done:
    """A deployment that gets signals when it has said something; nothing that it started outlives it for long."""
    running = project.start("local", "london", project.name, "-v", "--lock-wait", "60s")
    with Watch(running.process.pid, pause=0.02) as watch:
        running.wait_for(said)
        if (slow := project.directory / "slow/sops").exists():
            eventually(slow.with_suffix(".begun").exists)
        for index, number in enumerate(numbers):
            time.sleep(0.3 if index else 0)  # two of a kind in a moment are one
            running.signal(number)
        return end(running, watch, ENDING)


@pytest.mark.parametrize(("phase", "number"), CASES, ids=lambda value: getattr(value, "name", value))
def test_a_deployment_that_is_cut_off(victim: Project, phase: str, number: Signals) -> None:
    before, temporary = victim.cluster.snapshot(), set(victim.temporary.iterdir())
    with held(victim, phase) as said:
        done = cut_off(victim, said, number)
    if number == SIGKILL:
        assert done.code == -SIGKILL
    else:
        assert done.code == 128 + number, done.output
        assert "Traceback" not in done.output
        assert "stopped by" in done.output or "interrupted" in done.output
        assert set(victim.temporary.iterdir()) == temporary
    assert ask(victim.host)[0] == 200, "what ran before does not run any more"
    if phase in BEFORE_THE_CLUSTER:
        assert victim.cluster.snapshot() == before
    search = Search({name: victim.values[name] for name in ("TOKEN", "GREETING")})
    search.done("the deployment", done)
    search.files(victim.directory)
    assert search.leaks == []

    # The same command, once nothing holds it any more.
    if phase in BEFORE_THE_CLUSTER[:3]:
        assert victim.deploy("--plan", "--json").expect(0).target["outcome"] == "planned"
        return
    again = victim.deploy("--json").expect(0)
    assert again.target["outcome"] == "deployed"
    assert victim.answers(victim.values["GREETING"])
    last = victim.revisions[-1]
    assert (last.status, last.verified) == ("deployed", True)
    assert not [one for one in victim.revisions if one.status.startswith("pending")]
    if phase == "build image":
        contexts = victim.cache / "deployer/artefacts/contexts"
        assert list(contexts.iterdir()) == [], "a Docker context is left"
    assert victim.deploy("--json").expect(0).target["outcome"] == "unchanged"


@pytest.mark.parametrize("number", [SIGTERM, SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("phase", ["release", "rollout"])
def test_a_first_installation_that_is_cut_off(
    tmp_path: Path, clusters: dict[str, Namespace], phase: str, number: Signals
) -> None:
    project = Project(tmp_path, clusters)
    with held(project, phase) as said:
        done = cut_off(project, said, number)
    assert done.code == (-SIGKILL if number == SIGKILL else 128 + number), done.output
    if number == SIGTERM:
        assert project.revisions == []
    assert project.deploy("--json").expect(0).target["outcome"] == "deployed"
    assert project.deploy("--json").expect(0).target["outcome"] == "unchanged"


def test_a_second_signal_ends_at_once(victim: Project) -> None:
    """Who presses Ctrl-C twice does not want to wait for the rollback; the next run repairs."""
    with held(victim, "rollout") as said:
        done = cut_off(victim, said, SIGINT, SIGINT)
    assert done.code == 128 + SIGINT, done.output
    assert "Traceback" not in done.output
    assert victim.deploy("--json").expect(0).target["outcome"] == "deployed"
    assert victim.deploy("--json").expect(0).target["outcome"] == "unchanged"
