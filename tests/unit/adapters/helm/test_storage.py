from datetime import UTC, datetime

import pytest

from deployer.adapters.helm.encoding import unpack
from deployer.adapters.helm.storage import Storage, label_value
from deployer.errors import ConfigurationError
from deployer.model import DeploymentRecord, Json, ObjectKey
from deployer.model.release import FOR_EVER
from tests.unit.adapters.helm.stand_ins import NAMESPACE, Secrets, release, secret


def test_revisions_are_the_releases_own_newest_first() -> None:
    other_type = secret(release(8), 8, type="Opaque")
    other_name = secret(release(9), 9, {"name": "other"})
    secrets = Secrets(*(secret(release(number), number) for number in (2, 10, 1)), other_type, other_name)
    assert [revision.number for revision in Storage(secrets).revisions("app", NAMESPACE)] == [10, 2, 1]


def test_a_mark_is_set_and_taken_away() -> None:
    secrets = Secrets(secret(release(), labels={"deployment-id": "d"}))
    storage = Storage(secrets)
    storage.mark("app", NAMESPACE, 1, verified=True)
    assert storage.revisions("app", NAMESPACE)[0].verified
    storage.mark("app", NAMESPACE, 1, verified=False)
    (revision,) = storage.revisions("app", NAMESPACE)
    assert (revision.verified, revision.deployment_id) == (False, "d")


def test_how_long_a_revision_is_kept_is_written_beside_its_mark() -> None:
    secrets = Secrets(secret(release(1)), secret(release(2), 2))
    storage = Storage(secrets)
    until = datetime(2026, 11, 28, 17, tzinfo=UTC)
    storage.mark("app", NAMESPACE, 2, verified=True)
    storage.keep("app", NAMESPACE, 2, until)
    assert [(one.kept_until, one.verified) for one in storage.revisions("app", NAMESPACE)] == [
        (until, True),
        (None, False),
    ]
    storage.keep("app", NAMESPACE, 2, None)
    assert storage.revisions("app", NAMESPACE)[0].kept_until == FOR_EVER
    storage.mark("app", NAMESPACE, 2, verified=False, ended="failed")
    assert storage.revisions("app", NAMESPACE)[0].kept_until == FOR_EVER


def test_a_revision_is_attributed_to_a_deployment() -> None:
    secrets = Secrets(secret(release(), labels={"verified": "true", "verified-revision": "1", "deployment-id": "old"}))
    storage = Storage(secrets)
    storage.attribute("app", NAMESPACE, 1, DeploymentRecord("new", "app", "prod", "london"))
    (revision,) = storage.revisions("app", NAMESPACE)
    assert (revision.verified, revision.deployment_id) == (False, "new")
    assert revision.record == DeploymentRecord("new", "app", "prod", "london")
    storage.attribute("app", NAMESPACE, 1, None)
    assert storage.revisions("app", NAMESPACE)[0].deployment_id == "new"


class Refusing(Secrets):
    """Refuses every change: after it has made it, as when a request is sent again whose answer was lost, or at all."""

    def __init__(self, *secrets: Json, made: bool) -> None:
        super().__init__(*secrets)
        self.made = made

    def patch(self, key: ObjectKey, change: Json) -> Json:
        if self.made:
            super().patch(key, change)
        raise ConfigurationError("the object has been modified")


def test_a_change_that_was_made_though_it_was_refused_is_made() -> None:
    secrets = Refusing(secret(release()), made=True)
    Storage(secrets).attribute("app", NAMESPACE, 1, DeploymentRecord("new", "app", "prod", "london"))
    assert Storage(secrets).revisions("app", NAMESPACE)[0].deployment_id == "new"
    secrets.made = False
    with pytest.raises(ConfigurationError, match="modified"):
        Storage(secrets).attribute("app", NAMESPACE, 1, DeploymentRecord("newer", "app", "prod", "london"))


def test_only_a_pending_revision_is_made_a_failed_one() -> None:
    secrets = Secrets(secret(release(1)), secret(release(2, "pending-upgrade"), 2), secret("nonsense", 3))
    storage = Storage(secrets)
    assert not storage.fail("app", NAMESPACE, 1)
    assert storage.fail("app", NAMESPACE, 2)
    assert not storage.fail("app", NAMESPACE, 3)
    failed = secrets.content["sh.helm.release.v1.app.v2"]
    assert failed["metadata"]["labels"]["status"] == "failed"
    stored = unpack(failed)
    assert stored
    assert stored["info"]["status"] == "failed"
    assert stored["config"] == release(2)["config"]
    assert [revision.status for revision in storage.revisions("app", NAMESPACE)] == ["deployed", "failed", "deployed"]


def test_stored_manifests_are_converted_where_they_change() -> None:
    secrets = Secrets(secret(release(1, manifest="old")), secret(release(2, manifest="new"), 2), secret("nonsense", 3))
    storage = Storage(secrets)
    assert storage.convert("app", NAMESPACE, lambda manifest: manifest.replace("old", "new")) == (1,)
    assert [revision.manifest for revision in storage.revisions("app", NAMESPACE)] == ["", "new", "new"]


def test_what_was_taken_over_is_kept_until_it_is_settled() -> None:
    config = {"manifests": ["{}"], "before": ['{"kind": "Service"}']}
    secrets = Secrets(secret(release(1, config=config)), secret(release(2), 2))
    storage = Storage(secrets)
    assert [one.before for one in storage.revisions("app", NAMESPACE)] == [(), ('{"kind": "Service"}',)]
    untouched = dict(secrets.content["sh.helm.release.v1.app.v2"])
    storage.settle("app", NAMESPACE, 1)
    storage.settle("app", NAMESPACE, 2)
    assert [one.before for one in storage.revisions("app", NAMESPACE)] == [(), ()]
    assert storage.revisions("app", NAMESPACE)[1].manifests == ("{}",)
    assert secrets.content["sh.helm.release.v1.app.v2"] == untouched


def test_a_rollback_does_not_take_over_what_the_old_revision_did() -> None:
    config = {"manifests": ["{}"], "before": ["{}"], "record": {}}
    storage = Storage(Secrets(secret(release(1, config=config))))
    storage.attribute("app", NAMESPACE, 1, DeploymentRecord("new", "app", "prod", "london"))
    assert storage.revisions("app", NAMESPACE)[0].before == ()


@pytest.mark.parametrize("nonsense", ["text", {"a": 1}, [1, None]])
def test_nonsense_in_the_place_of_what_was_taken_over_is_nothing(nonsense: object) -> None:
    storage = Storage(Secrets(secret(release(1, config={"before": nonsense}))))
    assert storage.revisions("app", NAMESPACE)[0].before == ()


def test_a_release_is_forgotten_with_all_its_revisions_and_nothing_else() -> None:
    other_type = secret(release(8), 8, type="Opaque")
    other_name = secret(release(9), 9, {"name": "other"})
    secrets = Secrets(*(secret(release(number), number) for number in (1, 2)), other_type, other_name)
    Storage(secrets).forget("app", NAMESPACE)
    assert list(secrets.content) == [one["metadata"]["name"] for one in (other_type, other_name)]


@pytest.mark.parametrize(
    ("text", "value"),
    [("d-1.a_B", "d-1.a_B"), ("anna@host x", "anna-host-x"), ("-a-", "a"), ("ü", ""), ("a" * 70, "a" * 63)],
)
def test_texts_as_values_of_labels(text: str, value: str) -> None:
    assert label_value(text) == value
