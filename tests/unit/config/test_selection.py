"""Which apps a command is about, and which of them need which."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from deployer.config.relations import groups_of, needs_among, needs_of
from deployer.config.selection import Selection, select
from deployer.errors import ConfigurationError, DeployError, ErrorGroup, UsageError
from deployer.model import Target

from .conftest import MakeRepository


def app(*environments: str, **lists: str) -> str:
    lines = [f"Environments: [{', '.join(environments)}]", *(f"{key}: {value}" for key, value in lists.items())]
    return "\n".join([*lines, "Helm: [{kind: ConfigMap}]", ""])


APPS = {
    "apps/myapp.yml": app("prod.london", "prod.seoul", Needs="[database]", Groups="[front, public]"),
    "apps/database.yml": app("prod.london", Groups="[back]"),
    "apps/tool.yml": app("dev.london"),
}
EVERYTHING = Selection(everything=True)


def names(targets: Sequence[Target]) -> list[str]:
    return [f"{target.application} {target.region}" for target in targets]


def test_everything_that_a_stage_has(make_repository: MakeRepository) -> None:
    repository = make_repository(APPS)
    found = select(repository, "prod", "all", EVERYTHING)
    assert names(found.targets) == ["database london", "myapp london", "myapp seoul"]
    assert found.needs == {"database": (), "myapp": ("database",)}
    assert found.broken == ()


def test_an_app_without_the_region_is_not_meant(make_repository: MakeRepository) -> None:
    repository = make_repository(APPS)
    found = select(repository, "prod", "seoul", EVERYTHING)
    assert names(found.targets) == ["myapp seoul"]
    assert found.needs == {"myapp": ()}
    with pytest.raises(UsageError, match="there is no region soul in stage prod") as caught:
        select(repository, "prod", "soul", EVERYTHING)
    assert caught.value.hint == "did you mean seoul?"


def test_a_group(make_repository: MakeRepository) -> None:
    repository = make_repository(APPS)
    assert names(select(repository, "prod", "all", Selection(group="back")).targets) == ["database london"]
    with pytest.raises(UsageError, match="no app here belongs to a group frnt") as caught:
        select(repository, "prod", "all", Selection(group="frnt"))
    assert caught.value.hint == "did you mean front?"


def test_an_empty_group_is_not_everything(make_repository: MakeRepository) -> None:
    with pytest.raises(UsageError, match="no app here belongs to a group ''"):
        select(make_repository(APPS), "prod", "all", Selection(group=""))


def test_broken_apps_are_kept_beside_the_others(make_repository: MakeRepository) -> None:
    repository = make_repository({**APPS, "apps/broken.yml": "a: [", "apps/strange.yml": app("london", Groups="[x]")})
    found = select(repository, "prod", "all", EVERYTHING)
    assert names(found.targets) == ["database london", "myapp london", "myapp seoul"]
    assert [target.application for target, _ in found.broken] == ["broken", "strange"]
    assert [target.application for target, _ in select(repository, "prod", "all", Selection(group="front")).broken] == [
        "broken"
    ]


def test_of_what_has_changed(make_repository: MakeRepository) -> None:
    repository = make_repository(APPS)
    asked: list[Sequence[Target]] = []

    def changed(targets: Sequence[Target]) -> Sequence[Target]:
        asked.append(targets)
        return [target for target in targets if target.region == "london" and target.application == "myapp"]

    assert names(select(repository, "prod", "all", Selection(changed=changed)).targets) == ["myapp london"]
    assert names(asked[0]) == ["database london", "myapp london", "myapp seoul"]
    assert select(repository, "prod", "all", Selection(("database",), changed=changed)).targets == ()


def test_apps_that_need_each_other_are_told_with_the_way(make_repository: MakeRepository) -> None:
    repository = make_repository(
        {
            "apps/myapp.yml": app("prod.london", Needs="[b]"),
            "apps/b.yml": app("prod.london", Needs="[c]"),
            "apps/c.yml": app("prod.london", Needs="\n  - myapp"),
        }
    )
    with pytest.raises(ConfigurationError, match="apps need each other: b needs c needs myapp needs b") as caught:
        needs_among(repository, ["myapp"])
    assert str(caught.value.where) == "apps/b.yml:2:9"


@pytest.mark.parametrize("needs", ["database", "null", "[databse]", "[myapp]"])
def test_an_app_with_wrong_needs_does_not_go_ahead_without_them(make_repository: MakeRepository, needs: str) -> None:
    repository = make_repository({**APPS, "apps/myapp.yml": app("prod.london", "prod.seoul", Needs=needs)})
    for selection in (EVERYTHING, Selection(("database", "myapp"))):
        found = select(repository, "prod", "all", selection)
        assert [(target.application, target.region) for target, _ in found.broken] == [
            ("myapp", "london"),
            ("myapp", "seoul"),
        ]
        assert found.needs == {"database": (), "myapp": ()}


@pytest.mark.parametrize("branch", [None, "x"])
def test_what_needs_an_app_that_cannot_be_read_is_known(make_repository: MakeRepository, branch: str | None) -> None:
    repository = make_repository({**APPS, "apps/database.yml": "a: ["})
    found = select(repository, "prod", "seoul", Selection(everything=True, branch=branch))
    end = f"@{branch}" if branch else ""
    assert [target.application for target, _ in found.broken] == [f"database{end}"]
    assert found.needs == {f"myapp{end}": (f"database{end}",), f"database{end}": ()}


@pytest.mark.parametrize("needs", ["database", "[database]"])
def test_what_only_looks_does_not_mind_needs(make_repository: MakeRepository, needs: str) -> None:
    circle = {
        "apps/database.yml": app("prod.london", Needs="[myapp]"),
        "apps/myapp.yml": app("prod.london", Needs=needs),
    }
    found = select(make_repository(circle), "prod", "all", Selection(("myapp",)), ordered=False)
    assert (names(found.targets), found.needs, found.broken) == (["myapp london"], {}, ())


@pytest.mark.parametrize(
    ("lists", "what", "where"),
    [
        ({"Needs": "[databse]"}, "myapp needs databse, and there is no such app", "apps/myapp.yml:2:9"),
        ({"Needs": "[myapp]"}, "myapp cannot need itself", "apps/myapp.yml:2:9"),
        ({"Needs": "database"}, "Needs must be a list of apps", "apps/myapp.yml:2:1"),
        ({"Needs": "[[database]]"}, "Needs must be a list of apps", "apps/myapp.yml:2:9"),
        ({"Needs": "['{{ x }}']"}, "Needs cannot be a template", "apps/myapp.yml:2:9"),
        ({"Groups": "[a b]"}, "'a b' cannot be the name of a group", "apps/myapp.yml:2:10"),
    ],
)
def test_what_is_wrong_with_lists(
    make_repository: MakeRepository, lists: dict[str, str], what: str, where: str
) -> None:
    repository = make_repository({**APPS, "apps/myapp.yml": app("prod.london", **lists)})
    with pytest.raises(DeployError) as caught:
        needs_of(repository, "myapp")
        groups_of(repository, "myapp")
    (error,) = caught.value.leaves()
    assert (error.what, str(error.where)) == (what, where)


def test_every_wrong_name_is_told(make_repository: MakeRepository) -> None:
    repository = make_repository({**APPS, "apps/myapp.yml": app("prod.london", Needs="[databse, myapp]")})
    with pytest.raises(ErrorGroup) as caught:
        needs_of(repository, "myapp")
    assert len(list(caught.value.leaves())) == 2
