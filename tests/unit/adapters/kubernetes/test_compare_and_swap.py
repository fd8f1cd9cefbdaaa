import time
from datetime import UTC, datetime, timedelta

import pytest

from deployer.adapters.kubernetes.server_clock import ServerClock
from deployer.errors import ConfigurationError, NotPermitted, UnreachableError
from deployer.model import Json, ObjectKey
from tests.unit.adapters.kubernetes.apiserver import Answer, Request, cluster, status

LEASE: Json = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "deploy-a", "namespace": "there", "uid": "u", "resourceVersion": "7"},
}
PATH = "/apis/coordination.k8s.io/v1/namespaces/there/leases"


def test_an_object_is_made_once() -> None:
    with cluster(lambda request: Answer(201, request.json)) as (adapter, server):
        assert adapter.create(LEASE) == LEASE
        assert [(one.method, one.path) for one in server.requests] == [("POST", PATH)]
    with cluster(lambda request: status(409, "AlreadyExists", "it exists")) as (adapter, _):
        assert adapter.create(LEASE) is None
    quota = status(409, "Conflict", "quota is changing")
    with cluster(lambda request: quota) as (adapter, _), pytest.raises(ConfigurationError):
        adapter.create(LEASE)


def test_what_has_changed_or_gone_is_not_replaced() -> None:
    with cluster(lambda request: Answer(200, request.json)) as (adapter, server):
        assert adapter.replace(LEASE) == LEASE
        assert [(one.method, one.path) for one in server.requests] == [("PUT", f"{PATH}/deploy-a")]
        assert server.requests[0].json["metadata"]["resourceVersion"] == "7"
    for answer in (status(409, "Conflict", "changed"), status(404, "NotFound", "no", name="deploy-a")):
        with cluster(lambda request, answer=answer: answer) as (adapter, _):  # type: ignore[misc]
            assert adapter.replace(LEASE) is None


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
def test_nothing_is_replaced_unseen(field: str) -> None:
    metadata = {name: value for name, value in LEASE["metadata"].items() if name != field}
    with cluster(lambda request: Answer(200, request.json)) as (adapter, server):
        with pytest.raises(ValueError, match=field):
            adapter.replace(LEASE | {"metadata": metadata})
        assert server.requests == []


def test_only_what_was_seen_is_deleted() -> None:
    with cluster(lambda request: Answer(200, {"kind": "Status"})) as (adapter, server):
        assert adapter.delete_unchanged(LEASE) is True
        [request] = server.requests
        assert (request.method, request.path) == ("DELETE", f"{PATH}/deploy-a")
        assert request.json["preconditions"] == {"uid": "u", "resourceVersion": "7"}
    for answer in (status(409, "Conflict", "changed"), status(404, "NotFound", "no", name="deploy-a")):
        with cluster(lambda request, answer=answer: answer) as (adapter, _):  # type: ignore[misc]
            assert adapter.delete_unchanged(LEASE) is False


def test_a_refusal_says_what_was_tried() -> None:
    answer = status(403, "Forbidden", 'leases is forbidden: User "x" cannot create resource "leases" in API group')
    with cluster(lambda request: answer) as (adapter, _):
        with pytest.raises(NotPermitted, match="creating Lease/deploy-a"):
            adapter.create(LEASE)
        with pytest.raises(NotPermitted, match="replacing Lease/deploy-a"):
            adapter.replace(LEASE)
        with pytest.raises(NotPermitted, match="deleting Lease/deploy-a"):
            adapter.delete_unchanged(LEASE)


def test_with_a_timeout_a_request_is_sent_once() -> None:
    with cluster(lambda request: status(503, "Unavailable", "etcd is away")) as (adapter, server):
        key = ObjectKey("coordination.k8s.io/v1", "Lease", "there", "deploy-a")
        for ask in (adapter.replace, adapter.delete_unchanged):
            with pytest.raises(UnreachableError):
                ask(LEASE, timeout=5)
        with pytest.raises(UnreachableError):
            adapter.get(key, timeout=5)
        assert [one.method for one in server.requests] == ["PUT", "DELETE", "GET"]


def test_a_server_that_hangs_is_left_after_the_timeout() -> None:
    def hang(request: Request) -> Answer:
        while not over:
            time.sleep(0.01)
        return Answer(close=True)

    over: list[bool] = []
    with cluster(hang) as (adapter, _):
        try:
            with pytest.raises(UnreachableError, match="does not answer"):
                adapter.replace(LEASE, timeout=0.05)
        finally:
            over.append(True)


def test_the_time_is_the_servers() -> None:
    date = {"Date": "Sat, 21 Nov 2020 07:00:00 GMT"}
    with cluster(lambda request: Answer(200, {"gitVersion": "v1"}, date)) as (adapter, server):
        told = adapter.now()
        assert datetime(2020, 11, 21, 7, tzinfo=UTC) <= told < datetime(2020, 11, 21, 8, tzinfo=UTC)
        adapter.now()
        assert [one.path for one in server.requests] == ["/version"]


def test_the_clock_goes_on_from_the_last_answer() -> None:
    seconds = [100.0]
    clock = ServerClock(lambda: seconds[0])
    assert clock.now() is None
    clock.hear("Sat, 21 Nov 2026 07:00:00 GMT")
    seconds[0] += 90
    assert clock.now() == datetime(2026, 11, 21, 7, 1, 30, 500_000, tzinfo=UTC)
    clock.hear("Sat, 21 Nov 2026 06:00:00 GMT")
    assert clock.now() == datetime(2026, 11, 21, 6, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("date", [None, "", "soon", "Sat, 99 Nov 2026 07:00:00 GMT", "Sat, 21 Nov 2026 07:00:00 -0000"])
def test_what_is_no_date_is_passed_over(date: str | None) -> None:
    clock = ServerClock()
    clock.hear(date)
    assert clock.now() is None
    clock.hear("Sat, 21 Nov 2026 07:00:00 GMT")
    before = clock.now()
    clock.hear(date)
    after = clock.now()
    assert before is not None and after is not None and after - before < timedelta(seconds=10)
