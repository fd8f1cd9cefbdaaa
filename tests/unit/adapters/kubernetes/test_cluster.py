import json
from typing import Any

import pytest

from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.execute.evidence import container_words, event_lines
from deployer.masking import Masker
from deployer.model import Json, ObjectKey, Secret
from deployer.plan.readiness.evidence import clip
from tests.unit.adapters.kubernetes.apiserver import Answer, Request, cluster, status

CONFIG: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
KEY = ObjectKey("v1", "ConfigMap", None, "a")
NO_PATH = Answer(404, b"404 page not found\n", {"Content-Type": "text/plain"})


def echo(request: Request) -> Answer:
    return Answer(200, request.json if request.body else {})


def test_nothing_is_read_before_the_first_question() -> None:
    from deployer.adapters.kubernetes import KubernetesCluster

    def never() -> Any:
        raise AssertionError

    KubernetesCluster(never, token=never)


def test_common_kinds_need_no_discovery() -> None:
    with cluster(lambda request: Answer(200, {"kind": "x"})) as (adapter, server):
        adapter.get(KEY)
        adapter.get(ObjectKey("apps/v1", "Deployment", "there", "b"))
        adapter.get(ObjectKey("v1", "Namespace", None, "there"))
        assert [request.path for request in server.requests] == [
            "/api/v1/namespaces/here/configmaps/a",
            "/apis/apps/v1/namespaces/there/deployments/b",
            "/api/v1/namespaces/there",
        ]


def test_other_kinds_are_discovered_once() -> None:
    resources = [
        {"name": "widgets", "kind": "Widget", "namespaced": True},
        {"name": "widgets/status", "kind": "Widget", "namespaced": True},
        {"name": "worlds", "kind": "World", "namespaced": False},
    ]

    def answer(request: Request) -> Answer:
        return Answer(200, {"resources": resources} if request.path == "/apis/example.test/v1" else {"kind": "x"})

    with cluster(answer) as (adapter, server):
        adapter.get(ObjectKey("example.test/v1", "Widget", None, "a"))
        adapter.get(ObjectKey("example.test/v1", "World", None, "b"))
        assert adapter.get(ObjectKey("example.test/v1", "Wodget", None, "c")) is None
        assert [request.path for request in server.requests[:3]] == [
            "/apis/example.test/v1",
            "/apis/example.test/v1/namespaces/here/widgets/a",
            "/apis/example.test/v1/worlds/b",
        ]


def test_what_is_not_there_is_none() -> None:
    with cluster(lambda request: status(404, "NotFound", "no", name="a", kind="configmaps")) as (adapter, _):
        assert adapter.get(KEY) is None
    with cluster(lambda request: NO_PATH) as (adapter, _):
        assert adapter.get(ObjectKey("apps/v1beta1", "Deployment", None, "a")) is None
        assert adapter.list("apps/v1beta1", "Deployment", None) == []
        assert adapter.list("example.test/v1", "Widget", None) == []


def test_a_list_is_read_to_its_end() -> None:
    def answer(request: Request) -> Answer:
        name, following = ("b", None) if request.query.get("continue") else ("a", "token")
        items = [{"metadata": {"name": name}}]
        metadata = {"continue": following} if following else {}
        return Answer(200, {"apiVersion": "v1", "kind": "ConfigMapList", "metadata": metadata, "items": items})

    with cluster(answer) as (adapter, server):
        found = adapter.list("v1", "ConfigMap", "there", {"a": "b", "c": "d"})
        assert [(each["kind"], each["apiVersion"], each["metadata"]["name"]) for each in found] == [
            ("ConfigMap", "v1", "a"),
            ("ConfigMap", "v1", "b"),
        ]
        assert [request.query["labelSelector"] for request in server.requests] == ["a=b,c=d"] * 2
        adapter.list("v1", "ConfigMap", None)
        assert server.requests[-1].path == "/api/v1/configmaps"


def test_a_preview_of_something_new_is_a_strict_dry_run() -> None:
    with cluster(echo) as (adapter, server):
        assert adapter.preview(CONFIG, None) == CONFIG
        (request,) = server.requests
        assert (request.method, request.path) == ("POST", "/api/v1/namespaces/here/configmaps")
        assert request.query["dryRun"] == "All"
        assert request.query["fieldValidation"] == "Strict"


def test_a_preview_of_a_change_is_a_dry_run_that_wins_over_others() -> None:
    live = CONFIG | {"metadata": {"name": "a", "resourceVersion": "7"}}
    manifest = CONFIG | {"metadata": {"name": "a", "resourceVersion": "1", "managedFields": []}}
    with cluster(echo) as (adapter, server):
        assert adapter.preview(manifest, live) == CONFIG
        (request,) = server.requests
        assert (request.method, request.path) == ("PATCH", "/api/v1/namespaces/here/configmaps/a")
        assert request.headers["Content-Type"] == "application/apply-patch+yaml"
        assert request.query == {
            "dryRun": "All",
            "force": "true",
            "fieldManager": "deployer-preview",
            "fieldValidation": "Strict",
        }
    assert manifest["metadata"]["resourceVersion"] == "1"  # the caller's own stays as it is


def test_a_preview_takes_helms_marks_and_its_name_from_the_live_object() -> None:
    marks = {"meta.helm.sh/release-name": "app", "meta.helm.sh/release-namespace": "here"}
    live = CONFIG | {
        "metadata": {
            "name": "a",
            "annotations": marks | {"other": "x"},
            "labels": {"app.kubernetes.io/managed-by": "Helm", "other": "x"},
            "managedFields": [
                {"manager": "helm", "operation": "Update"},
                {"manager": "helm4", "operation": "Apply"},
            ],
        }
    }
    manifest = CONFIG | {"metadata": {"name": "a", "labels": {"app.kubernetes.io/managed-by": "us", "l": "1"}}}
    with cluster(echo) as (adapter, server):
        metadata = adapter.preview(manifest, live)["metadata"]
        assert metadata["annotations"] == marks
        assert metadata["labels"] == {"app.kubernetes.io/managed-by": "Helm", "l": "1"}
        assert server.requests[0].query["fieldManager"] == "helm4"


FORMER = CONFIG | {"data": {"x": "1", "gone": "1"}}
UNREAD = status(422, "Invalid", "patch: Invalid value", causes=[{"field": "patch"}])
UNSUPPORTED = status(415, "UnsupportedMediaType", "only merge patches")
UNTYPED = "failed to create typed patch object (a/b): .spec.replcas: field not declared in schema"


def content_type(request: Request) -> str:
    return request.headers["Content-Type"].removeprefix("application/").removesuffix("-patch+json")


def test_what_the_manifest_no_longer_says_is_taken_away_as_helm_does() -> None:
    live = FORMER | {"data": {"x": "1", "gone": "1", "by hand": "2"}}
    with cluster(echo) as (adapter, server):
        adapter.preview(CONFIG, live, FORMER)
        (request,) = server.requests
        assert content_type(request) == "strategic-merge"
        assert request.query == {"dryRun": "All", "fieldManager": "deployer-preview", "fieldValidation": "Strict"}
        assert request.json == {"data": {"gone": None}}


def test_who_applied_on_the_server_needs_no_patch() -> None:
    live = FORMER | {"metadata": {"name": "a", "managedFields": [{"manager": "helm", "operation": "Apply"}]}}
    with cluster(echo) as (adapter, server):
        adapter.preview(CONFIG, live, FORMER)
        assert server.requests[0].query["force"] == "true"


def test_kinds_without_merge_keys_get_a_plain_patch() -> None:
    with cluster(lambda request: UNSUPPORTED if "strategic" in content_type(request) else echo(request)) as (
        adapter,
        server,
    ):
        adapter.preview(CONFIG, FORMER, FORMER)
        assert [content_type(request) for request in server.requests] == ["strategic-merge", "merge"]
        assert server.requests[1].json == {"data": {"gone": None}}


def test_where_a_patch_cannot_be_read_an_apply_says_where() -> None:
    def answer(request: Request) -> Answer:
        return UNREAD if content_type(request) == "strategic-merge" else status(500, "", UNTYPED)

    with cluster(answer) as (adapter, _), pytest.raises(ConfigurationError, match=r"spec\.replcas"):
        adapter.preview(CONFIG, FORMER, FORMER)


def test_a_hook_is_previewed_as_a_new_object_even_where_one_is_left() -> None:
    hook = CONFIG | {"metadata": {"name": "a", "annotations": {"helm.sh/hook": "pre-install"}}}
    with cluster(lambda request: status(409, "AlreadyExists", "exists")) as (adapter, server):
        assert adapter.preview(hook, CONFIG) == hook
        assert server.requests[0].method == "POST"


def test_an_object_that_appeared_meanwhile_is_previewed_as_a_change() -> None:
    def answer(request: Request) -> Answer:
        return status(409, "AlreadyExists", "exists") if request.method == "POST" else Answer(200, CONFIG)

    with cluster(answer) as (adapter, server):
        assert adapter.preview(CONFIG, None) == CONFIG
        assert [request.method for request in server.requests] == ["POST", "GET", "PATCH"]


RBAC = (
    'configmaps "a" is forbidden: User "anna" cannot patch resource "configmaps" in API group "" in the namespace "x"'
)


@pytest.mark.parametrize(
    ("answer", "kind", "words", "hint"),
    [
        (status(422, "Invalid", 'data: Invalid value: "hunter2"'), ConfigurationError, r'"\*\*\*"', None),
        (status(422, "Invalid", "spec.selector: field is immutable"), ConfigurationError, "immutable", "another name"),
        (status(400, "BadRequest", 'unknown field "spec.x"'), ConfigurationError, "spec.x", "misspelt"),
        (status(403, "Forbidden", "exceeded quota: few"), ConfigurationError, "quota", "quota"),
        (status(403, "Forbidden", "admission webhook denied it"), ConfigurationError, "webhook", None),
        (status(403, "Forbidden", RBAC), UnreachableError, "not allowed", "RoleBinding"),
        (Answer(403, b"<html>login</html>"), UnreachableError, "login", None),
        (
            status(404, "NotFound", "no ns", name="here", kind="namespaces"),
            ConfigurationError,
            "no ns",
            "kubectl create",
        ),
        (NO_PATH, ConfigurationError, "does not know ConfigMap", "api-resources"),
        (status(500, "InternalError", "etcd"), UnreachableError, "etcd", "later"),
        (status(500, "", UNTYPED), ConfigurationError, "spec.replcas", "misspelt"),
        (status(500, "", "unable to convert unstructured object to v1"), ConfigurationError, "unstructured", None),
        (Answer(200, b"<html>login</html>"), UnreachableError, "not that of a Kubernetes", "proxy"),
        (Answer(200, b"\xff"), UnreachableError, "not that of a Kubernetes", "proxy"),
        (Answer(200, []), UnreachableError, "not that of a Kubernetes", "proxy"),
    ],
)
def test_refusals(
    answer: Answer, kind: type[DeployError], words: str, hint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployer.adapters.kubernetes.connection._LONGEST_PAUSE", 0.0)
    with (
        cluster(lambda request: answer, mask=lambda text: text.replace("hunter2", "***")) as (adapter, _),
        pytest.raises(kind, match=words) as raised,
    ):
        adapter.preview(CONFIG, None)
    assert (hint or "") in (raised.value.hint or "")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "manifest",
    [{}, {"kind": "ConfigMap"}, CONFIG | {"metadata": {}}, CONFIG | {"metadata": None}, CONFIG | {"kind": 1}],
)
def test_what_is_no_manifest(manifest: Json) -> None:
    with cluster(lambda request: NO_PATH) as (adapter, _), pytest.raises(ConfigurationError):
        adapter.preview(manifest, None)


def test_check_asks_for_the_version_and_for_what_we_may_do() -> None:
    verbs = ["create"]

    def answer(request: Request) -> Answer:
        if request.path == "/version":
            return Answer(200, {"gitVersion": "v1.34.4"})
        assert request.json["spec"] == {"namespace": "here"}
        rules = [{"verbs": verbs, "apiGroups": [""], "resources": ["secrets"]}]
        return Answer(201, {"status": {"resourceRules": rules, "incomplete": False}})

    with cluster(answer) as (adapter, _):
        assert adapter.check() == "v1.34.4"
        verbs = ["get"]
        with pytest.raises(UnreachableError, match="may not keep Helm releases in namespace here"):
            adapter.check()


def test_a_token_takes_the_place_of_the_kubeconfigs_user() -> None:
    with cluster(lambda request: Answer(200, {}), token=lambda: (Secret("fresh"), None)) as (adapter, server):
        adapter.get(KEY)
        assert server.requests[0].headers["Authorization"] == "Bearer fresh"


def event(uid: str, name: str, **times: Any) -> Json:
    return {"metadata": {"uid": name, "name": name}, "involvedObject": {"uid": uid}, **times}


def test_events_are_those_of_the_objects_oldest_first() -> None:
    events = [
        event("pod", "c", lastTimestamp="2026-01-01T00:00:03Z"),
        event("pod", "b", lastTimestamp=None, eventTime="2026-01-01T00:00:02.5Z"),
        event("pod", "a", lastTimestamp=None, eventTime=None),
        event("pod", "d", series={"lastObservedTime": "2026-01-01T00:00:04Z"}, eventTime="2026-01-01T00:00:00Z"),
        event("other", "x", lastTimestamp="2026-01-01T00:00:01Z"),
    ]
    with cluster(lambda request: Answer(200, {"kind": "EventList", "items": events})) as (adapter, server):
        assert [each["metadata"]["name"] for each in adapter.events("there", ["pod"])] == ["a", "b", "c", "d"]
        assert server.requests[0].query["fieldSelector"] == "involvedObject.uid=pod"
        many = ["pod", *map(str, range(20))]
        assert len(adapter.events("there", many)) == 4
        assert len(server.requests) == 2
        assert adapter.events("there", []) == ()


SECRET = "correct-horse-battery-staple"
CROSSING = "x" * 230 + SECRET
"""Whoever shows this cuts it in the middle of the secret."""


def test_what_a_status_says_is_masked_before_anybody_cuts_it() -> None:
    terminated = {"exitCode": 1, "reason": "Error", "message": CROSSING}
    pod = {
        "metadata": {"name": "a", "annotations": {"message": SECRET}},
        "spec": {"containers": [{"name": "main", "env": [{"name": "message", "value": SECRET}]}]},
        "status": {
            "phase": "Failed",
            "message": CROSSING,
            "conditions": [{"type": "Ready", "status": "False", "message": CROSSING}],
            "containerStatuses": [{"name": "main", "restartCount": 2, "state": {"terminated": terminated}}],
        },
    }
    items = {"kind": "PodList", "apiVersion": "v1", "items": [pod]}

    def answer(request: Request) -> Answer:
        return Answer(200, pod if request.path.endswith("/a") else items)

    with cluster(answer, mask=Masker([SECRET]).mask) as (adapter, _):
        for found in (adapter.get(ObjectKey("v1", "Pod", None, "a")), *adapter.list("v1", "Pod", None)):
            assert found is not None
            assert (found["metadata"], found["spec"]) == (pod["metadata"], pod["spec"])
            status = json.dumps(found["status"])
            assert status == json.dumps(pod["status"]).replace(SECRET, "***")
            assert container_words(found["status"]["containerStatuses"][0]).count("correct") == 0
            assert "correct" not in clip(found["status"]["message"])


def test_data_of_objects_is_exact() -> None:
    config = CONFIG | {"data": {"message": SECRET}, "status": None}
    with cluster(lambda request: Answer(200, config), mask=Masker([SECRET]).mask) as (adapter, _):
        assert adapter.get(KEY) == config


def test_what_events_say_is_masked_before_anybody_cuts_it() -> None:
    long = "x" * 390 + SECRET
    events = [event("pod", "a", message=long, reason="BackOff"), event("pod", "b", note=long)]
    with cluster(lambda request: Answer(200, {"items": events}), mask=Masker([SECRET]).mask) as (adapter, _):
        found = adapter.events("there", ["pod"])
        assert [one.get("message") or one["note"] for one in found] == ["x" * 390 + "***"] * 2
        assert "correct" not in " ".join(event_lines(found))


def test_a_log_is_masked_before_it_is_cut_and_obeys_no_terminal() -> None:
    text = b"one\ntwo hunter2\n\xff\x1b[31mthree\tx\r\n" + b"x" * 5000 + b"\n"
    with cluster(lambda request: Answer(200, text), mask=lambda text: text.replace("hunter2", "***")) as (
        adapter,
        server,
    ):
        log = adapter.log("there", "pod", "main", lines=3, previous=True)
        assert log == ("two ***", "��[31mthree\tx", "x" * 2000)
        assert server.requests[0].query == {"container": "main", "tailLines": "3", "previous": "true"}


@pytest.mark.parametrize(
    "answer",
    [
        status(400, "BadRequest", "container is waiting to start"),
        status(404, "NotFound", "no pod"),
        status(500, "InternalError", "dial tcp: kubelet"),
        Answer(200, b"unable to retrieve container logs for containerd://abc"),
        Answer(200, b""),
    ],
)
def test_a_container_without_a_log_has_none(answer: Answer) -> None:
    with cluster(lambda request: answer) as (adapter, _):
        assert adapter.log("there", "pod", "main", lines=20) == ()


def test_a_huge_log_line_is_bounded() -> None:
    with cluster(lambda request: Answer(200, b"x" * 3_000_000 + b"\nlast\n")) as (adapter, _):
        assert adapter.log("there", "pod", "main", lines=1) == ("last",)


def test_a_change_is_a_merge_patch() -> None:
    with cluster(echo) as (adapter, server):
        adapter.patch(KEY, {"metadata": {"labels": {"a": None}}})
        (request,) = server.requests
        assert request.headers["Content-Type"] == "application/merge-patch+json"
        assert json.loads(request.body) == {"metadata": {"labels": {"a": None}}}
        assert "dryRun" not in request.query
