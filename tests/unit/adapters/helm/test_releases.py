import json
import threading
from pathlib import Path
from typing import Any

import pytest

from deployer.adapters.helm import HelmReleases
from deployer.adapters.helm.command import yaml_json
from deployer.adapters.helm.encoding import unpack
from deployer.errors import ConfigurationError, DeploymentFailed, HeldError, InterruptedBySignal, UnreachableError
from deployer.events import Event, OutputLine, Silence
from deployer.execute.ports import ReleaseRequest
from deployer.model import DeploymentRecord, Ending, Json
from tests.unit.adapters.helm.stand_ins import NAMESPACE, SUCCEEDING, Helm, Secrets, adapter, failing, release, secret

RECORD = DeploymentRecord("d-1", "app", "local", "london", version="1.0", who="anna@laptop")
MANIFESTS = ('{"kind":"ConfigMap","data":{"a":"hunter2 😀"}}', '{"kind":"Secret"}')
REQUEST = ReleaseRequest("app", NAMESPACE, MANIFESTS, RECORD, 90.4)


class Events:
    def __init__(self) -> None:
        self.seen: list[Event] = []

    def emit(self, event: Event) -> None:
        self.seen.append(event)


def upgrade(helm: Helm, tmp_path: Path, secrets: Secrets | None = None, **options: Any) -> int:
    return adapter(helm, secrets, directory=tmp_path / "helm-home", **options).upgrade(REQUEST, Silence())


def test_an_upgrade_is_one_command_and_its_values_are_on_stdin(tmp_path: Path) -> None:
    helm = Helm(tmp_path, SUCCEEDING)
    kubeconfig = tmp_path / "config"
    assert upgrade(helm, tmp_path, kubeconfig=kubeconfig, context="london") == 7
    (call,) = helm.calls
    chart = call["argv"][2]
    assert (Path(chart) / "Chart.yaml").is_file()
    assert call["argv"] == [
        *("upgrade", "app", chart, "--history-max", "10", "--install", "--output", "json", "--timeout", "90s"),
        *("--values", "-", "--description", "1.0 (anna@laptop)", "--namespace", NAMESPACE),
        "--labels=verified=false,deployment-id=d-1",
        "--disable-openapi-validation",
        *("--kube-context", "london", "--kubeconfig", str(kubeconfig)),
    ]
    values = json.loads(call["stdin"])
    assert values["manifests"] == list(MANIFESTS)
    assert values["record"]["deployment_id"] == "d-1"


def test_no_secret_is_in_arguments_or_environment(tmp_path: Path) -> None:
    helm = Helm(tmp_path, SUCCEEDING)
    upgrade(helm, tmp_path, kubeconfig={"users": [{"name": "u", "user": {"token": "hunter2"}}]})
    (call,) = helm.calls
    assert "hunter2" in call["kubeconfig"]
    assert "hunter2" not in json.dumps([call["argv"], call["env"]])
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in ("helm", "calls")]


def test_helm_sees_only_what_it_needs_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HELM_DRIVER", "HELM_KUBETOKEN", "DATABASE_PASSWORD", "AWS_PROFILE", "HELM_PLUGINS"):
        monkeypatch.setenv(name, "mine")
    helm = Helm(tmp_path, SUCCEEDING)
    upgrade(helm, tmp_path, environment={"EXTRA": "1"})
    environment = helm.calls[0]["env"]
    assert environment["AWS_PROFILE"] == "mine"
    assert environment["EXTRA"] == "1"
    assert not {"HELM_DRIVER", "HELM_KUBETOKEN", "DATABASE_PASSWORD"} & environment.keys()
    own = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_PLUGINS", "KUBECACHEDIR")
    assert all(environment[name].startswith(str(tmp_path / "helm-home")) for name in own)


def test_helm_4_wins_over_other_writers(tmp_path: Path) -> None:
    helm = Helm(tmp_path, SUCCEEDING, version="v4.3.1")
    upgrade(helm, tmp_path)
    assert {"--server-side=true", "--force-conflicts"} <= set(helm.calls[0]["argv"])


def test_helms_warnings_are_passed_on_masked(tmp_path: Path) -> None:
    helm = Helm(tmp_path, f"print('W1121 07:17:56.4 1 a.go:1] hunter2 is old', file=sys.stderr); {SUCCEEDING}")
    events = Events()
    made = adapter(helm, directory=tmp_path, mask=lambda text: text.replace("hunter2", "***"))
    made.upgrade(REQUEST, events)
    assert events.seen == [OutputLine("helm", "*** is old")]


def test_a_long_answer_is_read_whole(tmp_path: Path) -> None:
    helm = Helm(tmp_path, "print(json.dumps({'config': '😀' * 300_000, 'version': 12}, ensure_ascii=False))")
    assert upgrade(helm, tmp_path) == 12


@pytest.mark.parametrize("text", ["😀", "\u2028", "\x7f\x85", "\ufeff", 'a"\\ \n', "\ud800"])
def test_values_read_the_same_as_yaml(text: str) -> None:
    import yaml

    spelt = yaml_json({"a": text}).decode()
    assert yaml.safe_load(spelt) == json.loads(spelt)
    assert json.loads(spelt)["a"] == text.replace("\ud800", "?")


def test_a_missing_helm_is_named(tmp_path: Path) -> None:
    made = adapter(lambda: tmp_path / "no-helm", directory=tmp_path)
    with pytest.raises(ConfigurationError, match="no-helm") as raised:
        made.upgrade(REQUEST, Silence())
    assert "doctor" in (raised.value.hint or "")


@pytest.mark.parametrize("version", ["", "helm?", "vX.Y"])
def test_a_helm_without_a_version_is_named(version: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="version"):
        upgrade(Helm(tmp_path, SUCCEEDING, version), tmp_path)


def test_a_failure_is_told_in_our_words(tmp_path: Path) -> None:
    helm = Helm(tmp_path, failing("Error: UPGRADE FAILED: hunter2 is odd"))
    with pytest.raises(DeploymentFailed, match=r"\*\*\* is odd"):
        upgrade(helm, tmp_path, mask=lambda text: text.replace("hunter2", "***"))


PENDING = "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress"


def test_a_pending_revision_holds_and_says_whose_it_is(tmp_path: Path) -> None:
    secrets = Secrets(secret(release(4, "pending-upgrade"), 4, {"deployment-id": "d-4"}))
    with pytest.raises(HeldError) as raised:
        upgrade(Helm(tmp_path, failing(PENDING)), tmp_path, secrets)
    why = raised.value.why or ""
    assert all(part in why for part in ("revision 4", "pending-upgrade", "anna@laptop", "d-4", "2026-01-02T03:04:05"))
    with pytest.raises(HeldError):
        upgrade(Helm(tmp_path, failing(PENDING)), tmp_path, Secrets())


@pytest.mark.parametrize(
    "message",
    [
        "UPGRADE FAILED: release: already exists",
        'INSTALLATION FAILED: create: failed to create: secrets "sh.helm.release.v1.app.v1" already exists',
        "INSTALLATION FAILED: cannot re-use a name that is still in use",
    ],
)
def test_who_comes_second_at_the_same_moment_is_held(message: str, tmp_path: Path) -> None:
    with pytest.raises(HeldError):
        upgrade(Helm(tmp_path, failing(f"Error: {message}")), tmp_path, Secrets(secret(release(4, "pending-upgrade"))))


REMOVED = (
    "Error: UPGRADE FAILED: unable to build kubernetes objects from current release manifest: resource mapping not"
    ' found for name: "a": no matches for kind "Deployment" in version "extensions/v1beta1"'
)


def modern(manifest: Json) -> Json:
    return manifest | {"apiVersion": "apps/v1"} if manifest["apiVersion"] == "extensions/v1beta1" else manifest


def test_a_stored_manifest_of_a_removed_api_is_converted_and_helm_tried_again(tmp_path: Path) -> None:
    secrets = Secrets(secret(release(manifest="apiVersion: extensions/v1beta1\nkind: Deployment\n")))
    helm = Helm(tmp_path, f"sys.exit({REMOVED!r}) if count == 1 else {SUCCEEDING}")
    assert upgrade(helm, tmp_path, secrets, convert=modern) == 7
    made = adapter(helm, secrets, directory=tmp_path)
    assert json.loads(made.revisions("app", NAMESPACE)[0].manifest.removeprefix("---")) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
    }


def test_a_removed_api_that_nobody_can_convert_is_an_error_at_once(tmp_path: Path) -> None:
    helm = Helm(tmp_path, failing(REMOVED))
    with pytest.raises(ConfigurationError, match="does not know a kind"):
        upgrade(helm, tmp_path, Secrets(secret(release())), convert=modern)
    assert len(helm.calls) == 1


def test_stop_ends_helm_and_says_so(tmp_path: Path) -> None:
    helm = Helm(tmp_path, "sys.stderr.write('started\\n'); sys.stderr.flush(); time.sleep(60)")
    made = adapter(helm, directory=tmp_path)
    started = threading.Event()

    class Watcher:
        def emit(self, event: Event) -> None:
            started.set()

    raised: list[BaseException] = []

    def work() -> None:
        try:
            made.upgrade(REQUEST, Watcher())
        except InterruptedBySignal as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(30)
    made.stop()
    thread.join(30)
    assert raised
    made.stop()  # nothing runs: nothing happens


ROLLBACK = DeploymentRecord(
    "d-9", "app", "local", "london", who="eve@desk", version="1", action="rollback", restores="d-1"
)


def test_a_rollback_tells_who_made_it_and_is_not_verified(tmp_path: Path) -> None:
    labels = {"verified": "true", "verified-revision": "3", "deployment-id": "d-1", "ended": "failed.3"}
    secrets = Secrets(secret(release(3, info={"status": "deployed", "description": "Rollback to 1"}), 3, labels))
    helm = Helm(tmp_path, "", version="v4.3.1")
    made = adapter(helm, secrets, directory=tmp_path)
    assert made.rollback("app", NAMESPACE, 1, timeout=5, record=ROLLBACK) == 3
    assert helm.calls[0]["argv"][:3] == ["rollback", "app", "1"]
    assert {"--server-side=true", "--force-conflicts"} <= set(helm.calls[0]["argv"])
    (revision,) = made.revisions("app", NAMESPACE)
    assert (revision.verified, revision.deployment_id, revision.ended) == (False, "d-9", None)
    assert revision.record == ROLLBACK
    assert revision.manifests == ('{"kind":"ConfigMap"}',)
    assert revision.description == "Rollback to 1: 1 (eve@desk)"


def test_a_rollback_to_somebody_elses_revision_leaves_its_values_alone(tmp_path: Path) -> None:
    secrets = Secrets(secret(release(3, config={"replicas": 2}), 3, {"deployment-id": "d-1"}))
    made = adapter(Helm(tmp_path, ""), secrets, directory=tmp_path)
    made.rollback("app", NAMESPACE, 1, timeout=5, record=ROLLBACK)
    (revision,) = made.revisions("app", NAMESPACE)
    assert (revision.record, revision.deployment_id) == (None, "d-9")
    stored = unpack(next(iter(secrets.content.values())))
    assert stored
    assert stored["config"] == {"replicas": 2}


def test_a_rollback_that_fails_after_making_its_revision_is_told_of_in_it(tmp_path: Path) -> None:
    secrets = Secrets(secret(release(1), 1), secret(release(2), 2))
    made_by_helm = secret(release(1) | {"version": 3, "info": {"status": "failed"}}, 3)

    class Growing(Secrets):
        def list(self, *arguments: Any, **options: Any) -> list[Json]:
            found = super().list(*arguments, **options)
            self.content.setdefault(made_by_helm["metadata"]["name"], made_by_helm)  # Helm has made it meanwhile
            return found

    made = adapter(Helm(tmp_path, failing("Error: odd")), Growing(*secrets.content.values()), directory=tmp_path)
    with pytest.raises(DeploymentFailed):
        made.rollback("app", NAMESPACE, 1, timeout=5, record=ROLLBACK)
    assert made.revisions("app", NAMESPACE)[0].record == ROLLBACK


def test_a_pending_revision_that_is_rolled_back_over_has_failed(tmp_path: Path) -> None:
    secrets = history(("superseded", True), ("pending-upgrade", False))
    adapter(Helm(tmp_path, ""), secrets, directory=tmp_path).rollback("app", NAMESPACE, 1, timeout=5)
    assert secrets.content["sh.helm.release.v1.app.v2"]["metadata"]["labels"]["status"] == "failed"


@pytest.mark.parametrize("ended", ["failed", "interrupted"])
def test_how_an_attempt_ended_counts_for_its_own_revision_alone(ended: Ending, tmp_path: Path) -> None:
    secrets = history(("deployed", False))
    made = adapter(Helm(tmp_path, ""), secrets, directory=tmp_path)
    made.mark("app", NAMESPACE, 1, verified=False, ended=ended)
    assert made.revisions("app", NAMESPACE)[0].ended == ended
    copied = secrets.content["sh.helm.release.v1.app.v1"]["metadata"]["labels"] | {"version": "2"}
    secrets.content["sh.helm.release.v1.app.v2"] = secret(release(2), 2, copied)
    assert made.revisions("app", NAMESPACE)[0].ended is None
    made.mark("app", NAMESPACE, 1, verified=True)
    assert made.revisions("app", NAMESPACE)[1].ended is None


def test_uninstalling_nothing_is_no_error_for_helm(tmp_path: Path) -> None:
    helm = Helm(tmp_path, "")
    adapter(helm, directory=tmp_path).uninstall("app", NAMESPACE, timeout=0)
    assert helm.calls[0]["argv"] == [
        *("uninstall", "app", "--timeout", "1s", "--namespace", NAMESPACE, "--ignore-not-found")
    ]


VERIFIED = {"verified": "true"}


def history(*revisions: tuple[str, bool]) -> Secrets:
    """Revisions from 1 on: status, and whether we verified it."""
    return Secrets(
        *(
            secret(release(number, status), number, VERIFIED | {"verified-revision": str(number)} if verified else {})
            for number, (status, verified) in enumerate(revisions, 1)
        )
    )


@pytest.mark.parametrize(
    ("secrets", "command", "done"),
    [
        (history(), None, None),
        (history(("deployed", False)), None, None),
        (history(("pending-install", False)), ["uninstall", "app"], "uninstalled"),
        (
            history(("deployed", True), ("pending-upgrade", False)),
            ["rollback", "app", "1"],
            "rolled back to revision 1",
        ),
        (
            history(("superseded", True), ("deployed", False), ("pending-rollback", False)),
            ["rollback", "app", "1"],
            "rolled back to revision 1",
        ),
        (
            history(("superseded", False), ("deployed", False), ("pending-upgrade", False)),
            ["rollback", "app", "2"],
            "rolled back to revision 2",
        ),
        (history(("failed", False), ("pending-upgrade", False)), None, "marked as failed"),
    ],
)
def test_repair(secrets: Secrets, command: list[str] | None, done: str | None, tmp_path: Path) -> None:
    helm = Helm(tmp_path, "")
    made = adapter(helm, secrets, directory=tmp_path)
    result = made.repair("app", NAMESPACE, timeout=5)
    assert (result is None) if done is None else done in (result or "")
    assert [call["argv"][: len(command or ())] for call in helm.calls] == ([command] if command else [])
    if done is not None and done != "uninstalled":
        assert not made.revisions("app", NAMESPACE)[0].status.startswith("pending")


@pytest.mark.parametrize(
    ("status", "description"), [("pending-rollback", "Rollback to 1"), ("failed", 'Rollback "app" failed: odd')]
)
def test_a_rollback_that_ended_halfway_has_what_it_was_to_leave(status: str, description: str, tmp_path: Path) -> None:
    """Helm compares with the newest revision: the copy of an old one hides what the one after that has brought."""
    manifests = [named("old", "both"), named("new", "both", version="v2"), named("old", "both")]
    secrets = Secrets(
        secret(release(1, "superseded", manifest=manifests[0]), 1, VERIFIED),
        secret(release(2, "superseded", manifest=manifests[1]), 2),
        secret(release(3, status, manifest=manifests[2], info={"status": status, "description": description}), 3),
    )
    made = adapter(Helm(tmp_path, ""), secrets, directory=tmp_path)
    for _ in range(2):
        made.rollback("app", NAMESPACE, 1, timeout=5)
        newest, *older = made.revisions("app", NAMESPACE)
        assert [(one["apiVersion"], one["metadata"]["name"]) for one in documents(newest.manifest)] == [
            ("example.com/v2", "new"),
            ("example.com/v2", "both"),
            ("example.com/v1", "old"),
        ]
        assert (newest.number, newest.status) == (3, "failed")
        assert [one.manifest for one in older] == [manifests[1], manifests[0]]


def test_what_was_good_is_not_pushed_out_of_the_history_by_what_was_not(tmp_path: Path) -> None:
    failing = [("failed", False)] * 7
    secrets = history(("superseded", False), ("superseded", True), ("superseded", True), *failing, ("deployed", False))
    upgrade(Helm(tmp_path, SUCCEEDING), tmp_path, secrets)
    made = adapter(Helm(tmp_path, ""), secrets, directory=tmp_path)
    assert [one.number for one in made.revisions("app", NAMESPACE)] == [11, 10, 9, 8, 7, 6, 5, 3, 2]
    made.rollback("app", NAMESPACE, 5, timeout=5)
    assert len(made.revisions("app", NAMESPACE)) == 9


def test_a_rollback_does_not_push_out_its_own_goal(tmp_path: Path) -> None:
    secrets = history(("superseded", False), *[("superseded", True)] * 9)
    made = adapter(Helm(tmp_path, ""), secrets, directory=tmp_path)
    made.rollback("app", NAMESPACE, 1, timeout=5)
    assert [one.number for one in made.revisions("app", NAMESPACE)] == [10, 9, 8, 7, 6, 5, 4, 3, 1]


def named(*names: str, version: str = "v1") -> str:
    return "".join(
        f"---\napiVersion: example.com/{version}\nkind: Thing\nmetadata: {{name: {name}}}\n" for name in names
    )


def documents(manifest: str) -> list[Json]:
    return [json.loads(line) for line in manifest.splitlines() if line != "---"]


def test_what_a_repair_brings_back_is_told_as_a_repair(tmp_path: Path) -> None:
    secrets = history(("deployed", True), ("pending-upgrade", False))
    made = adapter(Helm(tmp_path, ""), secrets, directory=tmp_path)
    made.repair("app", NAMESPACE, timeout=5, record=DeploymentRecord("d-9", "app", "local", "london", who="eve@desk"))
    record = made.revisions("app", NAMESPACE)[0].record
    assert record
    assert (record.action, record.deployment_id, record.restores, record.who) == ("repair", "d-9", "d-1", "eve@desk")


def test_a_repair_that_cannot_roll_back_frees_the_release_all_the_same(tmp_path: Path) -> None:
    secrets = history(("deployed", True), ("pending-upgrade", False))
    made = adapter(Helm(tmp_path, failing("Error: odd")), secrets, directory=tmp_path)
    assert "marked as failed" in (made.repair("app", NAMESPACE, timeout=5) or "")
    assert made.revisions("app", NAMESPACE)[0].status == "failed"


def test_a_repair_without_a_cluster_changes_nothing(tmp_path: Path) -> None:
    secrets = history(("deployed", True), ("pending-upgrade", False))
    made = adapter(Helm(tmp_path, failing("Error: dial: connection refused")), secrets, directory=tmp_path)
    with pytest.raises(UnreachableError):
        made.repair("app", NAMESPACE, timeout=5)
    assert made.revisions("app", NAMESPACE)[0].status == "pending-upgrade"


def test_reading_starts_no_program(tmp_path: Path) -> None:
    def never() -> Path:
        raise AssertionError

    made: HelmReleases = adapter(never, history(("deployed", True)), directory=tmp_path)
    assert made.revisions("app", NAMESPACE)[0].verified
    made.mark("app", NAMESPACE, 1, verified=False)
    assert not made.revisions("app", NAMESPACE)[0].verified
