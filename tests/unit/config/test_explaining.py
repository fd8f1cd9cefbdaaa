"""Where values come from: their place, what they overrode, what their templates used, and what is hidden."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from deployer.config import Repository
from deployer.config.explaining import Explained, Explanation, explain
from deployer.config.nodes import show_path
from deployer.errors import UsageError
from deployer.model import Target
from deployer.report.explain import explanation_document, explanation_lines

FILES = {
    "group_vars/all.yml": "Values:\n  myapp:\n    Replicas: 1\n  other:\n    Replicas: 9\nOrder: [a, b]\n",
    "group_vars/prod.yml": "Values:\n  myapp:\n    Replicas: 2\n",
    "group_vars/prod.london.yml": 'AwsRegion: "eu-west-2"\nRollout:\n  Bake: 5\n',
    "group_vars/secrets_prod.yml": (
        "Values:\n  myapp:\n    PASSWORD: ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\n"
        "    VERSION: ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\n    Replicas: 3\nsops:\n  mac: ENC[x]\n"
    ),
    "apps/myapp.yml": (
        'Environments: ["prod.london"]\nVersion: "{{ Values[Name].VERSION }}"\n'
        'Url: "db://u:{{ Values.myapp.PASSWORD }}@{{ Host }}"\nHost: "db.{{ REGION }}"\n'
        'Broken: "{{ Values.myapp.PASWORD }}"\nHelm:\n  - kind: ConfigMap\n    data:\n      url: "{{ Url }}"\n'
    ),
    "apps/other.yml": 'Environments: ["prod.london"]\n',
}
SECRET = "hunter2-correct-horse"
DECRYPTED = {"Values": {"myapp": {"PASSWORD": SECRET, "VERSION": "1.2", "Replicas": 3}}}

Ask = Callable[..., Explanation]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def decrypt(file: Path, *, profile: str | None, config_file: str | None = None) -> Any:
        return DECRYPTED

    def ask(key: str | None = None, *, offline: bool = False) -> Explanation:
        target = Target("prod", "london", "myapp")
        return explain(Repository(tmp_path), target, key, decrypt=None if offline else decrypt)

    return ask


def by_key(explanation: Explanation) -> Mapping[str, Explained]:
    return {show_path(one.path): one for one in explanation.values}


def test_a_value_names_its_place_and_all_that_it_overrode(ask: Ask) -> None:
    one = by_key(ask())["Values.myapp.Replicas"]
    assert (one.value, str(one.held.where)) == (3, "group_vars/secrets_prod.yml:5:5")
    assert [(held.value, str(held.where)) for held in one.overrode] == [
        (1, "group_vars/all.yml:3:15"),
        (2, "group_vars/prod.yml:3:15"),
    ]


def test_a_template_names_what_it_used_and_what_those_used(ask: Ask) -> None:
    (one,) = ask("Helm[0].data.url").values
    (url,) = one.uses
    assert show_path(url.path) == "Url"
    assert [show_path(used.path) for used in url.uses] == ["Values.myapp.PASSWORD", "Host"]
    assert [(show_path(used.path), used.value) for used in url.uses[1].uses] == [("REGION", "london")]


def test_what_is_secret_or_made_of_secrets_is_in_no_output(ask: Ask) -> None:
    for explanation in (ask(), ask("Helm")):
        shown = "\n".join(explanation_lines(explanation)) + json.dumps(explanation_document([explanation]))
        assert SECRET not in shown
    assert by_key(ask())["Url"].made_of == ("Values.myapp.PASSWORD",)
    assert SECRET in ask().secrets
    assert f"db://u:{SECRET}@db.london" in ask().secrets


def test_offline_no_stand_in_is_shown_as_if_it_were_a_value(ask: Ask) -> None:
    explanation = ask(offline=True)
    values = by_key(explanation)
    assert all(values[key].secret for key in ("Values.myapp.PASSWORD", "Values.myapp.VERSION", "Version", "Url"))
    shown = "\n".join(explanation_lines(explanation)) + json.dumps(explanation_document([explanation]))
    assert "encrypted-" not in shown
    assert "0.0.0" not in shown
    assert values["Values.myapp.Replicas"].value == 3  # not encrypted


def test_a_value_that_is_wrong_says_so_and_keeps_no_other_from_being_shown(ask: Ask) -> None:
    values = by_key(ask())
    assert values["Broken"].error is not None
    assert "did you mean PASSWORD" in str(values["Broken"].error.hint)
    assert values["Host"].value == "db.london"


def test_other_apps_and_the_large_parts_are_left_out_until_they_are_asked_for(ask: Ask) -> None:
    assert ask().left_out == ("Helm", "Values.other")
    assert not any(key.startswith(("Helm", "Values.other")) for key in by_key(ask()))
    assert list(by_key(ask("Values.other"))) == ["Values.other.Replicas"]


def test_defaults_and_built_in_variables_have_an_origin(ask: Ask) -> None:
    assert (ask("Rollout.Timeout").values[0].value, ask("Rollout.Timeout").values[0].origin) == (
        600.0,
        "the tool's default",
    )
    assert ask("STAGE").values[0].value == "prod"
    assert "content" in ask("DockerHash").values[0].later


def test_a_key_that_is_not_there_is_answered_with_one_that_is_near(ask: Ask) -> None:
    with pytest.raises(UsageError) as caught:
        ask("Values.myapp.PASWORD")
    assert caught.value.hint == "did you mean Values.myapp.PASSWORD?"


def test_a_manifest_shows_what_came_from_which_profile_and_what_that_overrode(ask: Ask, tmp_path: Path) -> None:
    group = "Defaults: {ConfigMap: {data: {a: d, b: d, secret: '{{ Values.myapp.PASSWORD | upper }}'}}}\n"
    group += "Profiles: {p: {ConfigMap: {data: {b: p, url: p}}}, other: {}}\n"
    (tmp_path / "group_vars/all.yml").write_text(FILES["group_vars/all.yml"] + group)
    app = FILES["apps/myapp.yml"].replace("Helm:", "Profiles: [p]\nHelm:")
    (tmp_path / "apps/myapp.yml").write_text(app)
    found = by_key(ask("Helm[0].data"))
    assert found["Helm[0].data.a"].held.profile == "Defaults"
    b, url, secret = (found[f"Helm[0].data.{key}"] for key in ("b", "url", "secret"))
    assert (b.value, b.held.profile, [one.profile for one in b.overrode]) == ("p", "profile p", ["Defaults"])
    assert (url.held.profile, [(one.profile, one.value) for one in url.overrode]) == ("", [("profile p", "p")])
    assert secret.made_of == ("Values.myapp.PASSWORD",)
    lines = list(explanation_lines(ask("Helm[0].data.b")))
    assert lines[1:] == [
        "    group_vars/all.yml:8:35 (profile p)",
        '    overrode group_vars/all.yml:7:40 (Defaults): "d"',
    ]
    text = json.dumps(explanation_document([ask("Helm")]))
    assert '"profile": "profile p"' in text
    assert SECRET.upper() not in text
    assert by_key(ask("Profiles"))["Profiles"].value == ["p"]
    assert by_key(ask("Profiles.p.ConfigMap.data.b"))["Profiles.p.ConfigMap.data.b"].held.profile == "profile p"
    assert ask().left_out == ("Helm", "Defaults", "Profiles.p", "Profiles.other", "Values.other")


def test_lists_of_plain_values_are_one_value(ask: Ask) -> None:
    assert by_key(ask())["Order"].value == ["a", "b"]
