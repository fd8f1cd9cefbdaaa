"""What apps, releases and hosts of branches are called, and how long they are kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.config import formats
from deployer.model import DeploymentRecord, Settings, Target
from deployer.model.branch_release import BranchRelease
from deployer.model.branches import (
    MAX_BRANCH,
    acceptable,
    app_of,
    branch_of,
    branched,
    is_branch,
    is_lifetime,
    label,
    lifetime,
    named,
)
from deployer.model.release import FOR_EVER
from deployer.model.status import ReleaseStatus
from tests.fakes import make_revision

BRANCHES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._/+@-]{0,149}\Z")
APPS = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?\Z")
"""What AppName may be without a branch."""

NOW = datetime(2026, 11, 21, 17, tzinfo=UTC)


@given(BRANCHES)
def test_every_branch_has_a_dns_label(branch: str) -> None:
    assert is_branch(branch)
    assert formats.is_label(label(branch), 30)


@given(BRANCHES, BRANCHES)
def test_two_branches_have_two_labels(one: str, other: str) -> None:
    assert (label(one) == label(other)) == (one == other)


@pytest.mark.parametrize(
    ("branch", "expected"),
    [
        ("feature/x", "feature-x-217d2b"),
        ("feature-x", "feature-x-c791eb"),
        ("Feature/X", "feature-x-02cc19"),
        ("feature/x/", "feature-x-0842c7"),
        ("7", "7-790269"),
        ("renovate/a-package-with-a-name-without-end", "renovate-a-package-with-afb64c"),
    ],
)
def test_a_label_is_the_same_for_ever(branch: str, expected: str) -> None:
    """Another label would leave what was deployed under the first, and no longer find its values."""
    assert label(branch) == expected


@given(APPS, BRANCHES, st.sampled_from([formats.MAX_RELEASE_NAME, 63]))
def test_a_name_of_a_branch_is_a_label_within_its_limit(app: str, branch: str, limit: int) -> None:
    name = branched(app, branch, limit)
    assert formats.is_label(name, limit)
    assert name != app


@given(BRANCHES)
def test_names_that_begin_alike_stay_apart(branch: str) -> None:
    apps = [f"{'a' * 48}{end}" for end in ("bbbbb", "ccccc", "", "b")]
    assert len({branched(app, branch, formats.MAX_RELEASE_NAME) for app in apps}) == len(apps)


@given(APPS, BRANCHES, BRANCHES)
def test_branches_of_one_app_have_two_names(app: str, one: str, other: str) -> None:
    names = {branched(app, branch, formats.MAX_RELEASE_NAME) for branch in (one, other)}
    assert len(names) == len({one, other})


def test_a_name_that_fits_says_whose_it_is() -> None:
    assert branched("myapp", "feature/x", 53) == "myapp-feature-x-217d2b"
    exactly = "a" * (53 - len("-feature-x-217d2b"))
    assert branched(exactly, "feature/x", 53) == f"{exactly}-feature-x-217d2b"
    cut = branched(f"{exactly}b", "feature/x", 53)
    assert re.fullmatch(r"a{36}b?a*-[0-9a-f]{8}", cut)


def test_no_name_is_cut_at_a_dash() -> None:
    cut = branched("a-" * 26 + "a", "x", 53)
    assert formats.is_label(cut, 53)
    assert "--" not in cut


@given(st.sampled_from(["myapp", "my.app", "a"]), st.none() | BRANCHES)
def test_a_name_has_its_parts(app: str, branch: str | None) -> None:
    name = named(app, branch)
    assert (app_of(name), branch_of(name)) == (app, branch)
    target = Target("dev", "london", name)
    assert (target.app, target.branch) == (app, branch)


@pytest.mark.parametrize(
    ("branch", "other"),
    [
        ("", ""),
        ("/x", "x"),
        ("-x", "x"),
        ("@x", "x"),
        (" feature", "feature"),
        ("feature x", "feature-x"),
        ("fix/#42", "fix/-42"),
        ("x\n", "x"),
        ("straße", "stra-e"),
        ("ветка", ""),
        ("\udcff", ""),
        ("a;rm -rf", "a-rm--rf"),
        ("a" * 151, "a" * 150),
        ("x" * 149 + "//y", "x" * 149),
    ],
)
def test_a_branch_that_cannot_be_deployed_under_its_name(branch: str, other: str) -> None:
    assert not is_branch(branch)
    assert acceptable(branch) == other
    assert other == "" or is_branch(other)


@given(st.text(max_size=400))
def test_what_is_proposed_is_accepted(branch: str) -> None:
    assert not acceptable(branch) or is_branch(acceptable(branch))


@pytest.mark.parametrize("branch", ["x", "feature/JIRA-1_a.b+c@d", "2026", "a" * MAX_BRANCH, "refs/heads/x"])
def test_a_branch_as_git_may_call_it(branch: str) -> None:
    assert is_branch(branch)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", timedelta(days=7)),
        ("12h", timedelta(hours=12)),
        ("1w2d", timedelta(days=9)),
        ("90m", timedelta(minutes=90)),
        ("1m", timedelta(minutes=1)),
        ("3660d", timedelta(days=3660)),
        ("never", None),
    ],
)
def test_how_long_a_branch_is_kept(text: str, expected: timedelta | None) -> None:
    assert is_lifetime(text)
    assert lifetime(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "d",
        "7 d",
        " 7d",
        "7d\n",
        "7D",
        "-7d",
        "1.5d",
        "7s",
        "0d",
        "3661d",
        "Never",
        "nevernever",
        "\u0667d",
        "999999999999999999w",
        "9" * 5000 + "d",
        "1m" * 5,
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert not is_lifetime(text)
    with pytest.raises(ValueError):
        lifetime(text)


@given(st.text(alphabet="0123456789mhdw", max_size=24))
def test_a_time_is_one_or_is_none(text: str) -> None:
    if is_lifetime(text):
        assert timedelta(minutes=1) <= (lifetime(text) or timedelta.max) <= timedelta(days=3660)


def record(expires: str | None) -> DeploymentRecord:
    return DeploymentRecord("d", "myapp@x", "dev", "london", expires=expires)


def test_a_revision_expires_when_it_says_or_a_later_deployment_does() -> None:
    said = make_revision(1, record=record("2026-11-21T17:00:00+00:00"))
    assert said.expires == NOW
    later = NOW + timedelta(days=1)
    assert make_revision(1, record=said.record, kept_until=later).expires == later
    assert make_revision(1, record=said.record, kept_until=FOR_EVER).expires is None
    assert make_revision(1, record=record(None)).expires is None
    assert make_revision(1).expires is None


def test_a_time_without_a_zone_is_utc() -> None:
    assert make_revision(1, record=record("2026-11-21T17:00:00")).expires == NOW


@pytest.mark.parametrize("nonsense", ["soon", "", "2026-13-01", "\0"])
def test_a_time_that_cannot_be_read_expires_nothing(nonsense: str) -> None:
    assert make_revision(1, record=record(nonsense)).expires is None


def release(**fields: object) -> BranchRelease:
    settings = Settings(aws_region="eu-west-2", dns_domain="deploy.test")
    return BranchRelease(ReleaseStatus(Target("dev", "london", "myapp@x"), "deployed"), settings, **fields)  # type: ignore[arg-type]


def test_what_is_kept_for_ever_never_expires() -> None:
    assert not release().expired(NOW)
    assert release(expires=NOW).expired(NOW)
    assert not release(expires=NOW + timedelta(seconds=1)).expired(NOW)


def test_a_host_is_told_where_there_is_one() -> None:
    assert release(sub_domain="myapp-x").host == "myapp-x.london.deploy.test"
    assert release().host is None
    assert BranchRelease(release().status, Settings(aws_region="eu-west-2"), sub_domain="x").host is None
