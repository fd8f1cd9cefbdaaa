"""Which region of an app differs from the others, and in what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from deployer.model.status import ReleaseStatus
from deployer.plan.skew import compared
from tests.unit.report.stages import REGIONS, TAKEN, lock, missing, row


def told(*rows: ReleaseStatus) -> dict[str, list[str]]:
    """What sets each region apart; nothing of those that are like the others."""
    return {
        one.target.region: [str(difference) for difference in one.differences]
        for one in compared(rows)
        if one.differences
    }


def three(**changes: Any) -> list[ReleaseStatus]:
    """London, virginia, and seoul with these changes."""
    return [row("shop", "london"), row("shop", "virginia"), row("shop", "seoul", **changes)]


def test_regions_that_are_alike() -> None:
    assert told(*three()) == {}
    assert told(row("shop", "london")) == {}


def test_another_version() -> None:
    assert told(*three(version="1.4.1")) == {"seoul": ["version 1.4.1 (elsewhere 1.4.2)"]}


def test_what_says_most_is_told_alone() -> None:
    """Another version brings another tag and digest with it."""
    assert told(*three(version="1.4.1", tag="x", digest="sha256:0")) == {"seoul": ["version 1.4.1 (elsewhere 1.4.2)"]}
    assert told(*three(digest="sha256:0"))["seoul"][0].startswith("digest sha256:0 (elsewhere sha256:142")
    assert told(*three(tag="1.4.2-other"))["seoul"][0].startswith("tag 1.4.2-other (elsewhere 1.4.2-")
    assert told(*three(digest=None))["seoul"][0].startswith("digest none")


def test_without_a_majority_the_newest_is_the_measure() -> None:
    older = row("shop", "london", version="1.0", updated=TAKEN - timedelta(days=3))
    assert told(older, row("shop", "seoul", version="2.0")) == {"london": ["version 1.0 (elsewhere 2.0)"]}
    assert told(row("shop", "seoul", version="2.0"), older) == {"london": ["version 1.0 (elsewhere 2.0)"]}
    ages = {"london": 1, "virginia": 0, "seoul": 2}
    rows = [row("shop", r, version=r, updated=TAKEN - timedelta(days=days)) for r, days in ages.items()]
    assert told(*rows) == {
        "london": ["version london (elsewhere virginia)"],
        "seoul": ["version seoul (elsewhere virginia)"],
    }


def test_revisions_without_a_time_can_be_compared() -> None:
    assert len(told(*(row("shop", region, version=region, updated=None) for region in REGIONS))) == 2


def test_a_region_without_it() -> None:
    assert told(row("shop", "london"), missing("shop", "seoul")) == {"seoul": ["missing (elsewhere deployed)"]}
    assert told(missing("shop", "london"), missing("shop", "seoul")) == {}


@pytest.mark.parametrize("standing", ["failed", "unverified", "interrupted"])
def test_a_region_that_was_not_verified(standing: Any) -> None:
    assert told(*three(standing=standing)) == {"seoul": [standing]}
    assert told(row("shop", "seoul", standing=standing)) == {"seoul": [standing]}


@pytest.mark.parametrize("standing", ["restored", "rolled back", "in progress", "not ours"])
def test_what_is_no_difference_by_itself(standing: Any) -> None:
    assert told(*three(standing=standing)) == {}


def test_a_first_deployment_that_is_under_way() -> None:
    begun = replace(missing("shop", "seoul"), standing="in progress", lock=lock())
    assert told(row("shop", "london"), begun) == {}


def test_a_region_that_could_not_be_read_is_left_out() -> None:
    unknown = replace(missing("shop", "seoul"), standing="unknown")
    assert told(row("shop", "london"), row("shop", "virginia"), unknown) == {}
    assert told(missing("shop", "london"), unknown) == {}


def test_other_objects() -> None:
    more = frozenset({"Deployment/shop", "Service/shop", "CronJob/nightly"})
    assert told(*three(objects=more)) == {"seoul": ["alone has CronJob/nightly"]}
    assert told(*three(objects=frozenset({"Deployment/shop"}))) == {"seoul": ["lacks Service/shop"]}


def test_names_may_have_the_region_in_them() -> None:
    rows = [row("shop", region, objects=frozenset({f"Deployment/shop-{region}"})) for region in REGIONS]
    assert told(*rows) == {}
    londons = [row("londonbus", region, objects=frozenset({"Deployment/londonbus"})) for region in REGIONS]
    assert told(*londons) == {}
