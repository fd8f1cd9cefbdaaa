"""What the stored revisions tell of what has happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployer.model import DeploymentRecord, Holder, LockState, Revision, Target
from deployer.model.history import HistoryEntry, RegionHistory
from deployer.plan.history import by_deployment, history_of
from tests.fakes import make_revision

RECORD = DeploymentRecord("d-1", "myapp", "prod", "london", version="1", who="anna@laptop", git_commit="abc")
HELD = LockState(Holder("d-2", "eve", "desk", "now"), 20.0, "1")


def made(number: int, deployment: str = "", **fields: Any) -> Revision:
    record = replace(RECORD, deployment_id=deployment or f"d-{number}")
    return make_revision(
        number, **{"record": record, "deployment_id": record.deployment_id, "manifests": ("{}",), **fields}
    )


def only(revision: Revision, *older: Revision, lock: LockState | None = None) -> HistoryEntry:
    return history_of([revision, *older], lock)[0]


@pytest.mark.parametrize(
    ("revision", "lock", "outcome"),
    [
        (made(1), None, "good"),
        (made(1), HELD, "good"),
        (made(1, verified=False), None, "unverified"),
        (made(1, verified=False), HELD, "in progress"),
        (made(1, verified=False), replace(HELD, expires_in=0.0), "unverified"),
        (made(1, verified=False, ended="failed"), None, "failed"),
        (made(1, verified=False, ended="interrupted"), HELD, "interrupted"),
        (made(1, verified=False, ended="reverted"), None, "reverted"),
        (made(1, verified=False, status="failed"), None, "failed"),
        (made(1, verified=False, status="pending-upgrade"), None, "interrupted"),
        (made(1, verified=False, status="pending-upgrade"), HELD, "in progress"),
        (made(1, verified=False, record=None), None, "not ours"),
        (made(1, verified=False, record=None, status="failed"), None, "failed"),
    ],
)
def test_what_became_of_a_revision(revision: Revision, lock: LockState | None, outcome: str) -> None:
    assert only(revision, lock=lock).outcome == outcome


def test_a_lock_is_about_the_newest_revision_alone() -> None:
    entries = history_of([made(2, verified=False), made(1, verified=False)], HELD)
    assert [entry.outcome for entry in entries] == ["in progress", "unverified"]


def test_what_the_record_says_is_told() -> None:
    entry = only(made(1))
    assert (entry.action, entry.deployment_id, entry.version, entry.who, entry.git_commit) == (
        *("deploy", "d-1", "1", "anna@laptop", "abc"),
    )
    assert entry.running


def test_the_newest_that_is_deployed_runs() -> None:
    entries = history_of([made(3, verified=False, status="failed"), made(2), made(1, status="superseded")])
    assert [entry.running for entry in entries] == [False, True, False]
    region = RegionHistory(Target("prod", "london", "myapp"), entries)
    assert region.mixture == entries[0]
    assert replace(region, entries=entries[1:]).mixture is None


def test_a_rollback_that_was_asked_for_differs_from_a_deployment_that_was_taken_back() -> None:
    asked = made(3, record=replace(RECORD, deployment_id="d-3", action="rollback", restores="d-1"))
    assert (only(asked, made(2), made(1)).action, only(asked, made(2)).restores) == ("rollback", "d-1")
    taken = made(3, record=replace(RECORD, deployment_id="d-2", action="rollback", restores="d-1"))
    assert only(taken, made(2, verified=False), made(1)).action == "rolled back"


def test_a_record_that_helm_copied_says_nothing_of_who_made_the_revision() -> None:
    by_hand = made(3, "d-1", verified=False, description="Rollback to 1")
    entry = only(by_hand, made(2), made(1))
    assert (entry.outcome, entry.action, entry.restores) == ("not ours", "helm rollback", "revision 1")
    assert (entry.who, entry.deployment_id, entry.version) == (None, None, "1")
    assert only(made(3, "d-2", verified=False), made(2)).action == "helm"


def test_another_tools_revision_that_we_brought_back_is_told_by_our_label() -> None:
    theirs = make_revision(1, verified=False, record=None, deployment_id=None, chart="theirs-1.2")
    ours = replace(theirs, number=3, verified=True, deployment_id="d-3", description="Rollback to 1 (anna@laptop)")
    entry = only(ours, made(2), theirs)
    assert (entry.outcome, entry.action, entry.deployment_id, entry.restores) == (
        "good",
        "rollback",
        "d-3",
        "revision 1",
    )
    assert entry.chart == "theirs-1.2"


# --- over regions ----------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def region(name: str, *entries: HistoryEntry) -> RegionHistory:
    return RegionHistory(Target("prod", name, "myapp"), entries)


def entry(number: int, deployment: str | None, minutes: int = 0, action: str = "deploy") -> HistoryEntry:
    when = NOW + timedelta(minutes=minutes)
    return HistoryEntry(number, "good", action, deployment_id=deployment, updated=when)


def test_each_deployment_is_told_once_with_its_revision_in_each_region() -> None:
    found = by_deployment(
        [
            region("london", entry(8, "b", 9), entry(7, "a", 1)),
            region("seoul", entry(3, "b", 8), entry(2, "only", 4), entry(1, "a", 2)),
        ]
    )
    assert [
        (one.entry.deployment_id, {name: each.revision for name, each in one.regions.items()}) for one in found
    ] == [
        ("b", {"london": 8, "seoul": 3}),
        ("only", {"seoul": 2}),
        ("a", {"london": 7, "seoul": 1}),
    ]


def test_a_deployment_and_its_being_taken_back_are_two() -> None:
    found = by_deployment([region("london", entry(3, "b", 2, "rolled back"), entry(2, "b", 1)), region("seoul")])
    assert [one.entry.action for one in found] == ["rolled back", "deploy"]


def test_what_other_tools_made_stands_for_itself() -> None:
    found = by_deployment([region("london", entry(2, None, 2), entry(1, None, 1)), region("seoul", entry(1, None, 3))])
    assert [list(one.regions) for one in found] == [["seoul"], ["london"], ["london"]]


def test_two_revisions_of_one_deployment_in_a_region_are_both_told() -> None:
    found = by_deployment([region("london", entry(2, "a", 2), entry(1, "a", 1)), region("seoul", entry(1, "a", 1))])
    assert sorted(each.revision for one in found for each in one.regions.values()) == [1, 1, 2]


def test_revisions_without_a_time_come_last() -> None:
    timeless = replace(entry(1, "x"), updated=None)
    assert by_deployment([region("london", timeless), region("seoul", entry(1, "a"))])[-1].entry.deployment_id == "x"
