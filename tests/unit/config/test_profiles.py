"""Profiles of group_vars beneath an app's manifests: who wins, how lists are merged, and where values come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from deployer.config import Inputs, Manifest
from deployer.config.nodes import show_path
from deployer.errors import DeployError
from tests.unit.config.conftest import ALL, SOPS, LoadOne

ENC = "'ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]'"
SECRETS = f"Values: {{myapp: {{PASSWORD: {ENC}}}}}\n{SOPS}"
APP = """\
Environments: ["prod.london"]
Profiles: [spot, high]
Helm:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: "{{ AppName }}"}
    spec:
      template:
        spec:
          containers:
            - name: "{{ Name }}"
              image: busybox
"""


@pytest.fixture
def manifests(load_one: LoadOne) -> Any:
    """The manifests of an app file over what is added to group_vars/all.yml."""

    def load(profiles: str, app: str = APP, files: Mapping[str, str] = {}, **options: Any) -> tuple[Manifest, ...]:
        return load_one({"group_vars/all.yml": ALL + profiles, "apps/myapp.yml": app, **files}, **options).manifests(
            None
        )

    return load


def spec(manifest: Manifest) -> Any:
    """That of its pods."""
    return manifest.content["spec"]["template"]["spec"]


def test_the_app_wins_over_its_profiles_and_the_last_of_those_over_defaults(manifests: Any) -> None:
    app = APP.replace("        spec:\n", "        spec:\n          dnsPolicy: Default\n")
    (one,) = manifests(
        """
Defaults: {Deployment: {spec: {template: {spec: {dnsPolicy: A, priorityClassName: A, hostname: A, subdomain: A}}}}}
Profiles:
  high: {Deployment: {spec: {template: {spec: {dnsPolicy: H, priorityClassName: H}}}}}
  spot: {Deployment: {spec: {template: {spec: {dnsPolicy: S, priorityClassName: S, hostname: S}}}}}
""",
        app,
    )
    found = {key: spec(one)[key] for key in ("dnsPolicy", "priorityClassName", "hostname", "subdomain")}
    assert found == {"dnsPolicy": "Default", "priorityClassName": "H", "hostname": "S", "subdomain": "A"}
    assert one.profiles == ("spot", "high")


def test_profiles_are_merged_over_the_layers_before_they_are_used(manifests: Any) -> None:
    (one,) = manifests(
        "Profiles: {high: {}, spot: {Pod: {spec: {hostname: all, subdomain: all}}}}",
        files={"group_vars/prod.london.yml": "Profiles: {spot: {Pod: {spec: {hostname: here}}}}"},
    )
    assert (spec(one)["hostname"], spec(one)["subdomain"]) == ("here", "all")


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", ("spec", "template")),
        ("StatefulSet", ("spec", "template")),
        ("CronJob", ("spec", "jobTemplate", "spec", "template")),
        ("Pod", ()),
        ("Service", None),
    ],
)
def test_what_is_for_pods_is_for_every_workload(manifests: Any, kind: str, path: tuple[str, ...] | None) -> None:
    app = f'Environments: ["prod.london"]\nProfiles: [p]\nHelm: [{{apiVersion: v1, kind: {kind}, spec: {{a: 1}}}}]'
    (one,) = manifests('Profiles: {p: {Pod: {metadata: {labels: {x: y}}}, "*": {metadata: {name: all}}}}', app)
    assert one.content["metadata"]["name"] == "all"
    content = one.content
    for part in path or ():
        content = content[part]
    assert ("labels" in content.get("metadata", {})) == (path is not None)


def test_null_takes_away_and_omit_lets_the_profile_speak(manifests: Any) -> None:
    profiles = (
        "Profiles: {high: {Pod: {spec: {a: null, never: null}}}, spot: {Pod: {spec: {a: 1, b: 2, c: {d: 3}, e: 5}}}}"
    )
    added = "          b: null\n          c:\n          e: '{{ Nothing | default(omit) }}'\n          own: null\n"
    (one,) = manifests(profiles, APP.replace("          containers", added + "          containers"))
    assert {key: value for key, value in spec(one).items() if key != "containers"} == {"e": 5, "own": None}


def test_each_container_gets_what_is_for_all_and_more_what_is_for_it(manifests: Any) -> None:
    (one,) = manifests(
        """
Profiles:
  high: {}
  spot:
    Pod:
      spec:
        containers:
          - {name: "*", image: nobody, tty: true, env: [{name: A, value: each}, {name: B, value: each}]}
          - {name: myapp, stdin: true, env: [{name: B, valueFrom: {x: y}}]}
          - {name: sidecar, image: proxy}
        initContainers: [{name: "*", tty: true}]
"""
    )
    first, second = spec(one)["containers"]
    assert first == {
        "name": "myapp",
        "image": "busybox",
        "tty": True,
        "stdin": True,
        "env": [{"name": "B", "valueFrom": {"x": "y"}}, {"name": "A", "value": "each"}],
    }
    assert (second["name"], second["image"], second["tty"]) == ("sidecar", "proxy", True)
    assert "initContainers" not in spec(one)


@pytest.mark.parametrize(
    ("key", "profile", "app", "merged"),
    [
        ("args", "[a]", "[b]", ["b"]),
        ("tolerations", "[{key: a}, {key: b}]", "[{key: b}]", [{"key": "b"}, {"key": "a"}]),
        ("tolerations", "[{key: a}]", "[]", []),
        (
            "volumes",
            "[{name: v, emptyDir: {}}, {name: w}]",
            "[{name: v, secret: {}}]",
            [{"name": "v", "secret": {}}, {"name": "w"}],
        ),
        (
            "volumeMounts",
            "[{name: v, mountPath: /a}]",
            "[{name: v, mountPath: /b}]",
            [{"name": "v", "mountPath": "/b"}, {"name": "v", "mountPath": "/a"}],
        ),
        ("ports", "[{containerPort: 1}]", "[{containerPort: 2}]", [{"containerPort": 2}]),
        ("things", "[{name: a}, {name: a}]", "[{name: b}]", [{"name": "b"}]),
        ("things", "[{name: a, x: 1}]", '\'{{ [{"name": "b"}] }}\'', [{"name": "b"}, {"name": "a", "x": 1}]),
        ("things", '\'{{ [{"name": "a"}] }}\'', "[{name: b}]", [{"name": "b"}, {"name": "a"}]),
        ("preStop", "{exec: {}}", "{sleep: {}}", {"sleep": {}}),
        ("strategy", "{rollingUpdate: {maxSurge: 1}}", "{type: Recreate}", {"type": "Recreate"}),
        (
            "strategy",
            "{rollingUpdate: {maxSurge: 1}}",
            "{type: RollingUpdate}",
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        ),
        ("budget", "{minAvailable: 1}", "{maxUnavailable: 2}", {"maxUnavailable": 2}),
        ("scalar", "{a: 1}", "5", 5),
    ],
)
def test_how_two_values_are_merged(manifests: Any, key: str, profile: str, app: str, merged: Any) -> None:
    helm = f'Environments: ["prod.london"]\nProfiles: [p]\nHelm: [{{kind: Thing, spec: {{{key}: {app}}}}}]'
    (one,) = manifests(f"Profiles: {{p: {{Thing: {{spec: {{{key}: {profile}}}}}}}}}", helm)
    assert one.content["spec"][key] == merged


def test_computed_manifests_are_merged_too(manifests: Any) -> None:
    profiles = "Profiles: {p: {Thing: {spec: {a: 1, b: 1}}}}"
    head = 'Environments: ["prod.london"]\nProfiles: [p]\n'
    item = """"{{ {'kind': 'Thing', 'spec': {'b': 2}} }}\""""
    for helm in (f"Helm:\n  - {item}", """Helm: "{{ [{'kind': 'Thing', 'spec': {'b': 2}}] }}\""""):
        (one,) = manifests(profiles, head + helm)
        assert one.content["spec"] == {"a": 1, "b": 2}


def test_items_of_a_list_of_manifests_have_profiles(manifests: Any) -> None:
    helm = "Helm: [{apiVersion: v1, kind: List, items: [{kind: Thing}, {kind: Other}]}]"
    (one,) = manifests("Defaults: {Thing: {spec: {a: 1}}}", f'Environments: ["prod.london"]\n{helm}')
    assert one.content["items"] == [{"kind": "Thing", "spec": {"a": 1}}, {"kind": "Other"}]


def test_a_manifest_may_choose_for_itself(manifests: Any) -> None:
    app = APP.replace("    kind:", "    Profiles: [high]\n    kind:")
    (one,) = manifests("Profiles: {high: {Pod: {spec: {a: h}}}, spot: {Pod: {spec: {b: s}}}}", app)
    assert "Profiles" not in one.content
    assert (spec(one)["a"], spec(one).get("b"), one.profiles) == ("h", None, ("high",))


def test_the_choice_may_be_a_template_and_the_command_line_wins(manifests: Any) -> None:
    profiles = "Profiles: {high: {Pod: {spec: {a: h}}}, spot: {Pod: {spec: {b: s}}}}"
    app = APP.replace("[spot, high]", "[\"{{ 'spot' if STAGE == 'prod' else omit }}\", \"{{ omit }}\"]")
    assert manifests(profiles, app)[0].profiles == ("spot",)
    assert manifests(profiles, app, inputs=Inputs(extra=['{"Profiles": ["high"]}']))[0].profiles == ("high",)
    extra = Inputs(extra=['{"Profiles": {"spot": {"Pod": {"spec": {"b": "line"}}}}}'])
    assert spec(manifests(profiles, app, inputs=extra)[0])["b"] == "line"


def test_a_value_of_a_profile_keeps_its_place_and_its_secrets(manifests: Any) -> None:
    secret = f"Profiles: {{spot: {{Pod: {{metadata: {{annotations: {{key: {ENC}}}}}}}}}}}\n{SECRETS}"
    (one,) = manifests(
        """
Profiles:
  high: {}
  spot:
    Pod:
      spec:
        hostname: "{{ Name }}"
        containers:
          - name: "*"
            env: [{name: PASSWORD, value: "{{ Values[Name].PASSWORD }}"}]
""",
        files={"group_vars/secrets_prod.yml": secret},
        secrets={
            "secrets_prod.yml": {
                "Profiles": {"spot": {"Pod": {"metadata": {"annotations": {"key": "t0p"}}}}},
                "Values": {"myapp": {"PASSWORD": "s3cret"}},
            }
        },
    )
    assert {show_path(path): set(names) for path, names in one.secrets.items()} == {
        "spec.template.metadata.annotations.key": {"Profiles.spot.Pod.metadata.annotations.key"},
        "spec.template.spec.containers[0].env[0].value": {"Values.myapp.PASSWORD"},
    }
    assert str(one.locate(("spec", "template", "spec", "hostname"))) == "group_vars/all.yml:9:9"
    assert str(one.locate(("kind",))) == "apps/myapp.yml:5:5"


def test_what_a_template_made_of_a_secret_stays_secret_when_it_is_merged(manifests: Any) -> None:
    app = APP.replace(
        "          containers", "          data: \"{{ {'a': Values[Name].PASSWORD | upper} }}\"\n          containers"
    )
    (one,) = manifests(
        "Profiles: {high: {}, spot: {Pod: {spec: {data: {b: 1}}}}}",
        app,
        files={"group_vars/secrets_prod.yml": SECRETS},
        secrets={"secrets_prod.yml": {"Values": {"myapp": {"PASSWORD": "s3cret"}}}},
    )
    assert spec(one)["data"] == {"a": "S3CRET", "b": 1}
    assert {show_path(path): set(names) for path, names in one.secrets.items()} == {
        "spec.template.spec.data.a": {"Values.myapp.PASSWORD"}
    }
    assert one.secret_texts() == ["S3CRET"]


@pytest.mark.parametrize(
    ("group", "app", "words", "place"),
    [
        ("Profiles: {spot: {}, high: {}}", "[spto]", "there is no profile spto did you mean spot?", "apps/myapp.yml:2"),
        ("", "[spot]", "there is no profile spot group_vars defines none", "apps/myapp.yml:2"),
        ("Profiles: {spot: {}}", "spot", "must be a list of names", "apps/myapp.yml:2"),
        ("Profiles: {spot: {}}", "[5]", "must be a list of names of profiles it has the int 5", "apps/myapp.yml:2"),
        ("Profiles: {spot: {}}", "{spot: {}}", "profiles belong in group_vars", "apps/myapp.yml:2"),
        ("Profiles: {spot: {}}", "'{{ Nowhere }}'", "Nowhere is undefined", "apps/myapp.yml:2"),
        ("Profiles: [spot]", "[]", "must be a mapping of profiles by name", "group_vars/all.yml:3"),
        ("Profiles: {spot: 5}", "[]", "Profiles.spot must be a mapping of partial", "group_vars/all.yml:3"),
        ("Profiles: {spot: {Pod: [x]}}", "[]", "Profiles.spot.Pod must be a part", "group_vars/all.yml:3"),
        ("Profiles: {5: {}}", "[]", "the name of a profile must be a text", "group_vars/all.yml:3"),
        ("Profiles: {s: {Pod: {tolerations: []}}}", "[]", "put tolerations below spec", "group_vars/all.yml:3"),
        ("Defaults: [x]", "[]", "Defaults in group_vars must be a mapping", "group_vars/all.yml:3"),
        ("Defaults: {Pod: {spec: {a: '{{ Nix }}'}}}", "[]", "Nix is undefined", "group_vars/all.yml:3"),
        (
            "Defaults: {Deployment: {spec: {'{{ Nix }}': 1}}}",
            "[]",
            "a key cannot be a template",
            "group_vars/all.yml:3",
        ),
    ],
)
def test_mistakes_are_told_where_they_stand(manifests: Any, group: str, app: str, words: str, place: str) -> None:
    with pytest.raises(DeployError) as caught:
        manifests(group, APP.replace("[spot, high]", app))
    (error,) = caught.value.leaves()
    assert words in f"{error.what} {error.why or ''} {error.hint or ''}".replace("  ", " ")
    assert str(error.where).startswith(place)


@pytest.mark.parametrize("chosen", ["['{{ Values[Name].PASSWORD | upper }}']", "'{{ Values[Name].PASSWORD | upper }}'"])
def test_a_wrong_choice_shows_no_secret(manifests: Any, chosen: str) -> None:
    with pytest.raises(DeployError) as caught:
        manifests(
            "Profiles: {spot: {}}",
            APP.replace("[spot, high]", chosen),
            files={"group_vars/secrets_prod.yml": SECRETS},
            secrets={"secrets_prod.yml": {"Values": {"myapp": {"PASSWORD": "s3cret"}}}},
        )
    (error,) = caught.value.leaves()
    assert error.what.startswith("Profiles ")
    assert "S3CRET" not in f"{error.what} {error.why} {error.hint}"


def test_an_error_in_a_profile_names_the_profile(manifests: Any) -> None:
    with pytest.raises(DeployError) as caught:
        manifests("Profiles: {high: {}, spot: {Pod: {spec: {a: '{{ Values[Name].Nix }}'}}}}")
    (error,) = caught.value.leaves()
    assert error.chain == ("group_vars/all.yml:3 Profiles.spot.Pod.spec.a",)


def test_an_app_without_profiles_is_left_as_it_is(manifests: Any) -> None:
    (one,) = manifests("Profiles: {spot: {Pod: {spec: {a: 1}}}}", APP.replace("Profiles: [spot, high]\n", ""))
    assert "a" not in spec(one)
    assert one.profiles == ()


def test_a_container_of_a_profile_needs_a_name(manifests: Any) -> None:
    with pytest.raises(DeployError) as caught:
        manifests("Profiles:\n  spot: {Pod: {spec: {containers: [{image: x}]}}}\n  high: {}\n")
    (error,) = caught.value.leaves()
    assert (error.what, str(error.where)) == (
        "an item of containers in a profile needs a name",
        "group_vars/all.yml:4:36",
    )
