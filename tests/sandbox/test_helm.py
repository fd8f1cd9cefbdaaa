"""Releases in a real cluster, made by Helm 3 and by Helm 4."""

from __future__ import annotations

import base64
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployer.adapters.helm import HelmReleases
from deployer.adapters.helm.encoding import pack, unpack
from deployer.errors import ConfigurationError, DeployError, DeploymentFailed, HeldError, InterruptedBySignal
from deployer.events import Silence
from deployer.execute.ports import ReleaseRequest
from deployer.model import DeploymentRecord, Json, ObjectKey, Revision
from deployer.plan.manifests.canonical import canonical_text
from deployer.tools import require
from tests.sandbox import region

PREVIOUS_API = "extensions/v1beta1"


class Bench:
    """The adapter, a namespace of its own, and short ways to use both."""

    def __init__(self, program: str, namespace: str, directory: Path) -> None:
        self.namespace = namespace
        self.cluster = region.cluster(namespace)
        self.helm = require(program)
        self.directory = directory
        self.releases = self.make()

    def make(self, **options: Any) -> HelmReleases:
        arguments: dict[str, Any] = {
            "directory": self.directory,
            "kubeconfig": region.KUBECONFIG,
            "context": region.CONTEXT,
        }
        return HelmReleases(self.cluster, lambda: self.helm, **(arguments | options))

    def upgrade(self, *manifests: Json, by: str = "d-1", releases: HelmReleases | None = None) -> int:
        record = DeploymentRecord(by, "app", "local", "london", version="1.0", who="anna@laptop", digest="sha256:ab")
        request = ReleaseRequest("app", self.namespace, tuple(map(canonical_text, manifests)), record, 60)
        return (releases or self.releases).upgrade(request, Silence())

    def revisions(self) -> tuple[Revision, ...]:
        return self.releases.revisions("app", self.namespace)

    def live(self, manifest: Json) -> Json | None:
        return self.cluster.get(self.key(manifest))

    def settled(self, manifest: Json) -> Json:
        """The live object, which is just as the manifest would make it once its controller leaves it alone."""

        def look() -> Json:
            found = self.live(manifest)
            assert found
            return found

        preview, live = region.previewed(self.cluster, manifest, look)
        assert same(preview, live)
        return live

    def key(self, manifest: Json) -> ObjectKey:
        return ObjectKey(manifest["apiVersion"], manifest["kind"], self.namespace, manifest["metadata"]["name"])

    def secret(self, revision: int) -> tuple[ObjectKey, Json]:
        key = ObjectKey("v1", "Secret", self.namespace, f"sh.helm.release.v1.app.v{revision}")
        secret = self.cluster.get(key)
        assert secret
        return key, secret

    def cut_off(self, *manifests: Json) -> None:
        """An upgrade whose helm is killed while it waits for a hook."""
        failures: list[BaseException] = []

        def work() -> None:
            try:
                self.upgrade(*manifests, ENDLESS_HOOK, by="d-killed")
            except DeployError as error:
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        region.eventually(lambda: self.live(ENDLESS_HOOK))
        (stream,) = self.releases._program._running
        os.killpg(stream.pid, signal.SIGKILL)
        thread.join(30)
        assert failures
        assert self.revisions()[0].status.startswith("pending")


@pytest.fixture(params=["helm", "helm4"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with region.namespace() as namespace:
        made = Bench(request.param, namespace, tmp_path)
        yield made
        made.cluster.close()


def config(name: str = "settings", **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"a": "1"}}


CLAIM: Json = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "kept", "annotations": {"helm.sh/resource-policy": "keep"}},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
PODS: Json = {
    "metadata": {"labels": {"app": "app"}},
    "spec": {"restartPolicy": "Always", "containers": [{"name": "app", "image": "127.0.31.254:5000/none:1"}]},
}
DEPLOYMENT: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "app"},
    "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "app"}}, "template": PODS},
}
# A suspended Job never ends.
ENDLESS_HOOK: Json = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {
        "name": "migrate",
        "annotations": {
            "helm.sh/hook": "post-install,post-upgrade",
            "helm.sh/hook-delete-policy": "before-hook-creation",
        },
    },
    "spec": {
        "suspend": True,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "x"}]}},
    },
}


def test_an_installation_keeps_what_the_deployment_was(bench: Bench) -> None:
    assert bench.upgrade(config(), DEPLOYMENT) == 1
    (revision,) = bench.revisions()
    assert (revision.number, revision.status, revision.verified) == (1, "deployed", False)
    assert revision.deployment_id == "d-1"
    assert revision.manifests == (canonical_text(config()), canonical_text(DEPLOYMENT))
    assert revision.record
    assert (revision.record.who, revision.record.digest) == ("anna@laptop", "sha256:ab")
    assert revision.chart.startswith("deployer-")
    assert revision.updated


def test_manifests_arrive_as_they_were_written(bench: Bench) -> None:
    awkward = {
        "template": "{{ .Values.record }} {% raw %}",
        "emoji": "😀 \u2028 \ufeff ü",
        "separator": "a\n---\nb",
        "number": "0123",
        "quote": '"\\u0041"',
    }
    bench.upgrade(config(**awkward))
    assert (bench.live(config()) or {})["data"] == awkward


def test_a_release_that_was_just_made_shows_no_drift(bench: Bench) -> None:
    manifests = (config(), DEPLOYMENT, CLAIM)
    bench.upgrade(*manifests)
    for manifest in manifests:
        assert bench.settled(manifest)


def test_an_upgrade_wins_over_changes_made_by_hand(bench: Bench) -> None:
    bench.upgrade(config(a="ours", b="ours"))
    bench.cluster.patch(bench.key(config()), {"data": {"a": "by hand", "c": "added by hand"}})
    live = bench.live(config())
    assert live
    assert bench.cluster.preview(config(a="ours", b="ours"), live)["data"]["a"] == "ours"
    bench.upgrade(config(a="ours", b="ours"), by="d-2")
    assert (bench.live(config()) or {})["data"] == {"a": "ours", "b": "ours", "c": "added by hand"}


def test_a_mark_counts_for_its_revision_only(bench: Bench) -> None:
    bench.upgrade(config())
    bench.releases.mark("app", bench.namespace, 1, verified=True)
    assert bench.revisions()[0].verified
    assert bench.upgrade(config(a="2"), by="d-2") == 2
    assert [(each.number, each.verified, each.deployment_id) for each in bench.revisions()] == [
        (2, False, "d-2"),
        (1, True, "d-1"),
    ]
    record = DeploymentRecord(
        "d-3", "app", "local", "london", who="eve", version="1", action="rollback", restores="d-1"
    )
    assert bench.releases.rollback("app", bench.namespace, 1, timeout=60, record=record) == 3
    rolled_back = bench.revisions()[0]
    assert (rolled_back.verified, rolled_back.deployment_id, rolled_back.record) == (False, "d-3", record)
    assert rolled_back.description == "Rollback to 1: 1 (eve)"
    assert rolled_back.manifests == (canonical_text(config()),)
    assert (bench.live(config()) or {})["data"] == {"a": "1"}


def test_a_good_revision_outlives_many_that_were_not(bench: Bench) -> None:
    bench.upgrade(config(a="good"))
    bench.releases.mark("app", bench.namespace, 1, verified=True)
    for number in range(11):
        bench.upgrade(config(a=str(number)), by=f"d-{number}")
    numbers = [one.number for one in bench.revisions()]
    assert numbers == [12, 11, 10, 9, 8, 7, 6, 5, 4, 1]
    bench.releases.rollback("app", bench.namespace, 1, timeout=60)
    assert bench.settled(config(a="good"))


def test_a_rollback_by_hand_is_not_taken_for_verified(bench: Bench) -> None:
    bench.upgrade(config())
    bench.releases.mark("app", bench.namespace, 1, verified=True)
    # What helm leaves when somebody upgrades without us: all labels of the revision before.
    key, secret = bench.secret(1)
    release = unpack(secret)
    assert release
    labels = secret["metadata"]["labels"] | {"version": "2"}
    name = "sh.helm.release.v1.app.v2"
    metadata = {"name": name, "labels": labels}
    data = {"release": pack(release | {"version": 2})}
    region.create(
        bench.namespace,
        {"apiVersion": "v1", "kind": "Secret", "type": secret["type"], "metadata": metadata, "data": data},
        "api/v1:secrets",
    )
    assert [each.verified for each in bench.revisions()] == [False, True]
    assert key.name.endswith("v1")


def test_uninstalling_keeps_claimed_volumes(bench: Bench) -> None:
    bench.upgrade(config(), CLAIM)
    bench.releases.uninstall("app", bench.namespace, timeout=60)
    assert bench.revisions() == ()
    assert bench.live(config()) is None
    claim = bench.live(CLAIM)
    assert claim
    assert "deletionTimestamp" not in claim["metadata"]
    bench.releases.uninstall("app", bench.namespace, timeout=60)  # nothing there: no error


def test_stopping_helm_leaves_a_failed_release_and_not_a_pending_one(bench: Bench) -> None:
    bench.upgrade(config())
    raised: list[BaseException] = []

    def work() -> None:
        try:
            bench.upgrade(config(a="2"), ENDLESS_HOOK)
        except DeployError as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    region.eventually(lambda: bench.live(ENDLESS_HOOK))
    bench.releases.stop()
    thread.join(60)
    assert isinstance(raised[0], InterruptedBySignal)
    assert bench.revisions()[0].status == "failed"
    assert bench.upgrade(config(a="3"), by="d-2") == 3  # and nothing is left stopped


def test_a_killed_upgrade_is_repaired_to_the_last_good_revision(bench: Bench) -> None:
    bench.upgrade(config())
    bench.releases.mark("app", bench.namespace, 1, verified=True)
    bench.cut_off(config(a="2"), config("new"))
    with pytest.raises(HeldError) as held:
        bench.upgrade(config(a="3"))
    assert "anna@laptop" in (held.value.why or "")
    assert "d-killed" in (held.value.why or "")
    done = bench.releases.repair("app", bench.namespace, timeout=60)
    assert done
    assert "rolled back to revision 1" in done
    assert (bench.live(config()) or {})["data"] == {"a": "1"}
    assert bench.live(config("new")) is None
    assert not bench.revisions()[0].verified
    assert bench.upgrade(config(a="3")) == 4
    assert bench.releases.repair("app", bench.namespace, timeout=60) is None


def test_a_killed_first_installation_is_taken_away(bench: Bench) -> None:
    bench.cut_off(config(), CLAIM)
    done = bench.releases.repair("app", bench.namespace, timeout=60)
    assert done
    assert "uninstalled" in done
    assert bench.revisions() == ()
    assert bench.live(CLAIM)
    assert bench.upgrade(config(), CLAIM) == 1  # the volume is ours still


def test_a_pending_revision_that_cannot_be_rolled_back_is_marked_as_failed(bench: Bench) -> None:
    bench.upgrade(config())
    key, secret = bench.secret(1)
    release = unpack(secret)
    assert release
    removed = release["manifest"].replace('"v1"', '"v1alpha9"')
    bench.cut_off(config(a="2"))
    bench.cluster.patch(key, {"data": {"release": pack(release | {"manifest": removed})}})
    done = bench.releases.repair("app", bench.namespace, timeout=60)
    assert done
    assert "failed" in done
    assert bench.revisions()[0].status == "failed"


def test_stored_manifests_of_a_removed_api_are_converted(bench: Bench) -> None:
    bench.upgrade(config(), DEPLOYMENT)
    key, secret = bench.secret(1)
    release = unpack(secret)
    assert release
    release["manifest"] = release["manifest"].replace('"apps/v1"', f'"{PREVIOUS_API}"')
    assert PREVIOUS_API in release["manifest"]
    bench.cluster.patch(key, {"data": {"release": pack(release)}})
    with pytest.raises(ConfigurationError):
        bench.upgrade(config(a="2"), DEPLOYMENT)

    def convert(manifest: Json) -> Json:
        return manifest | {"apiVersion": "apps/v1"} if manifest["apiVersion"] == PREVIOUS_API else manifest

    converting = bench.make(convert=convert)
    assert bench.upgrade(config(a="2"), releases=converting)
    assert bench.live(DEPLOYMENT) is None  # it belonged to the release, and the new revision has none
    converting.uninstall("app", bench.namespace, timeout=60)


def test_an_object_of_somebody_else_is_not_taken(bench: Bench) -> None:
    region.create(bench.namespace, config(), "api/v1:configmaps")
    with pytest.raises(ConfigurationError, match="exists already") as raised:
        bench.upgrade(config(a="2"))
    assert "deploy adopt" in (raised.value.hint or "")


def test_a_release_that_is_too_large_is_named_so(bench: Bench) -> None:
    noise = base64.b64encode(random.Random(0).randbytes(600_000)).decode()
    with pytest.raises(ConfigurationError, match="larger than a cluster can store"):
        bench.upgrade(config(a=noise))


def test_an_immutable_field_is_named_so(bench: Bench) -> None:
    bench.upgrade(DEPLOYMENT)
    other = {"app": "other"}
    changed = DEPLOYMENT | {
        "spec": {
            "selector": {"matchLabels": other},
            "template": PODS | {"metadata": {"labels": other}},
        }
    }
    with pytest.raises(ConfigurationError, match="cannot be changed in place"):
        bench.upgrade(changed)


def test_a_failed_hook_is_a_failed_deployment(bench: Bench) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "127.0.31.254:5000/none:1"}]}
    hook = ENDLESS_HOOK | {"spec": {"activeDeadlineSeconds": 1, "backoffLimit": 0, "template": {"spec": pod}}}
    with pytest.raises(DeploymentFailed, match="hook"):
        bench.upgrade(config(), hook)


@pytest.mark.parametrize("again", ["rollback", "upgrade"])
def test_nothing_is_left_after_a_rollback_that_helm_gave_up(bench: Bench, again: str) -> None:
    """What the revision before it has brought, and what the rollback itself has, goes with the next change."""
    fixed = config("fixed") | {"immutable": True}
    bench.upgrade(config("shared", a="1"), config("old"), fixed)
    bench.upgrade(config("shared", a="1", b="2"), config("new"), by="d-2")
    assert bench.cluster.create(fixed | {"data": {"a": "9"}})
    with pytest.raises(DeployError, match="fixed"):
        bench.releases.rollback("app", bench.namespace, 1, timeout=60)
    assert bench.revisions()[0].status == "failed"
    assert bench.live(config("new"))
    bench.cluster.delete(bench.key(fixed))
    if again == "rollback":
        bench.releases.rollback("app", bench.namespace, 1, timeout=60)
        assert bench.live(config("old"))
        assert bench.live(fixed)
        assert bench.settled(config("shared", a="1"))["data"] == {"a": "1"}
    else:
        bench.upgrade(config("shared", a="3"), by="d-4")
        assert not bench.live(config("old"))
        assert not bench.live(fixed)
        assert bench.settled(config("shared", a="3"))["data"] == {"a": "3"}
    assert not bench.live(config("new"))


def test_a_missing_namespace_is_named(bench: Bench) -> None:
    bench.namespace = "does-not-exist"
    with pytest.raises(ConfigurationError, match="namespace does not exist"):
        bench.upgrade(config())


def test_a_kubeconfig_may_be_given_as_its_content(bench: Bench) -> None:
    import yaml

    content = yaml.safe_load(region.KUBECONFIG.read_text())
    assert bench.upgrade(config(), releases=bench.make(kubeconfig=content)) == 1


def test_a_release_of_one_helm_goes_on_with_the_other(bench: Bench) -> None:
    other = require("helm4" if bench.helm == require("helm") else "helm")
    bench.upgrade(config(a="1", b="1"), DEPLOYMENT)
    mine, bench.helm = bench.helm, other
    changing = bench.make()
    assert bench.upgrade(config(a="2"), DEPLOYMENT, releases=changing) == 2
    assert bench.settled(config(a="2"))["data"] == {"a": "2"}
    assert bench.settled(DEPLOYMENT)
    assert changing.rollback("app", bench.namespace, 1, timeout=60) == 3
    assert bench.settled(config(a="1", b="1"))["data"] == {"a": "1", "b": "1"}
    bench.helm = mine
    assert bench.upgrade(config(a="3"), releases=bench.make()) == 4
    assert bench.settled(config(a="3"))["data"] == {"a": "3"}
    assert bench.live(DEPLOYMENT) is None


def test_helm_finds_nothing_of_the_users_and_writes_nothing_there(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("HELM_NAMESPACE", "elsewhere")
    monkeypatch.setenv("HELM_DRIVER", "configmap")
    monkeypatch.setenv("HELM_DEBUG", "true")
    bench.upgrade(config())
    assert len(bench.revisions()) == 1
    assert list(home.iterdir()) == []


def same(preview: Json, live: Json) -> bool:
    def content(each: Json) -> Json:
        hidden = {"managedFields", "resourceVersion", "generation"}
        metadata = {key: value for key, value in each["metadata"].items() if key not in hidden}
        return {key: value for key, value in each.items() if key != "status"} | {"metadata": metadata}

    return content(preview) == content(live)
