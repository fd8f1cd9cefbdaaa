"""Which targets go ahead when something is wrong with some."""

from __future__ import annotations

import pytest

from deployer.config import Loaded
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.model import Target
from deployer.pipeline.apart import Apart

WEB, WEB2 = Target("prod", "london", "web"), Target("prod", "seoul", "web")
API, DB, OTHER = (Target("prod", "london", name) for name in ("api", "db", "other"))
NEEDS = {"web": ("api",), "api": ("db",), "db": (), "other": ()}
WRONG = ConfigurationError("wrong", where="apps/db.yml")


def loaded(*targets: Target, isolates: bool = True) -> Loaded:
    return Loaded(targets, (), (), NEEDS, isolates)


def test_what_needs_a_broken_app_is_left_out_with_it() -> None:
    apart = Apart(loaded(WEB, WEB2, API, DB, OTHER), None)
    apart.leave_out([(DB, WRONG)])
    assert [one for one in (WEB, WEB2, API, DB, OTHER) if apart.goes(one)] == [OTHER]
    told = {one.target: str(one.error) for one in apart.results}
    assert told == {
        DB: "apps/db.yml: wrong",
        API: "api was not begun: it needs db, which cannot be deployed",
        WEB: "web was not begun: it needs api, which cannot be deployed",
        WEB2: "web was not begun: it needs api, which cannot be deployed",
    }
    assert {one.outcome for one in apart.results} == {"not started"}


def test_an_app_goes_nowhere_when_one_of_its_regions_cannot() -> None:
    apart = Apart(loaded(WEB, WEB2, OTHER), None)
    apart.leave_out([(WEB2, UnreachableError("silent")), (WEB2, WRONG)])
    told = {one.target.region: one.error for one in apart.results}
    assert str(told["london"]) == "web was not begun: something is wrong with it in seoul"
    assert told["seoul"] is not None
    assert len(list(told["seoul"].leaves())) == 2
    assert told["seoul"].exit_code == 2


def test_of_apps_that_were_named_all_are_refused() -> None:
    apart = Apart(loaded(WEB, DB, isolates=False), None)
    with pytest.raises(ConfigurationError, match="wrong"):
        apart.leave_out([(DB, WRONG)])


def test_nothing_to_leave_out_is_no_failure() -> None:
    apart = Apart(loaded(WEB), None)
    apart.leave_out([])
    assert apart.goes(WEB)
    assert apart.results == []


def test_where_none_would_be_left_everything_is_told() -> None:
    apart = Apart(loaded(WEB, API, DB), None)
    with pytest.raises(DeployError, match="wrong"):
        apart.leave_out([(DB, WRONG)])


def test_an_app_whose_file_is_broken_has_a_result_of_its_own() -> None:
    nameless = Target("prod", "", "strange")
    apart = Apart(loaded(OTHER), None)
    apart.leave_out([(nameless, WRONG)])
    assert [one.target for one in apart.results] == [nameless]
    assert apart.goes(OTHER)
