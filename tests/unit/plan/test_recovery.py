"""What repairs a release, decided from its revisions alone; and which deployments stopped between their regions."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.errors import DeployError
from deployer.model import DeploymentRecord, ObjectKey, Revision, Target
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.recovery import partial_fleet, plan_recovery
from tests.fakes import make_revision

LONDON, SEOUL, VIRGINIA = (Target("prod", region, "myapp") for region in ("london", "seoul", "virginia"))
ALL = "london,seoul,virginia"


def made(number: int, name: str = "a", *, good: bool = True, **fields: Any) -> Revision:
    """A revision that a deployment made; `fleet`, `action` and `restores` are its record's."""
    of_record = {key: fields.pop(key) for key in ("fleet", "action", "restores") if key in fields}
    record = DeploymentRecord(f"2026-{name}", "myapp", "prod", "london", version=name, **of_record)
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": fields.pop("object", "myapp")}}
    values = {"status": "deployed", "manifests": (canonical_text(config),), **fields}
    return make_revision(number, verified=good, record=record, deployment_id=record.deployment_id, **values)


def foreign(number: int, **fields: Any) -> Revision:
    return make_revision(number, verified=False, deployment_id=None, **fields)


def test_what_is_verified_stays() -> None:
    plan = plan_recovery(LONDON, [made(2), made(1)]).plan
    assert (plan.release_action, plan.current_revision) == ("none", 2)
    assert "nothing is left to repair" in plan.reasons[0]


def test_what_is_not_there_or_not_ours_stays() -> None:
    assert plan_recovery(LONDON, []).plan.reasons == ("it is not deployed",)
    plan = plan_recovery(LONDON, [foreign(3)]).plan
    assert (plan.release_action, plan.reasons) == ("none", ("revision 3 is another tool's",))


def test_what_nobody_has_verified_is_verified() -> None:
    recovery = plan_recovery(LONDON, [made(3, "c", good=False), made(2, "b"), made(1)])
    assert recovery.plan.release_action == "verify"
    assert recovery.plan.good_revision == 2
    assert recovery.revision is not None
    assert recovery.revision.number == 3
    assert "was never verified" in recovery.plan.reasons[0]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": "pending-upgrade"}, "was left pending-upgrade"),
        ({"status": "failed"}, "failed"),
        ({"status": "failed", "ended": "interrupted"}, "was interrupted"),
        ({"status": "deployed", "ended": "failed"}, "failed"),
        ({"status": "deployed", "ended": "reverted"}, "was taken back"),
    ],
)
def test_what_did_not_end_well_goes_back_to_the_last_good_one(fields: dict[str, str], said: str) -> None:
    revisions = [made(4, "d", good=False, object="new", **fields), made(3, "c", good=False), made(2, "b"), made(1)]
    recovery = plan_recovery(LONDON, revisions)
    plan = recovery.plan
    assert (plan.release_action, plan.rollback_to) == ("rollback", 2)
    assert plan.good_revision is None, "it is where we go, not where we return to"
    assert recovery.revision is not None
    assert recovery.revision.number == 2
    assert plan.reasons[0].endswith(said)
    assert plan.deletions == (ObjectKey("v1", "ConfigMap", None, "new"),)


def test_where_nothing_was_ever_good_the_last_complete_one_has_to_do() -> None:
    pending = made(3, good=False, status="pending-upgrade")
    assert plan_recovery(LONDON, [pending, foreign(2, status="superseded")]).plan.rollback_to == 2
    unverified = made(1, good=False, status="superseded")
    assert plan_recovery(LONDON, [pending, made(2, good=False, ended="failed"), unverified]).plan.rollback_to == 1


@pytest.mark.parametrize("status", ["pending-install", "failed"])
def test_an_installation_that_never_was_complete_is_taken_away(status: str) -> None:
    assert plan_recovery(LONDON, [made(1, good=False, status=status)]).plan.release_action == "uninstall"


def test_a_removal_that_was_cut_off_is_the_users_to_decide() -> None:
    with pytest.raises(DeployError) as caught:
        plan_recovery(LONDON, [made(2, status="uninstalling")])
    assert "deploy remove prod london myapp" in str(caught.value.hint)
    assert "deploy rollback prod london myapp" in str(caught.value.hint)


# --- deployments that stopped between their regions ------------------------------------------------------------------


def test_a_deployment_that_has_reached_one_region_only() -> None:
    found = partial_fleet(
        {
            LONDON: [made(1, "a", fleet=ALL)],
            SEOUL: [made(2, "b", fleet=ALL), made(1, "a", fleet=ALL)],
            VIRGINIA: [made(1, "a", fleet=ALL)],
        }
    )
    assert found is not None
    assert (found.deployment_id, found.version, found.reached) == ("2026-b", "b", ("seoul",))
    assert found.lacking == {
        "london": "revision 1 (version a, deployment 2026-a)",
        "virginia": "revision 1 (version a, deployment 2026-a)",
    }
    assert found.finish == "deploy prod london,virginia myapp --version b"
    assert found.take_back == "deploy rollback prod seoul myapp --to 2026-a"


def test_a_deployment_that_is_everywhere_is_none() -> None:
    assert partial_fleet({LONDON: [made(2, "b", fleet=ALL)], SEOUL: [made(7, "b", fleet=ALL)]}) is None


def test_a_region_that_was_not_part_of_it_does_not_lack_it() -> None:
    assert partial_fleet({LONDON: [made(1, "a")], SEOUL: [made(2, "b", fleet="seoul,virginia")]}) is None


def test_a_region_with_a_newer_deployment_does_not_lack_it() -> None:
    assert partial_fleet({LONDON: [made(3, "c", fleet="london")], SEOUL: [made(2, "b", fleet=ALL)]}) is None


def test_a_region_that_was_rolled_back_on_purpose_does_not_lack_it() -> None:
    back = made(3, "c", action="rollback", restores="2026-a")
    london = [back, made(2, "b", fleet=ALL), made(1, "a")]
    assert partial_fleet({LONDON: london, SEOUL: [made(2, "b", fleet=ALL)]}) is None


@pytest.mark.parametrize(("name", "action"), [("b", "rollback"), ("c", "recover")])
def test_a_region_where_it_failed_and_was_taken_back_lacks_it(name: str, action: str) -> None:
    back = made(3, name, action=action, restores="2026-a", fleet=ALL)
    failed = made(2, "b", good=False, fleet=ALL, status="superseded")
    found = partial_fleet({LONDON: [back, failed, made(1, "a")], SEOUL: [made(2, "b", fleet=ALL), made(1, "a")]})
    assert found is not None
    assert (found.reached, tuple(found.lacking)) == (("seoul",), ("london",))


def test_a_region_without_anything_good_lacks_it_too() -> None:
    found = partial_fleet({LONDON: [], SEOUL: [made(1, "b", fleet=ALL)]})
    assert found is not None
    assert found.lacking == {"london": "nothing that is verified"}
    assert found.unseen == ("virginia",)
    assert found.take_back is None, "there is nothing before it"


def test_regions_that_would_go_back_to_different_deployments_have_no_common_way_back() -> None:
    found = partial_fleet(
        {
            LONDON: [made(2, "c", fleet=ALL), made(1, "a")],
            SEOUL: [made(2, "c", fleet=ALL), made(1, "b")],
            VIRGINIA: [made(1, "a")],
        }
    )
    assert found is not None
    assert found.finish
    assert found.take_back is None
