from __future__ import annotations

import pytest

from deployer.config import Manifest
from deployer.errors import DeployError

from .conftest import APP, SOPS, LoadOne

HEAD = 'Environments: ["prod.london"]\n'
HASH = "ab" * 16


def manifests(load_one: LoadOne, helm: str) -> tuple[Manifest, ...]:
    return load_one({"apps/myapp.yml": HEAD + helm}).manifests(None)


def faults(load_one: LoadOne, helm: str) -> list[DeployError]:
    with pytest.raises(DeployError) as caught:
        manifests(load_one, helm)
    return list(caught.value.leaves())


def test_manifests_have_native_types_and_know_their_places(load_one: LoadOne) -> None:
    (manifest,) = load_one().manifests(HASH)
    assert manifest.content == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "myapp"},
        "spec": {"replicas": 2, "image": f"registry.test/team/myapp:0.0.1-{HASH}"},
    }
    assert str(manifest.where) == "apps/myapp.yml:16:5"
    assert str(manifest.locate(("spec", "replicas"))) == "apps/myapp.yml:21:7"
    assert str(manifest.locate(("spec", "nothing", 3))) == "apps/myapp.yml:20:5"
    assert str(manifest.locate(("nothing",))) == "apps/myapp.yml:16:5"


def test_each_hash_gives_its_own_manifests(load_one: LoadOne) -> None:
    one = load_one()
    first, second = one.manifests(HASH)[0], one.manifests("cd" * 16)[0]
    assert first.content["spec"]["image"].endswith(HASH)
    assert second.content["spec"]["image"].endswith("cd" * 16)


def test_secrets_are_known_by_path_and_name(load_one: LoadOne) -> None:
    one = load_one(
        {
            "group_vars/secrets_prod.yml": "Values: {myapp: {PASSWORD: ENC[x]}}\n".replace("ENC[x]", "'ENC[x]'") + SOPS,
            "apps/myapp.yml": HEAD
            + "Helm:\n  - kind: X\n    env:\n      - {value: '{{ Values.myapp.PASSWORD }}'}\n      - a\n",
        },
        secrets={"secrets_prod.yml": {"Values": {"myapp": {"PASSWORD": "hunter2"}}}},
    )
    (manifest,) = one.manifests(None)
    assert manifest.secrets == {("env", 0, "value"): frozenset({"Values.myapp.PASSWORD"})}


def test_a_manifest_may_be_an_expression_or_left_out(load_one: LoadOne) -> None:
    helm = (
        "Helm:\n"
        '  - "{{ Whole }}"\n'
        "  - \"{{ {'kind': 'B'} if STAGE == 'prod' else omit }}\"\n"
        "  - \"{{ {'kind': 'C'} if STAGE == 'dev' else omit }}\"\n"
        "Whole: {kind: A, name: '{{ AppName }}'}\n"
    )
    found = manifests(load_one, helm)
    assert [manifest.content for manifest in found] == [{"kind": "A", "name": "myapp"}, {"kind": "B"}]
    assert str(found[0].locate(("kind",))) == "apps/myapp.yml:3:5"
    assert len(manifests(load_one, "Helm: \"{{ [{'kind': 'A'}, {'kind': 'B'}] }}\"\n")) == 2


def test_dates_become_text_and_keys_may_be_left_out(load_one: LoadOne) -> None:
    helm = (
        "Helm:\n  - kind: A\n    day: 2024-01-01\n    x: '{{ omit }}'\n"
        "    time: \"{{ '2024-01-01 10:00:00' | to_datetime }}\"\n"
    )
    (manifest,) = manifests(load_one, helm)
    assert manifest.content == {"kind": "A", "day": "2024-01-01", "time": "2024-01-01T10:00:00"}


@pytest.mark.parametrize(
    ("helm", "what", "where", "rest"),
    [
        ("Helm:", "Helm must be a list", "2:1", "begin each with '- '"),
        ("Helm: {kind: A}", "Helm must be a list", "2:1", ""),
        ("Helm: []", "Helm has no manifests", "2:1", ""),
        ("Helm:\n  -\n", "Helm[0] is no manifest", "3:4", "else omit"),
        ("Helm:\n  - {}", "Helm[0] is no manifest", "3:5", "it is a mapping"),
        ("Helm:\n  - '{% if false %}x{% endif %}'", "Helm[0] is no manifest", "3:5", "else omit"),
        ("Helm:\n  - '{{ [{}] }}'", "Helm[0] is no manifest", "3:5", "manifest of its own"),
        ("Helm:\n  - kind: A\n    b: {on: 1}", "Helm[0].b has the key True", "4:5", "quotes"),
        ("Helm:\n  - kind: A\n    b: [{8080: x}]", "Helm[0].b[0] has the key 8080", "4:9", "quotes"),
        ("Helm:\n  - kind: A\n    b: .inf", "Helm[0].b is not a finite number", "4:5", ""),
        ("Helm:\n  - kind: A\n    b: 123456789012345678901234567890", "Helm[0].b is too large", "4:5", "quotes"),
        ("Helm:\n  - kind: A\n    '{{ Name }}': 1", "a key cannot be a template", "4:5", ""),
        ("Helm:\n  - kind: A\n    b: 'x{{ DockerHash }}'", "DockerHash cannot be used here", "4:8", "no Docker part"),
        (
            "Helm:\n  - kind: A\n    b: '{{ Values[Name].VALUE1 }}'",
            "Values.myapp has no VALUE1",
            "4:8",
            "did you mean VALUES1",
        ),
        ("", "Helm is missing", "1:1", ""),
    ],
)
def test_wrong_manifests(load_one: LoadOne, helm: str, what: str, where: str, rest: str) -> None:
    errors = faults(load_one, helm)
    assert len(errors) == 1, [str(error) for error in errors]
    assert errors[0].what.startswith(what)
    assert str(errors[0].where) == f"apps/myapp.yml:{where}"
    assert rest in f"{errors[0]} {errors[0].hint}"


def test_every_error_in_every_manifest_is_told(load_one: LoadOne) -> None:
    helm = "Helm:\n  - kind: A\n    b: '{{ One }}'\n    c: ['{{ Two }}']\n  - kind: B\n    d: .nan\n  -\n"
    assert [str(error.where) for error in faults(load_one, helm)] == [
        f"apps/myapp.yml:{place}" for place in ("4:8", "5:9", "7:5", "8:4")
    ]


def test_the_seed_applications_mistake_is_named(load_one: LoadOne) -> None:
    """The article's own values file says VALUES1 where its template says VALUE1."""
    app = APP.replace('replicas: "{{ Values[Name].Replicas }}"', 'value: "{{ Values[Name].VALUE1 }}"')
    with pytest.raises(DeployError) as caught:
        load_one({"apps/myapp.yml": app})
    assert str(caught.value) == "apps/myapp.yml:21:14: Values.myapp has no VALUE1"
    assert caught.value.hint == "did you mean VALUES1 (group_vars/prod.yml:7:5)?"
    assert caught.value.chain == ("apps/myapp.yml:21 Helm[0].spec.value",)


def test_places_of_what_stands_after_items_that_were_left_out(load_one: LoadOne) -> None:
    helm = 'Helm:\n  - kind: A\n    env:\n      - "{{ omit }}"\n      - name: B\n        value: [x, "{{ omit }}", y]\n'
    (manifest,) = manifests(load_one, helm)
    assert manifest.content["env"] == [{"name": "B", "value": ["x", "y"]}]
    assert str(manifest.locate(("env", 0, "name"))) == "apps/myapp.yml:6:9"
    assert str(manifest.locate(("env", 0, "value", 1))) == "apps/myapp.yml:7:34"
