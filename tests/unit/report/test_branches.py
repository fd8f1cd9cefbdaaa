"""The branches of a stage as people and programs read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from deployer.errors import ErrorGroup, UnreachableError
from deployer.model import DeploymentResult, Outcome, Settings, Target, TargetResult
from deployer.model.branch_release import BranchRelease
from deployer.model.status import ReleaseStatus
from deployer.report.branches import branch_lines, branches_document
from deployer.report.document import json_document
from deployer.report.terminal import summary, terminal_lines

NOW = datetime(2026, 11, 21, 17, tzinfo=UTC)
SETTINGS = Settings(aws_region="eu-west-2", dns_domain="deploy.test")


def release(application: str = "shop@feature/x", region: str = "london", **changes: object) -> BranchRelease:
    status = ReleaseStatus(
        Target("dev", region, application),
        "deployed",
        name="shop-feature-x-217d2b",
        namespace="branches",
        revision=3,
        version="1.4.2",
        git_commit="0f76424146",
        deployment_id="20261121-070905-3f9a1c",
        who="anna@laptop",
        updated=NOW - timedelta(hours=5),
    )
    one = BranchRelease(status, SETTINGS, NOW + timedelta(days=2), "shop-feature-x-217d2b")
    return replace(one, **changes)  # type: ignore[arg-type]


def of(one: BranchRelease, **changes: object) -> BranchRelease:
    return replace(one, status=replace(one.status, **changes))  # type: ignore[arg-type]


def lines(*releases: BranchRelease, width: int | None = None) -> list[str]:
    return list(branch_lines(releases, NOW, width=width))


def test_each_release_has_a_line() -> None:
    header, *rows, empty, told = lines(
        release(),
        of(release("shop@y", "seoul", expires=None, sub_domain=None), version=None, who=None, updated=None),
        release("web@x", expires=NOW - timedelta(days=3)),
    )
    assert header.split() == ["APP", "BRANCH", "REGION", "STATE", "VERSION", "DEPLOYED", "BY", "EXPIRES", "HOST"]
    assert [row.split("  ") and [cell.strip() for cell in row.split("  ") if cell] for row in rows] == [
        [
            *("shop", "feature/x", "london", "deployed", "1.4.2", "5 h ago", "anna@laptop", "2026-11-23 17:00 UTC"),
            "shop-feature-x-217d2b.london.deploy.test",
        ],
        ["shop", "y", "seoul", "deployed", "-", "-", "-", "never", "-"],
        [
            *("web", "x", "london", "deployed", "1.4.2", "5 h ago", "anna@laptop", "3 d ago"),
            "shop-feature-x-217d2b.london.deploy.test",
        ],
    ]
    assert (empty, told) == ("", "3 releases of branches, 1 expired: `deploy branches expire` removes them")


def test_columns_stand_below_each_other() -> None:
    header, first, second, *_ = lines(release(), release("a-much-longer-name@z"))
    for title in ("BRANCH", "REGION", "EXPIRES", "HOST"):
        at = header.index(title)
        assert {row[at - 1] for row in (first, second)} == {" "}
        assert " " not in {row[at] for row in (first, second)}
    assert header == header.rstrip()


def test_what_is_told_below() -> None:
    assert lines(release())[-1] == "1 release of branches, none expired"
    assert lines() == ["no branch is deployed here"]
    assert list(branch_lines([], NOW, unseen=["seoul"])) == ["no branch was seen; seoul could not be asked"]
    last = list(branch_lines([release()], NOW, unseen=["seoul", "virginia"]))[-1]
    assert last == "1 release of branches, none expired; seoul, virginia could not be asked"


def test_a_narrow_terminal_goes_without_what_matters_least() -> None:
    shown, width, gone = lines(release()), 1000, []
    while len(narrower := lines(release(), width=width)[0].split()) > 5:
        before = shown[0].split()
        gone += [title for title in before if title not in narrower]
        shown = lines(release(), width=width)
        assert max(map(len, shown[:2])) <= width
        width = max(map(len, shown[:2])) - 1
    assert gone == ["BY", "STATE", "DEPLOYED"]
    assert narrower == ["APP", "BRANCH", "REGION", "EXPIRES", "HOST"]
    assert lines(release(), width=10)[0].split() == narrower


@pytest.mark.parametrize("slack", [0, 1])
def test_the_last_column_that_fits_is_shown(slack: int) -> None:
    whole = max(map(len, lines(release())))
    assert ("BY" in lines(release(), width=whole - slack)[0]) == (slack == 0)


def test_what_would_do_things_to_a_terminal_is_spelt_out() -> None:
    hostile = of(
        release("shop@x\x1b[31m", sub_domain="h\r\x07"), version="1\x1b]0;title\x07", who="\u202eanna\x9b", name="n"
    )
    shown = "\n".join(lines(hostile))
    assert all(one.isprintable() or one == "\n" for one in shown)
    assert "x\\x1b[31m" in shown
    assert "\\u202eanna" in shown


def test_a_line_end_makes_no_line_of_its_own() -> None:
    shown = lines(of(release("shop@x\nweb"), version="1\t2", who="a\n\nb"))
    assert len(shown) == 4
    assert "\t" not in shown[1]


def test_the_document() -> None:
    document = branches_document("dev", [release(), release("shop@", expires=None, sub_domain=None)], [], NOW)
    json.dumps(document)
    assert document["stage"] == "dev"
    first, second = document["branches"]
    assert first == {
        "application": "shop",
        "branch": "feature/x",
        "region": "london",
        "release": "shop-feature-x-217d2b",
        "namespace": "branches",
        "host": "shop-feature-x-217d2b.london.deploy.test",
        "state": "deployed",
        "version": "1.4.2",
        "revision": 3,
        "deploymentId": "20261121-070905-3f9a1c",
        "gitCommit": "0f76424146",
        "who": "anna@laptop",
        "updated": "2026-11-21T12:00:00+00:00",
        "expires": "2026-11-23T17:00:00+00:00",
        "expired": False,
    }
    assert (second["branch"], second["host"], second["expires"], second["expired"]) == ("", None, None, False)
    (expired,) = branches_document("dev", [of(release(expires=NOW), updated=None)], [], NOW)["branches"]
    assert (expired["updated"], expired["expired"]) == (None, True)


def test_regions_that_could_not_be_asked_are_in_the_document() -> None:
    error = ErrorGroup([UnreachableError("seoul is down"), UnreachableError("virginia is down")])
    document = branches_document("dev", [release()], [error], NOW)
    assert (document["ok"], len(document["branches"])) == (False, 1)
    assert [one["what"] for one in document["errors"]] == ["seoul is down", "virginia is down"]
    assert branches_document("dev", [], [], NOW) == {"stage": "dev", "ok": True, "branches": [], "errors": []}


# --- of a command ----------------------------------------------------------------------------------------------------


def result(*targets: TargetResult, action: str = "deploy") -> DeploymentResult:
    return DeploymentResult("id-1", "dev", "anna@laptop", None, 1.0, targets, action=action)


def told(target: TargetResult) -> Sequence[str]:
    return [line.strip() for line in terminal_lines(result(target)) if "expires" in line]


def test_a_branch_that_is_there_says_until_when_it_is_kept() -> None:
    target = TargetResult(Target("dev", "london", "shop@x"), "deployed", expires="2026-11-28T17:00:00+00:00")
    said = {outcome: told(replace(target, outcome=outcome)) for outcome in get_args(Outcome)}
    there = {outcome for outcome, lines_of_it in said.items() if lines_of_it}
    assert there == {"deployed", "restored", "unchanged"}
    (line,) = said["deployed"]
    assert line.split() == ["expires", "2026-11-28", "17:00", "UTC,", "unless", "it", "is", "deployed", "again"]
    assert told(replace(target, expires=None)) == []


def test_the_document_of_a_command_names_the_branch() -> None:
    target = TargetResult(Target("dev", "london", "shop@x"), "deployed", expires="2026-11-28T17:00:00+00:00")
    (entry,) = json_document(result(target))["targets"]
    assert (entry["application"], entry["branch"], entry["expires"]) == ("shop@x", "x", "2026-11-28T17:00:00+00:00")
    (entry,) = json_document(result(TargetResult(Target("dev", "london", "shop"), "deployed")))["targets"]
    assert (entry["branch"], entry["expires"]) == (None, None)


def test_nothing_to_remove_is_no_app_that_was_not_chosen() -> None:
    assert summary(result(action="remove")).startswith("nothing was to be removed in")
    assert summary(result()).startswith("no app was chosen, so there was nothing to do in")
