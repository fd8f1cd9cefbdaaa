"""What interrupted runs leave in the clusters, and that `deploy recover` and the next deployment repair it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGSTOP, SIGTERM, Signals

import pytest

from tests.sandbox.apps import hook
from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project
from tests.sandbox.locks import let_expire, locks, somebody_elses_lock
from tests.sandbox.processes import Watch
from tests.sandbox.surroundings import unique
from tests.sandbox.tool import Done, Running

REGIONS = ("london", "seoul", "virginia")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace]) -> Iterator[Project]:
    """An app that runs in all regions."""
    project = Project(tmp_path_factory.mktemp("running"), clusters)
    project.app["Version"] = "1"
    project.deploy(region="all").expect(0)
    yield project


@pytest.fixture
def changed(running: Project) -> Iterator[Project]:
    """With something to deploy; what a test changes in its files is taken back."""
    greeting, manifests = running.values["GREETING"], list(running.app["Helm"])
    running.values["GREETING"] = unique("greeting")
    yield running
    running.values["GREETING"], running.app["Helm"] = greeting, manifests
    hold_pods(running, None)


def hold_pods(project: Project, command: str | None) -> None:
    """Have every pod run this before its container starts."""
    pod = project.deployment["spec"]["template"]["spec"]
    pod.pop("initContainers", None)
    if command:
        pod["initContainers"] = [{"name": "hold", "image": "{{ BaseImage }}", "command": ["sh", "-c", command]}]


def power_cut(project: Project, said: str, *options: str, region: str = "london") -> None:
    """A deployment that ends with all that it started, without a word, when it has said something."""
    running = project.write().start("local", region, project.name, "-v", *options)
    with Watch(running.process.pid, pause=0.01) as watch:
        running.wait_for(said)
        for number in (SIGSTOP, SIGSTOP, SIGKILL, SIGKILL):  # what was only just starting is seen the second time
            for each in watch.orphans:
                with suppress(ProcessLookupError):
                    os.kill(each.pid, number)
    assert running.done().code == -SIGKILL


def recover(project: Project, *options: str, region: str = "london") -> Done:
    return project.run("recover", "local", region, project.name, "--json", *options)


def repairs_of(done: Done) -> str:
    return "\n".join(done.target["repairs"])


def is_good(project: Project) -> bool:
    newest = project.revisions[-1]
    return newest.verified and newest.status == "deployed"


def has_it(project: Project) -> dict[str, bool]:
    """Which regions run what the files ask for now; all have something good."""
    newest = {name: cluster.revisions(project.name)[-1] for name, cluster in project.clusters.items()}
    assert all(one.verified for one in newest.values())
    return {name: project.clusters[name].uses(one, project.values["GREETING"]) for name, one in newest.items()}


def test_nothing_to_repair(running: Project) -> None:
    before = running.cluster.snapshot()
    done = recover(running.write(), region="all").expect(0)
    assert {target["outcome"] for target in done.document["targets"]} == {"unchanged"}
    assert "nothing is left to repair" in done.document["targets"][0]["reasons"][0]
    assert done.document["partial"] == []
    assert running.cluster.snapshot() == before
    assert locks(running) == []


def test_a_power_cut_in_the_release_leaves_it_pending(changed: Project) -> None:
    changed.app["Helm"].append(hook("exec sleep 63"))
    power_cut(changed, "] Job/")
    assert changed.revisions[-1].status == "pending-upgrade"
    assert len(locks(changed)) == 1
    pending, good = changed.revisions[-1].number, changed.revisions[-2].number
    done = recover(changed).expect(0)
    assert done.target["outcome"] == "repaired"
    assert "took over the lock of" in repairs_of(done)
    assert f"revision {pending}" in repairs_of(done)
    assert "was left pending-upgrade" in repairs_of(done)
    assert f"rolled back to revision {good}, as revision {pending + 1}" in repairs_of(done)
    assert is_good(changed)
    assert changed.revisions[-1].record["action"] == "recover"
    assert [one.status for one in changed.revisions if one.status.startswith("pending")] == []
    assert locks(changed) == []
    message = changed.channel_messages[-1]["text"]
    assert "repaired" in message
    assert recover(changed).expect(0).target["outcome"] == "unchanged"


def test_the_next_deployment_repairs_and_says_so(changed: Project) -> None:
    changed.app["Helm"].append(hook("exec sleep 63"))
    power_cut(changed, "] Job/")
    changed.app["Helm"].pop()
    done = changed.deploy("--json").expect(0)
    assert done.target["outcome"] == "deployed"
    assert "took over the lock of" in repairs_of(done)
    assert "was left pending-upgrade: rolled back to revision" in repairs_of(done)
    assert is_good(changed)
    assert changed.answers(changed.values["GREETING"])


def test_what_runs_well_after_a_kill_is_verified(changed: Project) -> None:
    hold_pods(changed, "exec sleep 6")
    power_cut(changed, "] Deployment/")
    number = changed.revisions[-1].number
    assert not changed.revisions[-1].verified
    done = recover(changed).expect(0)
    assert (done.target["outcome"], done.target["revision"]) == ("repaired", number)
    assert "was never verified: it runs well, and is verified now" in repairs_of(done)
    assert is_good(changed)
    assert changed.answers(changed.values["GREETING"])


def test_what_does_not_run_well_after_a_kill_goes_back(changed: Project) -> None:
    """Also while today's app file is broken."""
    hold_pods(changed, "sleep 1; echo no good; exit 3")
    power_cut(changed, "] Deployment/")
    changed.app["Helm"].append({"apiVersion": "v1", "kind": "{{ Nothing }}"})
    changed.write()
    done = recover(changed).expect(0)
    assert done.target["outcome"] == "repaired"
    assert "was never verified" in repairs_of(done)
    assert "rolled back, as revision" in repairs_of(done)
    assert any("no good" in line for line in done.target["evidence"])
    assert is_good(changed)


def test_a_first_installation_that_was_cut_off_is_taken_away(project: Project) -> None:
    project.app["Helm"].append(hook("exec sleep 63"))
    power_cut(project, "] Job/")
    assert project.revisions[-1].status == "pending-install"
    done = recover(project).expect(0)
    assert done.target["outcome"] == "repaired"
    assert "uninstalled" in repairs_of(done)
    assert project.revisions == []
    assert recover(project).expect(0).target["reasons"] == ["it is not deployed"]


def test_who_is_at_work_is_left_alone(changed: Project) -> None:
    hold_pods(changed, "exec sleep 64")
    at_work: Running = changed.write().start("local", "london", changed.name, "-v")
    at_work.wait_for("] Deployment/")
    done = recover(changed).expect(4)
    assert "for `deploy` since" in done.target["errors"][0]["why"]
    at_work.signal(SIGTERM)
    stopped = at_work.done(20)
    assert stopped.code == 128 + SIGTERM
    assert f"deploy recover local london {changed.name}" in stopped.output
    # The way back was begun, and nobody has waited for it yet.
    done = recover(changed).expect(0)
    assert done.target["outcome"] == "repaired"
    assert is_good(changed)


@pytest.fixture
def slow(tmp_path: Path, clusters: dict[str, Namespace]) -> Project:
    """An app whose first revision takes its time to come back, and whose second one is there at once."""
    project = Project(tmp_path, clusters)
    hold_pods(project, "exec sleep 5")
    project.deploy().expect(0)
    hold_pods(project, None)
    project.values["GREETING"] = unique("greeting")
    return project


def test_a_rollback_that_is_stopped_goes_back_to_what_ran(slow: Project) -> None:
    slow.deploy().expect(0)
    rollback = slow.start("rollback", "local", "london", slow.name, "-v", "--json")
    rollback.wait_for("] Deployment/")
    rollback.signal(SIGTERM)
    done = rollback.done(20)
    assert done.code == 128 + SIGTERM, done.output
    assert done.target["outcome"] == "interrupted"
    assert [(one.number, one.verified) for one in slow.revisions] == [(1, True), (2, True), (3, False), (4, False)]
    assert slow.cluster.uses(slow.revisions[-1], slow.values["GREETING"])
    assert recover(slow).expect(0).target["outcome"] == "repaired"
    assert is_good(slow)


def test_a_way_back_that_is_stopped_is_begun_and_not_awaited(slow: Project) -> None:
    slow.container["command"] = ["sh", "-c", "echo no good; exit 3"]
    failing = slow.write().start("local", "london", slow.name, "-v", "--json")
    failing.wait_for("] rollback …")
    failing.signal(SIGTERM)
    done = failing.done(20)
    assert done.code == 128 + SIGTERM, done.output
    assert done.target["outcome"] == "interrupted"
    assert any("no good" in line for line in done.target["evidence"])
    assert [(one.number, one.status) for one in slow.revisions] == [
        (1, "superseded"),
        (2, "superseded"),
        (3, "deployed"),
    ]
    assert locks(slow) == []
    done = recover(slow).expect(0)
    assert done.target["outcome"] == "repaired"
    assert is_good(slow)


def test_a_lock_that_expires_is_waited_for_and_freed(running: Project) -> None:
    running.write()
    with somebody_elses_lock(running, duration=600):
        refused = recover(running).expect(4)
        assert "anna@laptop" in refused.target["errors"][0]["why"]
        let_expire(running, 5)
        done = recover(running, "--lock-wait", "60s").expect(0)
    assert done.target["outcome"] == "repaired"
    assert "took over the lock of anna@laptop" in repairs_of(done)
    assert "which had expired" in repairs_of(done)
    assert locks(running) == []


@pytest.mark.parametrize("way", ["takeBack", "finish"])
def test_a_fleet_that_was_cut_off_between_its_waves(running: Project, way: str) -> None:
    running.values["GREETING"], running.app["Version"] = unique("greeting"), f"2-{way}"
    power_cut(running, "[seoul " + running.name + "] bake …", "--waves", "seoul", "--bake", "60s", region="all")
    done = recover(running, region="all").expect(0)
    (partial,) = done.document["partial"]
    assert partial["reached"] == ["seoul"]
    assert set(partial["lacking"]) == {"london", "virginia"}
    assert partial["version"] == f"2-{way}"
    assert locks(running) == []
    told = running.run("recover", "local", "seoul", running.name).expect(0)
    assert "has not reached" not in told.stdout  # that was not looked at

    running.run(*shlex.split(partial[way])[1:]).expect(0)
    assert recover(running, region="all").expect(0).document["partial"] == []
    assert has_it(running) == dict.fromkeys(REGIONS, way == "finish")


@pytest.mark.parametrize("number", [SIGTERM, SIGHUP], ids=lambda number: number.name)
def test_a_fleet_that_is_stopped_in_a_wave(running: Project, number: Signals) -> None:
    running.values["GREETING"], running.app["Version"] = unique("greeting"), f"3-{number.name}"
    hold_pods(running, "{% if REGION == 'seoul' %}true{% else %}exec sleep 64{% endif %}")
    deployment = running.write().start("local", "all", running.name, "-v", "--json", "--waves", "seoul")
    hold_pods(running, None)
    for region in ("london", "virginia"):
        deployment.wait_for(f"[{region} {running.name}] Deployment/")
    deployment.signal(number)
    done = deployment.done(20)
    assert done.code == 128 + number, done.output
    assert "Traceback" not in done.output
    outcomes = {target["region"]: target["outcome"] for target in done.document["targets"]}
    assert outcomes == {"seoul": "deployed", "london": "interrupted", "virginia": "interrupted"}
    assert locks(running) == []
    for region in ("london", "virginia"):
        stopped, back = running.clusters[region].revisions(running.name)[-2:]
        assert stopped.labels["ended"].startswith("interrupted")
        assert (back.status, back.verified) == ("deployed", False)
    assert running.channel_messages[-1]["text"].startswith(":x:")

    done = recover(running, region="all").expect(0)
    outcomes = {target["region"]: target["outcome"] for target in done.document["targets"]}
    assert outcomes == {"seoul": "unchanged", "london": "repaired", "virginia": "repaired"}
    (partial,) = done.document["partial"]
    assert partial["reached"] == ["seoul"]
    running.run(*shlex.split(partial["takeBack"])[1:]).expect(0)
    assert has_it(running) == dict.fromkeys(REGIONS, False)


def test_a_fleet_that_is_stopped_while_it_is_watched(running: Project) -> None:
    running.values["GREETING"], running.app["Version"] = unique("greeting"), "4"
    options = ("-v", "--json", "--waves", "seoul", "--bake", "60s")
    deployment = running.write().start("local", "all", running.name, *options)
    deployment.wait_for(f"[seoul {running.name}] bake …")
    deployment.signal(SIGINT)
    done = deployment.done(20)
    assert done.code == 128 + SIGINT, done.output
    outcomes = {target["region"]: target["outcome"] for target in done.document["targets"]}
    assert outcomes == {"seoul": "deployed", "london": "not started", "virginia": "not started"}
    assert locks(running) == []
    assert has_it(running) == {"london": False, "seoul": True, "virginia": False}
    running.deploy(region="all").expect(0)
    assert recover(running, region="all").expect(0).document["partial"] == []
