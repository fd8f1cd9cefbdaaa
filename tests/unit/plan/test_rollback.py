"""What each region goes back to, in all cases, and the plan of it."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.errors import DeployError, UsageError
from deployer.model import DeploymentRecord, Image, ObjectKey, Revision, Target
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.rollback import Choice, choose, plan_rollback
from tests.fakes import make_revision

LONDON, SEOUL, VIRGINIA = (Target("prod", region, "myapp") for region in ("london", "seoul", "virginia"))


def deployment(name: str) -> str:
    """An id that sorts as its name does."""
    return f"20261121-{name}"


def made(number: int, name: str, content: str | None = None, *, good: bool = True, **fields: Any) -> Revision:
    """A revision that the deployment `name` made, of manifests called `content` (default: the deployment's own)."""
    record = DeploymentRecord(
        deployment(name), "myapp", "prod", "london", version=content or name, **fields.pop("record", {})
    )
    return make_revision(
        number,
        verified=good,
        record=record,
        deployment_id=record.deployment_id,
        manifests=(manifest(content or name),),
        **fields,
    )


def manifest(content: str, kind: str = "ConfigMap") -> str:
    return canonical_text({"apiVersion": "v1", "kind": kind, "metadata": {"name": "myapp"}, "data": {"a": content}})


def restoring(number: int, name: str, content: str, *, good: bool = True, **fields: Any) -> Revision:
    """A revision that the rollback `name` made to the deployment `content`."""
    return made(
        number, name, content, good=good, record={"action": "rollback", "restores": deployment(content)}, **fields
    )


def foreign(number: int, **fields: Any) -> Revision:
    return make_revision(
        number, verified=False, deployment_id=None, manifest=f"# {number}", **{"status": "superseded", **fields}
    )


def back(*revisions: Revision, to: str | None = None) -> Choice | DeployError:
    """What one region with these revisions, newest first, goes back to."""
    return choose({LONDON: revisions}, to)[LONDON]


def number(choice: Choice | DeployError) -> int:
    assert isinstance(choice, Choice), choice
    return choice.revision.number


def refusal(choice: Choice | DeployError) -> str:
    assert isinstance(choice, UsageError)
    return f"{choice} {choice.hint}"


# --- one step, in one region -----------------------------------------------------------------------------------------


def test_one_step_goes_to_the_newest_good_revision_that_differs() -> None:
    assert number(back(made(3, "c", "b"), made(2, "b"), made(1, "a"))) == 1
    assert number(back(made(3, "c"), made(2, "b", good=False), made(1, "a"))) == 1


def test_a_second_step_goes_forward_again() -> None:
    assert number(back(restoring(3, "c", "a"), made(2, "b"), made(1, "a"))) == 2


@pytest.mark.parametrize("newest", [{"status": "failed"}, {"status": "pending-upgrade"}, {"ended": "failed"}, {}])
def test_from_what_is_not_good_one_step_goes_to_the_newest_good_revision(newest: dict[str, Any]) -> None:
    assert number(back(made(3, "c", good=False, **newest), made(2, "b"), made(1, "a"))) == 2


@pytest.mark.parametrize(
    "cut_off",
    [
        restoring(3, "c", "a", good=False),
        restoring(3, "c", "a", good=False, ended="interrupted"),
        made(3, "a", good=False, description="Rollback to 1"),  # killed before we could write down whose it was
        made(3, "a", good=False, status="pending-rollback"),
    ],
)
def test_a_rollback_that_was_cut_off_is_finished(cut_off: Revision) -> None:
    choice = back(cut_off, made(2, "b"), made(1, "a"))
    assert number(choice) == 1
    assert isinstance(choice, Choice)
    assert "was not finished" in choice.why


def test_a_deployment_of_old_content_that_was_cut_off_is_no_rollback() -> None:
    assert number(back(made(3, "c", "a", good=False), made(2, "b"), made(1, "a"))) == 2


def test_without_anything_good_there_is_no_way_back() -> None:
    assert "no revision was ever verified" in refusal(back(made(2, "b", good=False), made(1, "a", good=False)))
    assert "no good revision" in refusal(back(made(2, "b", "a"), made(1, "a")))
    assert "not deployed" in refusal(back())
    assert "--to" in refusal(back(made(2, "b"), foreign(1)))


# --- one step, in several regions ------------------------------------------------------------------------------------


def step(**regions: tuple[Revision, ...]) -> dict[str, int | None]:
    """What each region goes back to; None for one that stays."""
    choices = choose({Target("prod", name, "myapp"): revisions for name, revisions in regions.items()})
    return {
        target.region: None if isinstance(one, Choice) and one.stays else number(one) for target, one in choices.items()
    }


def test_regions_of_one_deployment_step_back_together_whatever_their_numbers() -> None:
    assert step(london=(made(9, "b"), made(7, "a")), seoul=(made(2, "b"), made(1, "a"))) == {"london": 7, "seoul": 1}


def test_where_a_deployment_failed_there_is_nothing_to_take_back() -> None:
    taken_back = made(4, "c", "b", record={"action": "rollback", "restores": deployment("b")})
    seoul = (taken_back, made(3, "c", good=False, ended="failed"), made(2, "b"), made(1, "a"))
    assert step(london=(made(3, "c"), made(2, "b"), made(1, "a")), seoul=seoul) == {"london": 2, "seoul": None}


@pytest.mark.parametrize(
    ("seoul", "expected"),
    [
        ((made(2, "b"), made(1, "a")), 1),  # not begun
        ((restoring(3, "c", "a", good=False), made(2, "b"), made(1, "a")), 1),  # killed
        (
            (restoring(4, "c", "b"), restoring(3, "c", "a", good=False), made(2, "b"), made(1, "a")),
            1,
        ),  # failed, and back where it was
    ],
)
def test_the_same_rollback_again_goes_on_where_it_has_not_succeeded(seoul: tuple[Revision, ...], expected: int) -> None:
    done = (restoring(3, "c", "a"), made(2, "b"), made(1, "a"))
    assert step(london=done, seoul=seoul, virginia=done) == {"london": None, "seoul": expected, "virginia": None}


def partial(virginia: tuple[Revision, ...], london: tuple[Revision, ...]) -> dict[Target, tuple[Revision, ...]]:
    """Deployment c reached seoul, whence a first rollback took it back to b; in virginia it failed."""
    taken_back = made(6, "c", "b", record={"action": "rollback", "restores": deployment("b")})
    failed = made(5, "c", good=False, ended="failed")
    seoul = (restoring(4, "d", "b"), made(3, "c"), made(2, "b"), made(1, "a"))
    return {LONDON: london, VIRGINIA: (taken_back, failed, *virginia), SEOUL: seoul}


def test_a_second_rollback_of_a_partial_deployment_sends_no_regions_in_opposite_directions() -> None:
    releases = partial(virginia=(made(4, "b"), made(3, "a")), london=(made(2, "a"),))
    choices = choose(releases)
    refused = _refused(choices)
    assert refused.exit_code == 2
    assert refused.why == "; ".join(
        (
            "london would stay at revision 2 (version a, deployment 20261121-a)",
            "virginia would go from revision 6 (version b, deployment 20261121-b)"
            " back to revision 3 (version a, deployment 20261121-a)",
            "seoul would go from revision 4 (version b, deployment 20261121-b)"
            " forward to revision 3 (version c, deployment 20261121-c)",
        )
    )
    assert refused.hint == "name the deployment with --to DEPLOYMENT-ID: 20261121-a (a)"  # b never was in london
    assert {target.region: number(one) for target, one in choose(releases, deployment("a")).items()} == {
        "london": 2,
        "virginia": 3,
        "seoul": 1,
    }


def test_no_region_goes_forward_alone() -> None:
    seoul = (restoring(4, "d", "b"), made(3, "c"), made(2, "b"))
    assert "forward" in (_refused(choose({LONDON: (made(2, "a"),), SEOUL: seoul})).why or "")
    assert "region by region: 20261121-c" in refusal(choose({LONDON: (made(2, "a"),), SEOUL: seoul})[SEOUL])
    assert step(london=seoul, seoul=seoul) == {"london": 3, "seoul": 3}


def test_regions_step_back_to_the_same_whichever_deployment_made_it() -> None:
    assert step(london=(made(3, "c"), made(2, "b", "x")), seoul=(made(3, "c"), made(1, "a", "x"))) == {
        "london": 2,
        "seoul": 1,
    }
    assert step(london=(made(3, "c"), restoring(2, "b", "a")), seoul=(made(3, "c"), made(1, "a"))) == {
        "london": 2,
        "seoul": 1,
    }
    _refused(choose({LONDON: (made(3, "c"), made(2, "b")), SEOUL: (made(3, "c"), made(1, "a"))}))


def test_a_rollback_forward_that_was_cut_off_does_not_swap_regions() -> None:
    done = (restoring(4, "d", "b"), restoring(3, "c", "a"), made(2, "b"), made(1, "a"))
    cut_off = (restoring(4, "d", "b", good=False), *done[1:])
    assert "20261121-b (b), 20261121-a (a)" in (_refused(choose({LONDON: done, SEOUL: cut_off})).hint or "")


def _refused(choices: Any) -> UsageError:
    """The one refusal of all regions."""
    (refused,) = set(choices.values())
    assert isinstance(refused, UsageError)
    return refused


def test_a_region_alone_steps_back_whatever_others_run() -> None:
    assert step(london=(made(2, "b"), made(1, "a"))) == {"london": 1}


def test_a_region_without_the_app_is_an_error_of_its_own() -> None:
    choices = choose({LONDON: (made(2, "b"), made(1, "a")), SEOUL: ()})
    assert number(choices[LONDON]) == 1
    assert "not deployed in seoul" in refusal(choices[SEOUL])


# --- to a revision ---------------------------------------------------------------------------------------------------

THREE = (made(3, "c"), made(2, "b", good=False, ended="failed"), made(1, "a"))


def test_to_a_revision_by_number() -> None:
    assert number(back(*THREE, to="1")) == 1
    assert number(back(*THREE, to="001")) == 1


@pytest.mark.parametrize(
    ("to", "said"), [("2", "failed"), ("9", "no revision 9"), ("0", "no revision 0"), ("2", "good are 3, 1")]
)
def test_a_revision_that_cannot_be_gone_back_to(to: str, said: str) -> None:
    assert said in refusal(back(*THREE, to=to))


def test_what_was_never_good_names_the_revision_of_the_same_that_was() -> None:
    assert "--to 1" in refusal(back(made(3, "c"), made(2, "b", "a", good=False), made(1, "a"), to="2"))


def test_another_tools_revision_is_taken_when_it_is_named() -> None:
    assert number(back(made(3, "c"), foreign(2, status="failed"), foreign(1), to="1")) == 1
    assert "failed" in refusal(back(made(3, "c"), foreign(2, status="failed"), foreign(1), to="2"))


def test_a_number_means_something_else_in_each_region() -> None:
    with pytest.raises(UsageError) as raised:
        choose({LONDON: THREE, SEOUL: THREE}, "1")
    hint = raised.value.hint or ""
    assert deployment("c") in hint
    assert deployment("b") not in hint  # it was good nowhere


@pytest.mark.parametrize("to", ["3", deployment("c"), "4", deployment("d")])
def test_what_runs_already_stays(to: str) -> None:
    choice = back(restoring(4, "d", "c"), *THREE, to=to)
    assert isinstance(choice, Choice)
    assert (choice.revision.number, choice.stays) == (4, True)


def test_what_runs_unverified_is_brought_back_all_the_same() -> None:
    choice = back(made(4, "d", "c", good=False), *THREE, to="3")
    assert isinstance(choice, Choice)
    assert not choice.stays


# --- to a deployment -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [deployment("a"), "20261121-a", "20261121-aa"[:10]])
def test_to_a_deployment_in_each_region(to: str) -> None:
    seoul = (restoring(9, "d", "a", status="superseded"), made(8, "c"), made(5, "a"))
    choices = choose({LONDON: THREE, SEOUL: seoul}, to)
    assert {target.region: number(one) for target, one in choices.items()} == {"london": 1, "seoul": 9}


def test_a_date_is_the_beginning_of_an_id_and_no_number() -> None:
    with pytest.raises(UsageError, match="2 deployments begin"):
        choose({LONDON: (made(2, "b"), made(1, "a"))}, "20261121")


def test_a_deployment_that_nobody_has_names_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="no region has") as raised:
        choose({LONDON: THREE}, "20250101-xyz")
    assert deployment("a") in (raised.value.hint or "")
    with pytest.raises(UsageError):
        choose({LONDON: ()}, "20250101-xyz")


def test_a_region_that_never_had_the_deployment_says_what_it_has() -> None:
    choices = choose({LONDON: (made(2, "b"), made(1, "a")), SEOUL: (made(1, "b"),)}, deployment("a"))
    assert number(choices[LONDON]) == 1
    assert "good are 1" in refusal(choices[SEOUL])


def test_a_failed_deployment_is_not_what_it_was_taken_back_to() -> None:
    taken_back = made(3, "b", "a", record={"action": "rollback", "restores": deployment("a")})
    revisions = (made(4, "c"), taken_back, made(2, "b", good=False, ended="failed"), made(1, "a"))
    assert "failed" in refusal(back(*revisions, to=deployment("b")))
    assert number(back(*revisions, to=deployment("a"))) == 3


def test_a_rollback_can_be_named_by_its_own_deployment() -> None:
    assert number(back(made(4, "d"), restoring(3, "c", "a"), made(2, "b"), made(1, "a"), to=deployment("c"))) == 3


# --- the plan --------------------------------------------------------------------------------------------------------


def test_the_plan_goes_from_what_runs_to_what_was_chosen() -> None:
    record = {"image": "registry:5000/team/myapp:1-abc", "digest": "sha256:1"}
    old = make_revision(
        1,
        record=DeploymentRecord("d-1", "myapp", "prod", "london", **record),
        manifests=(manifest("secret-one"), manifest("x", "Secret")),
    )
    claim = manifest("y", "PersistentVolumeClaim")
    plan = plan_rollback(LONDON, (made(2, "b", "secret-two"), old), Choice(old, "why"))
    assert (plan.release_action, plan.rollback_to, plan.current_revision, plan.good_revision) == ("rollback", 1, 2, 2)
    assert plan.changes == ("ConfigMap/myapp: data.a", "Secret/myapp: added")
    assert plan.image == Image("registry:5000", "team/myapp", "1-abc", "sha256:1")
    newer = make_revision(2, manifests=(*old.manifests, claim))
    assert plan_rollback(LONDON, (newer, old), Choice(old, "")).deletes_data == (
        ObjectKey("v1", "PersistentVolumeClaim", None, "myapp"),
    )


def test_on_failure_only_what_was_good_is_gone_back_to() -> None:
    old = made(1, "a")
    plan = plan_rollback(LONDON, (made(2, "b", good=False), old), Choice(old, ""))
    assert (plan.good_revision, plan.foreign_revision) == (None, None)
    plan = plan_rollback(LONDON, (foreign(2, status="deployed"), old), Choice(old, ""))
    assert (plan.good_revision, plan.foreign_revision) == (None, 2)


def test_what_stays_is_not_touched() -> None:
    newest = made(2, "b")
    plan = plan_rollback(LONDON, (newest, made(1, "a")), Choice(newest, "it runs", stays=True))
    assert (plan.release_action, plan.rollback_to, plan.changes, plan.deletions) == ("none", None, (), ())
    assert not plan.changes_anything
