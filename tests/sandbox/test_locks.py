"""Locks on a real cluster: racing processes, holders that are killed or cut off, and those who may not have any."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import yaml

from deployer.adapters.kubernetes import KubernetesCluster
from deployer.adapters.kubernetes.connection import Connection
from deployer.adapters.kubernetes.kubeconfig import read_access
from deployer.adapters.leases import LeaseLocks, this_machine, this_process
from deployer.adapters.leases.held import HeldLease
from deployer.errors import HeldError, NotPermitted
from deployer.model import Holder, Json, ObjectKey, Target
from tests.sandbox import region
from tests.sandbox.clusters import Namespace, namespaces
from tests.sandbox.helpers import Project
from tests.sandbox.surroundings import CHECKOUT, unique

REGIONS_OF_UNLOCK = ("london", "seoul")
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"

HOLD = """
import sys, threading
from deployer.adapters.kubernetes import KubernetesCluster
from deployer.adapters.leases import LeaseLocks, this_machine, this_process
from deployer.errors import HeldError
from deployer.model import Holder, Target
from tests.sandbox.region import cluster
namespace, name, deployment, wait = sys.argv[1:]
locks = LeaseLocks(cluster(namespace), Target("local", "london", name))
locks.look(name, namespace)
print("ready", flush=True)
sys.stdin.readline()
me = Holder(deployment, "anna@laptop", this_machine(), "", "deploy", this_process())
def lost():
    print("lost", flush=True)
try:
    held = locks.acquire(name, namespace, me, wait=float(wait), waiting=lambda state: print("waiting", flush=True),
                         lost=lost, stop=threading.Event())
except HeldError as error:
    print("refused", flush=True)
    sys.exit(error.exit_code)
print("held", flush=True)
sys.stdin.readline()
held.confirm()
held.release()
print("released", flush=True)
"""


class Process:
    """A process that takes a lock when it is told to, and gives it back when it is told again."""

    def __init__(self, namespace: str, name: str, deployment: str, wait: float = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLD, namespace, name, deployment, str(wait)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=CHECKOUT,
        )
        assert self.said() == "ready"

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def hold(self) -> Process:
        self.go_on()
        assert self.said() == "held"
        return self

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def processes(namespace: str, name: str, *deployments: str, wait: float = 0) -> Iterator[list[Process]]:
    started: list[Process] = []
    try:
        for deployment in deployments:
            started.append(Process(namespace, name, deployment, wait))  # noqa: PERF401 -- each is to be killed
        yield started
    finally:
        for process in started:
            process.kill()


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with region.namespace() as made:
        yield made


@pytest.fixture
def name() -> str:
    return unique("app")


@pytest.fixture(scope="module")
def cluster(namespace: str) -> Iterator[KubernetesCluster]:
    made = region.cluster(namespace)
    yield made
    made.close()


class Us:
    """This process, as one that wants a lock."""

    def __init__(self, cluster: KubernetesCluster, namespace: str, name: str) -> None:
        self.locks = LeaseLocks(cluster, Target("local", "london", name))
        self.place = (name, namespace)
        self.lost = threading.Event()

    def acquire(self, deployment: str = "ours", *, wait: float = 0.0, machine: str | None = None) -> HeldLease:
        return self.locks.acquire(
            *self.place,
            Holder(deployment, "ben@desk", machine or this_machine(), "", "deploy", this_process()),
            wait=wait,
            waiting=lambda state: None,
            lost=self.lost.set,
            stop=threading.Event(),
        )

    def holder(self) -> str | None:
        state = self.locks.look(*self.place)
        return state.holder.deployment_id if state and state.holder else None


@pytest.fixture
def us(cluster: KubernetesCluster, namespace: str, name: str) -> Us:
    return Us(cluster, namespace, name)


def key(name: str, namespace: str) -> ObjectKey:
    return ObjectKey("coordination.k8s.io/v1", "Lease", namespace, f"deploy-{name}")


def test_of_racing_processes_exactly_one_wins(us: Us, namespace: str, name: str) -> None:
    with processes(namespace, name, "d-1", "d-2", "d-3", "d-4") as racers:
        for racer in racers:
            racer.go_on()
        said = [racer.said() for racer in racers]
        assert sorted(said) == ["held", "refused", "refused", "refused"]
        winner = said.index("held")
        assert us.holder() == f"d-{winner + 1}"
        racers[winner].go_on()
        assert racers[winner].said() == "released"
    assert us.locks.look(*us.place) is None


def test_those_who_wait_all_get_it_in_turn(us: Us, namespace: str, name: str) -> None:
    with processes(namespace, name, "d-1", "d-2", "d-3", wait=60) as waiters:
        for waiter in waiters:
            waiter.go_on()
        turns: list[tuple[str, int]] = []
        said: dict[int, str] = {}
        threads = [
            threading.Thread(target=_take_turn, args=(number, each, turns, said)) for number, each in enumerate(waiters)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert set(said.values()) == {"released"}
    assert len(turns) == 6
    assert all(turns[at][1] == turns[at + 1][1] for at in (0, 2, 4)), "nobody comes in between"


def _take_turn(number: int, process: Process, turns: list[tuple[str, int]], said: dict[int, str]) -> None:
    word = process.said()
    if word == "waiting":
        word = process.said()
        while word == "waiting":  # told of each new holder
            word = process.said()
    assert word == "held"
    turns.append(("held", number))
    turns.append(("done", number))
    process.go_on()
    said[number] = process.said()


def test_the_lock_of_a_killed_process_is_taken_over_at_once(us: Us, namespace: str, name: str) -> None:
    with processes(namespace, name, "theirs") as [holder]:
        holder.hold()
        with pytest.raises(HeldError, match="locked"):
            us.acquire()
        holder.kill()
        state = us.locks.look(*us.place)
        assert state is not None and state.alive is False and state.expires_in > 20
        held = us.acquire()
        assert held.taken_over is not None and held.taken_over.holder is not None
        assert held.taken_over.holder.deployment_id == "theirs"
        held.confirm()
        held.release()
    assert us.locks.look(*us.place) is None


def test_an_expired_lock_is_taken_over_and_a_valid_one_waited_for(
    us: Us, cluster: KubernetesCluster, namespace: str, name: str
) -> None:
    """The holder is a machine of which nothing is known but its Lease, last renewed 30 s ago."""
    us.acquire("theirs", machine="elsewhere").release()
    holder = Holder("theirs", "anna@laptop", "elsewhere", "", "deploy", "another-boot/pid:[1]/2/3")
    old = cluster.now() - timedelta(seconds=30)
    lease = _lease(name, namespace, "theirs/1", old, holder)
    assert cluster.create(lease) is not None
    with pytest.raises(HeldError, match="locked"):
        us.acquire()
    held = us.acquire(wait=30)
    assert held.taken_over is not None and held.taken_over.expired
    assert (cluster.now() - old).total_seconds() > 32
    held.release()


def test_who_slept_too_long_changes_nothing_more(us: Us, cluster: KubernetesCluster, namespace: str, name: str) -> None:
    with processes(namespace, name, "theirs") as [holder]:
        holder.hold()
        holder.signal(signal.SIGSTOP)
        past = (cluster.now() - timedelta(seconds=40)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        cluster.patch(key(name, namespace), {"spec": {"renewTime": past}})
        held = us.acquire()
        holder.signal(signal.SIGCONT)
        holder.go_on()
        assert holder.said() == "lost", "and its change is not made"
        assert us.holder() == "ours"
        held.confirm()
        held.release()


def _lease(name: str, namespace: str, identity: str, renewed: datetime, holder: Holder | None = None) -> Json:
    stamp = renewed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    annotations = {"deployer/holder": json.dumps(asdict(holder))} if holder else {}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": f"deploy-{name}", "namespace": namespace, "annotations": annotations},
        "spec": {"holderIdentity": identity, "leaseDurationSeconds": 30, "acquireTime": stamp, "renewTime": stamp},
    }


def test_a_lease_of_another_tool_is_told_and_respected(
    us: Us, cluster: KubernetesCluster, namespace: str, name: str
) -> None:
    cluster.create(_lease(name, namespace, "argo", cluster.now()))
    with pytest.raises(HeldError) as refused:
        us.acquire()
    assert refused.value.why is not None and "another tool's" in refused.value.why and "argo" in refused.value.why


def test_who_was_freed_notices_and_does_not_take_it_back(us: Us, namespace: str, name: str) -> None:
    held = us.acquire()
    state = us.locks.look(*us.place)
    assert state is not None
    us.locks.free(*us.place, state)
    with pytest.raises(HeldError, match="was lost") as lost:
        held.confirm()
    assert lost.value.why is not None and "freed" in lost.value.why
    assert us.lost.is_set()
    assert us.locks.look(*us.place) is None, "a Lease can be made by PUT: it must not be"

    again = us.acquire("again")
    held.release()
    assert us.holder() == "again"
    with pytest.raises(HeldError, match="another holder"):
        us.locks.free(*us.place, state)
    again.release()


def test_the_background_renews(us: Us, cluster: KubernetesCluster, namespace: str, name: str) -> None:
    held = us.acquire()

    def renewed() -> Any:
        lease = cluster.get(key(name, namespace))
        return lease is not None and lease["spec"]["renewTime"] > lease["spec"]["acquireTime"]

    assert region.eventually(renewed, 30)
    assert us.holder() == "ours"
    held.confirm()
    held.release()


def test_times_are_the_servers_and_close_to_the_truth(cluster: KubernetesCluster) -> None:
    assert abs((cluster.now() - datetime.now(UTC)).total_seconds()) < 5, "the sandbox's servers share our clock"


def test_all_locks_of_a_namespace_are_listed(us: Us, name: str, namespace: str) -> None:
    held = us.acquire()
    found = us.locks.all(namespace)[name]
    assert found.holder is not None and found.holder.deployment_id == "ours"
    held.release()
    assert name not in us.locks.all(namespace)


@pytest.mark.parametrize("verbs", [[], ["get"], ["get", "create"]])
def test_missing_permissions_are_named(namespace: str, name: str, verbs: list[str]) -> None:
    with _restricted(namespace, verbs) as restricted:
        us = Us(restricted, namespace, name)
        if "create" in verbs:
            held = us.acquire()
            with pytest.raises(NotPermitted) as refused:
                held.confirm()
            held.release()  # may not delete it either: it expires
        else:
            with pytest.raises(NotPermitted) as refused:
                us.acquire()
            assert refused.value.hint is not None
            assert "get, create, update, delete on leases (coordination.k8s.io)" in refused.value.hint
        assert refused.value.exit_code == 5
        assert refused.value.why is not None and "leases" in refused.value.why


@contextmanager
def _restricted(namespace: str, verbs: list[str]) -> Iterator[KubernetesCluster]:
    """The cluster for somebody who may do only this with Leases."""
    user, core = unique("user"), f"/api/v1/namespaces/{namespace}/serviceaccounts"
    rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rules = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}] if verbs else []
    binding = {
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
        "subjects": [{"kind": "ServiceAccount", "name": user, "namespace": namespace}],
    }
    with closing(Connection(read_access(region.KUBECONFIG, region.CONTEXT), timeout=30)) as administrator:
        administrator.request("POST", core, body={"metadata": {"name": user}})
        administrator.request("POST", f"{rights}/roles", body={"metadata": {"name": user}, "rules": rules})
        administrator.request("POST", f"{rights}/rolebindings", body=binding)
        answer = administrator.request("POST", f"{core}/{user}/token", body={"spec": {}})
        token = answer.json()["status"]["token"]
    content = yaml.safe_load(region.KUBECONFIG.read_text())
    context = next(each for each in content["contexts"] if each["name"] == region.CONTEXT)
    context["context"]["user"] = user
    content["users"] = [{"name": user, "user": {"token": token}}]
    with closing(Connection(read_access(content, region.CONTEXT), timeout=30)) as restricted:
        for verb in verbs:
            asked = {"namespace": namespace, "verb": verb, "group": "coordination.k8s.io", "resource": "leases"}
            region.eventually(partial(_may, restricted, asked))  # the API server learns of roles a moment later
    made = KubernetesCluster(content, region.CONTEXT, namespace=namespace)
    try:
        yield made
    finally:
        made.close()


def _may(connection: Connection, asked: Json) -> bool:
    """Whether whoever asks is allowed to do this."""
    review = {"spec": {"resourceAttributes": asked}}
    answer = connection.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
    return bool(answer.json()["status"]["allowed"])


# `deploy unlock`


@pytest.fixture(scope="module")
def clusters() -> Iterator[dict[str, Namespace]]:
    with namespaces(*REGIONS_OF_UNLOCK) as made:
        yield made


def _hold(project: Project, region_name: str, deployment: str) -> None:
    place = project.clusters[region_name]
    holder = Holder(deployment, "anna@laptop", "elsewhere", "2026-11-21T07:00:00+00:00", "deploy", "")
    lease = _lease(project.name, place.name, f"{deployment}/1", datetime.now(UTC), holder)
    lease["spec"]["leaseDurationSeconds"] = 600  # it must not expire while the test looks at it
    place.request("POST", LEASES.format(place.name), lease)


def _leases(project: Project, region_name: str) -> list[str]:
    place = project.clusters[region_name]
    return [each["metadata"]["name"] for each in place.request("GET", LEASES.format(place.name))["items"]]


def test_unlocking_shows_the_holder_and_asks(project: Project) -> None:
    project.write()
    nothing = project.run("unlock", "local", "all", project.name).expect(0)
    assert nothing.stdout.splitlines() == [f"{name} {project.name}: not locked" for name in project.clusters]

    _hold(project, "london", "d-1")
    refused = project.run("unlock", "local", "all", project.name).expect(4)
    for part in ("anna@laptop", "elsewhere", "d-1", "2026-11-21T07:00:00", "expires in", "--yes"):
        assert part in refused.stderr
    assert _leases(project, "london") == [f"deploy-{project.name}"]

    freed = project.run("unlock", "local", "all", project.name, "--yes", "--json").expect(0).document
    by_region = {target["region"]: target for target in freed["targets"]}
    assert by_region["london"]["outcome"] == "freed"
    assert by_region["london"]["lock"]["deployment"] == "d-1"
    assert by_region["seoul"]["outcome"] == "not locked"
    assert _leases(project, "london") == []


def test_unlocking_needs_no_manifests_that_work_and_no_other_region(project: Project) -> None:
    project.app["Helm"] = [{"kind": "{{ missing }}"}]
    project.regions["seoul"]["Cluster"] = {"Context": "nowhere", "Kubeconfig": ".sandbox/kubeconfig"}
    project.write()
    _hold(project, "london", "d-1")
    done = project.run("unlock", "local", "all", project.name, "--yes")
    assert done.code in (2, 5), done.output
    assert "seoul" in done.stderr
    assert done.stdout == f"london {project.name}: freed\n"
    assert _leases(project, "london") == []


def test_a_deployment_respects_a_lock_and_waits_for_it_where_asked(project: Project) -> None:
    _hold(project, "london", "d-1")
    refused = project.deploy(region="london").expect(4)
    assert "anna@laptop" in refused.stderr and "--lock-wait" in refused.stderr
    assert project.revisions == []

    waiting = project.start("local", "london", project.name, "--lock-wait", "60s")
    waiting.wait_for("anna@laptop", 30)
    assert project.revisions == []
    project.run("unlock", "local", "london", project.name, "--yes").expect(0)
    waiting.done().expect(0)
    assert [each.verified for each in project.revisions] == [True]
    assert _leases(project, "london") == [], "given back"
