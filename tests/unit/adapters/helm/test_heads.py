"""The newest revision of every release in a namespace."""

from __future__ import annotations

from deployer.adapters.helm.encoding import pack
from deployer.adapters.helm.heads import heads
from deployer.model import Json
from tests.unit.adapters.helm.stand_ins import NAMESPACE, Secrets, release, secret


def stored(name: str, number: int, status: str = "deployed", *, verified: bool = True) -> Json:
    """A revision as Helm and we have stored it."""
    marks = {"verified": str(verified).lower()} | ({"verified-revision": str(number)} if verified else {})
    content = secret(release(number, status, name=name), number, {"name": name, "status": status, **marks})
    content["metadata"]["name"] = f"sh.helm.release.v1.{name}.v{number}"
    return content


def test_the_newest_revision_of_each_release() -> None:
    secrets = Secrets(
        stored("one", 1, "superseded"), stored("one", 2), *(stored("two", number, "failed") for number in (9, 10))
    )
    found = heads(secrets, NAMESPACE, None)
    assert {name: head.newest.number for name, head in found.items()} == {"one": 2, "two": 10}
    assert all(head.good is head.newest for head in found.values())


def test_older_revisions_are_not_read_where_the_newest_is_good() -> None:
    secrets = Secrets(*(stored("one", number, "superseded") for number in range(1, 9)), stored("one", 9))
    heads(secrets, NAMESPACE, None)
    assert secrets.selectors == ["owner=helm,status!=superseded"]


def test_the_last_good_revision_of_those_that_are_not() -> None:
    secrets = Secrets(
        stored("good", 4),
        stored("bad", 3, "superseded"),
        stored("bad", 4, "superseded"),
        stored("bad", 5, "superseded", verified=False),
        stored("bad", 6, verified=False),
        stored("never", 1, "failed", verified=False),
    )
    found = heads(secrets, NAMESPACE, None)
    assert {name: (head.newest.number, head.good and head.good.number) for name, head in found.items()} == {
        "good": (4, 4),
        "bad": (6, 4),
        "never": (1, None),
    }
    assert secrets.selectors[1] == "owner=helm,verified=true,name in (bad,never)"


def test_a_mark_that_helm_has_copied_does_not_count() -> None:
    copied = stored("one", 5)
    copied["metadata"]["labels"]["verified-revision"] = "3"
    found = heads(Secrets(stored("one", 3, "superseded"), copied), NAMESPACE, None)
    assert (found["one"].newest.verified, found["one"].good and found["one"].good.number) == (False, 3)


def test_a_rollback_of_a_deployment_that_failed() -> None:
    def brought_back(name: str, failed: str) -> list[Json]:
        attempt = stored(name, 4, "superseded", verified=False)
        attempt["metadata"]["labels"] |= {"ended": "failed.4", "deployment-id": failed}
        newest = stored(name, 5)
        values = release(5, name=name)
        values["config"]["record"] |= {"deployment_id": "d-5", "action": "rollback"}
        newest["data"]["release"] = pack(values)
        newest["metadata"]["labels"]["deployment-id"] = "d-5"
        return [attempt, newest]

    secrets = Secrets(*brought_back("one", "d-5"), *brought_back("two", "d-4"), stored("three", 1))
    found = heads(secrets, NAMESPACE, None)
    assert {name: head.takes_back for name, head in found.items()} == {"one": True, "two": False, "three": False}
    assert secrets.selectors == ["owner=helm,status!=superseded", "owner=helm,ended,name in (one,two)"]


def test_only_the_releases_that_are_asked_for() -> None:
    secrets = Secrets(stored("one", 1), stored("two", 1), stored("three", 1))
    assert set(heads(secrets, NAMESPACE, {"one", "two", "four"})) == {"one", "two"}


def test_many_names_are_asked_for_in_portions() -> None:
    names = {f"release-{number:03}" for number in range(120)}
    secrets = Secrets(*(stored(name, 1) for name in names))
    assert set(heads(secrets, NAMESPACE, names)) == names
    assert len(secrets.selectors) == 3
    assert max(map(len, secrets.selectors)) < 4000


def test_nothing_is_asked_for_no_names() -> None:
    secrets = Secrets(stored("one", 1))
    assert heads(secrets, NAMESPACE, set()) == {}
    assert secrets.selectors == []


def test_what_cannot_be_unpacked_is_known_by_its_labels() -> None:
    broken = stored("one", 3)
    broken["data"]["release"] = "AAAA"
    found = heads(Secrets(broken), NAMESPACE, None)
    assert (found["one"].newest.number, found["one"].newest.record) == (3, None)


def test_what_only_looks_like_a_release_is_left_out() -> None:
    other = stored("one", 3) | {"type": "Opaque"}
    nameless = stored("two", 1)
    del nameless["metadata"]["labels"]["name"]
    assert heads(Secrets(other, nameless), NAMESPACE, None) == {}
