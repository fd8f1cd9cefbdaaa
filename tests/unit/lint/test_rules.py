"""Each rule: the mistake is found at its place and no other is, with a hint; the repository without it is clean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deployer.errors import DeployError
from deployer.lint.finding import RULES, Finding
from tests.unit.lint.conftest import ENC, FILES, Lint

APP, PROD = "apps/site.yml", "group_vars/prod.yml"

MISTAKES = [
    # rule, file, old, new, line (0: it has none), a word of the message or hint
    (
        "undefined-variable",
        APP,
        "[Name].GREETING",
        "[Name].GRETING",
        23,
        "did you mean GREETING (group_vars/prod.yml:5:5)",
    ),
    ("undefined-variable", APP, "{{ DnsDomain }}", "{{ DnsDomian }}", 40, "did you mean DnsDomain?"),
    ("invalid-template", APP, "{{ DnsDomain }}", "{{ DnsDomain", 40, "Jinja2"),
    ("invalid-template", APP, "{{ DnsDomain }}", "{{ DnsDomain | uper }}", 40, "did you mean upper"),
    ("invalid-hook", APP, "Helm:", "Hooks: {OnFailure: no.yml}\nHelm:", 7, "No such file"),
    ("circular-reference", PROD, '"example.test"', '"x{{ DnsDomain }}"', 1, "refers to itself"),
    ("circular-reference", PROD, '"Hello"', '"{{ Values.site }}"', 5, "holds itself"),
    ("wrong-type", PROD, "DnsDomain:", "Rollout: {Bake: soon}\nDnsDomain:", 1, "a number"),
    ("unknown-key", PROD, "DnsDomain:", "Rollout: {Bakes: 5}\nDnsDomain:", 1, "did you mean Bake"),
    ("unknown-key", PROD, "DnsDomain:", 'NameSpace: "x"\nDnsDomain:', 1, "did you mean Namespace?"),
    ("unknown-key", PROD, "DnsDomain:", 'HealthChecks: {Path: "/"}\nDnsDomain:', 1, "did you mean HealthCheck?"),
    ("unknown-key", APP, 'Version: "1.0"', 'Enviroments: []\nVersion: "1.0"', 6, "did you mean Environments"),
    ("invalid-value", "group_vars/all.yml", "eu-west-2", "europe", 1, "an AWS region"),
    ("invalid-file", PROD, "Values:", "DnsDomain: x\nValues:", 2, "stands here twice"),
    ("unused-value", PROD, "    GREETING", "    GREETINGS: 1\n    GREETING", 5, "what is used there is GREETING"),
    ("unused-value", PROD, "DnsDomain:", "Leftover: 1\nDnsDomain:", 1, "nothing uses Leftover"),
    ("unused-value", APP, 'Version: "1.0"', 'Leftover: 1\nVersion: "1.0"', 6, "nothing uses Leftover"),
    ("wrong-need", APP, 'Version: "1.0"', 'Needs: [sites]\nVersion: "1.0"', 6, "did you mean site?"),
    ("reserved-name", APP, '"prod.seoul"', '"prod.seoul"\n  - "lint.seoul"', 6, "cannot be called lint"),
    ("missing-group-vars", APP, '"prod.seoul"', '"prod.seoul"\n  - "dev.seoul"', 6, "write group_vars/dev.seoul.yml"),
    ("missing-region-file", APP, '"prod.seoul"', '"prod.seoul"\n  - "prod.sidney"', 6, "prod.sidney.yml"),
    ("plaintext-secrets", "group_vars/secrets_prod.yml", "sops:\n  mac: ENC[x]\n", "", 0, "sops encrypt"),
    ("secret-in-the-open", APP, '"--loud"', '"--pw={{ Values[Name].PASSWORD }}"', 20, "Values.site.PASSWORD"),
    (
        "secret-in-the-open",
        APP,
        "{name: site}\n    spec:\n      ports",
        '{name: site, annotations: {a: "{{ Values.site.PASSWORD }}"}}\n    spec:\n      ports',
        31,
        "env",
    ),
    ("kubernetes-schema", APP, "cpu: 50m", "cpu: [50m]", 28, "must be a text or a number"),
    ("kubernetes-schema", APP, "targetPort: http", "targetPort: http, prot: 1", 33, "did you mean"),
    (
        "kubernetes-schema",
        APP,
        'replicas: "{{ Values[Name].Replicas }}"',
        "replicas: 2\n      paused: 1",
        13,
        "true or false",
    ),
    ("selector-matches-nothing", APP, "selector: {app: site}", "selector: {app: sight}", 34, "labels of the pods"),
    ("service-port", APP, "targetPort: http", "targetPort: web", 33, "called http"),
    ("service-port", APP, "targetPort: http", "targetPort: 8081", 33, "they have 8080"),
    ("ingress-backend", APP, "number: 80}", "number: 81}", 43, "it has 80"),
    ("ingress-backend", APP, "{service: {name: site", "{service: {name: sight", 43, "its Services are site"),
    (
        "probe-port",
        APP,
        "livenessProbe: {httpGet: {path: /, port: http",
        "livenessProbe: {httpGet: {path: /, port: web",
        27,
        "called http",
    ),
    ("missing-limits", APP, "limits: {memory: 64Mi}", "limits: {cpu: 1}", 18, "memory"),
    (
        "missing-probe",
        APP,
        "              readinessProbe: {httpGet: {path: /, port: http}}\n",
        "",
        18,
        "readinessProbe",
    ),
    ("removed-api", APP, "apps/v1", "apps/v1beta2", 8, "apps/v1"),
    ("manifest-warning", APP, "name: PASSWORD, ", "name: GREETING, ", 24, "second time"),
]


def test_a_good_repository_has_no_findings(lint_with: Lint) -> None:
    assert lint_with() == []


@pytest.mark.parametrize(("rule", "file", "old", "new", "line", "word"), MISTAKES)
def test_a_mistake_is_found_where_it_is(
    lint_with: Lint, rule: str, file: str, old: str, new: str, line: int, word: str
) -> None:
    findings = lint_with((file, old, new))
    assert [(one.rule, one.file, one.line) for one in findings] == [(rule, file, line)], findings
    (one,) = findings
    assert one.severity == RULES[rule].severity
    assert word in f"{one.message} {one.hint}"
    assert one.hint


def test_every_rule_is_tested() -> None:
    elsewhere = {"invalid-manifest", "duplicate-host", "need-elsewhere", "secret-like-value"}
    elsewhere |= {"replicas-and-autoscaler", "volume-on-spot", "grace-on-spot"}  # test_profiles.py
    elsewhere |= {"unknown-profile", "unused-profile", "shared-by-branches"}
    elsewhere |= {rule for rule in RULES if rule.startswith("secrets-")}  # test_secret_files.py
    assert {one[0] for one in MISTAKES} | elsewhere == set(RULES)


def test_a_manifest_that_would_be_refused(lint_with: Lint) -> None:
    (one,) = lint_with((APP, "kind: Service", "kind: Servise"))
    assert (one.rule, one.line, one.hint) == ("invalid-manifest", 30, "did you mean Service?")


def test_what_no_template_uses_but_playbooks_are_given(lint_with: Lint) -> None:
    """Only an app with hooks cannot be deployed over it. What is another app's is left out for the playbooks."""
    circle = (PROD, "    GREETING", '    UNUSED: "{{ Values }}"\n    GREETING')
    other = (PROD, "Values:", 'Values:\n  other: {UNUSED: "{{ Values }}"}')
    hooks = (APP, "Helm:", "Hooks: {OnFailure: play.yml}\nHelm:")
    play = {"play.yml": "- hosts: localhost\n"}
    assert [one.rule for one in lint_with(circle)] == ["unused-value"]
    assert [one.rule for one in lint_with(other, hooks, files=play)] == ["unused-value"]
    (one,) = lint_with(circle, hooks, files=play)
    assert (one.rule, one.file, one.line) == ("circular-reference", PROD, 5)


def test_a_host_that_two_apps_use(lint_with: Lint) -> None:
    other = FILES[APP].replace('Name: "site"', 'Name: "other"').replace("Values[Name]", "Values.site")
    findings = lint_with(files={"apps/other.yml": other})
    assert {one.rule for one in findings} == {"duplicate-host"}
    assert "the apps other and site" in findings[0].message
    assert findings[0].environments == ("prod.london",)
    assert "apps/other.yml:40" in findings[0].hint


def test_an_app_that_is_needed_where_it_is_not(lint_with: Lint) -> None:
    other = FILES[APP].replace("site", "other").replace('  - "prod.seoul"\n', "").replace("Values[Name]", "Values.site")
    (one,) = lint_with((APP, 'Version: "1.0"', 'Needs: [other]\nVersion: "1.0"'), files={"apps/other.yml": other})
    assert (one.rule, one.line, one.environments) == ("need-elsewhere", 6, ("prod.seoul",))
    assert one.message == "site needs other, which is not for prod.seoul"


def test_apps_that_need_each_other(lint_with: Lint) -> None:
    other = FILES[APP].replace("site", "other").replace("Values[Name]", "Values.site")
    other = other.replace('Version: "1.0"', 'Needs: [site]\nVersion: "1.0"')
    (one,) = lint_with((APP, 'Version: "1.0"', 'Needs: [other]\nVersion: "1.0"'), files={"apps/other.yml": other})
    assert (one.rule, one.file) == ("wrong-need", "apps/other.yml")
    assert "other needs site needs other" in one.message


def test_what_shows_in_several_environments_is_one_finding(lint_with: Lint) -> None:
    (one,) = lint_with((APP, "[Name].GREETING", "[Name].GRETING"))
    assert one.environments == ("prod.london", "prod.seoul")


def test_what_shows_in_one_environment_names_it(lint_with: Lint) -> None:
    findings = lint_with(
        (PROD, "    Replicas: 2\n", ""), files={"group_vars/prod.seoul.yml": "Values: {site: {Replicas: 1}}"}
    )
    assert [(one.rule, one.environments) for one in findings] == [("undefined-variable", ("prod.london",))]


@pytest.mark.parametrize(
    "use",
    [
        "{{ (Values.site.PASSWORD | from_json).user }}",
        "{{ Values.site.PASSWORD.split(':')[1] }}",
        "{{ Values.site.PASSWORD | b64decode | int + 1 }}",
    ],
)
def test_what_only_the_real_secret_could_tell_is_no_finding(lint_with: Lint, use: str) -> None:
    assert lint_with((APP, "{{ Values[Name].PASSWORD | b64encode }}", use)) == []


def test_what_only_the_real_secret_could_tell_keeps_nothing_else_from_being_found(lint_with: Lint) -> None:
    unseen = "{{ (Values.site.PASSWORD | from_json).user }}"
    findings = lint_with(
        (APP, "{{ Values[Name].PASSWORD | b64encode }}", unseen),
        (APP, '["--loud"]', f'["{{{{ Values[Name].PASSWORD }}}}", "{unseen}"]'),
        (APP, "livenessProbe: {httpGet: {path: /, port: http}}", ""),
    )
    assert [(one.rule, one.line, "args[1]" in one.message) for one in findings] == [
        ("missing-probe", 18, False),
        ("secret-in-the-open", 20, False),
        ("secret-in-the-open", 20, True),
    ]


@pytest.mark.parametrize(
    "data",
    [
        "data: {a: '{{ Values.site.PASSWORD }}'}",
        "data: {a: '{{ (Values.site.PASSWORD | from_json).file }}'}",
        "data: '{{ (Values.site.PASSWORD | from_json).files }}'",
        "stringData: '{{ (Values.site.PASSWORD | from_json).files }}'",
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_files_may_be_made_of_what_only_the_real_secret_tells(lint_with: Lint, data: str, own: bool) -> None:
    manifest = f"  - {{apiVersion: v1, kind: Secret, metadata: {{name: x}}, {data}}}\n"
    volume = f"          volumes: [{{name: v, secret: {{{data}}}}}]\n"
    place = "Helm:\n" if own else "          containers:\n"
    assert lint_with((APP, place, place + manifest if own else volume + place)) == []


def test_no_stand_in_is_quoted(lint_with: Lint) -> None:
    findings = lint_with((APP, '"{{ Values[Name].Replicas }}"', '"{{ Values[Name].PASSWORD }}"'))
    assert findings
    assert "encrypted-" not in "".join(f"{one.message}{one.hint}{one.chain}" for one in findings)


def test_an_encrypted_number_stands_in_as_a_number(lint_with: Lint) -> None:
    secrets = f"Values:\n  site:\n    PASSWORD: {ENC}\n    Replicas: {ENC.replace('str', 'int')}\nsops: {{mac: x}}\n"
    assert lint_with((PROD, "    Replicas: 2\n", ""), files={"group_vars/secrets_prod.yml": secrets}) == []


def rules(findings: list[Finding]) -> set[str]:
    return {one.rule for one in findings}


def test_what_is_no_ordinary_file_is_not_read(lint_with: Lint, tmp_path: Path) -> None:
    lint_with()
    (tmp_path / "apps/site").mkdir()
    for name in ("apps/pipe.yml", "apps/site/pipe.j2"):
        os.mkfifo(tmp_path / name)  # whoever reads it waits for ever
    image = (APP, 'Version: "1.0"\n', 'Version: "1.0"\nDocker: {Dockerfile: FROM busybox}\n')
    findings = lint_with(image, apps=("site", "pipe"))
    assert ("apps/pipe.yml", "this is not an ordinary file") in [(one.file, one.message) for one in findings]


@pytest.mark.parametrize("above", [True, False])
def test_a_comment_disables_a_rule_for_its_line_alone(lint_with: Lint, above: bool) -> None:
    comment, value = "# lint: disable=unused-value", "    Leftover: 1"
    text = f"    {comment}\n{value}\n" if above else f"{value}  {comment}\n"
    assert lint_with((PROD, "    GREETING", text + "    GREETING")) == []
    assert rules(lint_with((PROD, "    GREETING", text.replace("unused-value", "wrong-type") + "    GREETING"))) == {
        "unused-value"
    }


@pytest.mark.parametrize(
    "files",
    [
        {"deployer.yml": "Lint:\n  Disable: [unused-value]\n"},
        {"pyproject.toml": '[tool.deploy.lint]\ndisable = ["unused-value"]\n'},
    ],
)
def test_settings_disable_a_rule(lint_with: Lint, files: dict[str, str]) -> None:
    assert lint_with((PROD, "DnsDomain:", "Leftover: 1\nDnsDomain:"), files=files) == []


def test_one_app_alone_says_nothing_of_what_others_may_use(lint_with: Lint) -> None:
    changes = (PROD, "DnsDomain:", "Leftover: 1\nDnsDomain:")
    assert lint_with(changes, files={"apps/b.yml": FILES[APP]}, apps=("site",)) == []


def test_templates_of_the_docker_context_are_linted(lint_with: Lint) -> None:
    docker = 'Version: "1.0"\nDocker: {Dockerfile: "FROM scratch"}\n'
    registry = (PROD, "DnsDomain:", 'AwsEcrPrefix: "registry.test"\nDnsDomain:')
    files = {"apps/site/config.ini.j2": "a=1\nb={{ Missing }}\n"}
    findings = lint_with((APP, 'Version: "1.0"\n', docker), registry, files=files)
    assert ("undefined-variable", "apps/site/config.ini.j2", 2) in [(one.rule, one.file, one.line) for one in findings]


def test_the_documentation_has_every_rule() -> None:
    text = (Path(__file__).parents[3] / "docs/lint.md").read_text()
    assert all(f"| `{name}` | {rule.severity} | {rule.summary} |" in text for name, rule in RULES.items())


@pytest.mark.parametrize("use", ["lookup('env', 'NOT_SET_HERE')", "lookup('env', 'HOME').split('/')[7]"])
def test_the_environment_of_this_process_says_nothing(lint_with: Lint, use: str) -> None:
    assert lint_with((APP, '"--loud"', f'"{{{{ {use} }}}}"')) == []


def test_several_processes_find_what_one_finds(lint_with: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {
        f"apps/{name}.yml": FILES[APP].replace("[Name]", ".site").replace("site.{{", f"{name}.{{{{") for name in "abc"
    }
    mistake = (APP, "[Name].GREETING", "[Name].GRETING")
    alone = lint_with(mistake, files=others)
    monkeypatch.setattr("deployer.lint.run._WORTH_A_PROCESS", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    assert lint_with(mistake, files=others) == alone != []


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("deployer.yml", "Lint: {Disable: [no-such-rule]}", "no rule no-such-rule"),
        ("deployer.yml", "Lint: {Disable: missing-probe}", "a list"),
        ("deployer.yml", "Lint: [x]", "no setting"),
        ("deployer.yml", "Lint: {Disabled: []}", "no setting"),
        ("deployer.yml", "Lint: {KubernetesVersion: 1.34}", "must be a text"),
        ("deployer.yml", 'Lint: {KubernetesVersion: "1.2"}', "no schemas of Kubernetes 1.2"),
        ("deployer.yml", "Lint: {", "YAML"),
        ("pyproject.toml", "[tool.deploy.lint", "cannot be read"),
        ("pyproject.toml", "[tool.deploy.lint]\nkubernetes-version = 1", "must be a text"),
    ],
)
def test_wrong_settings_are_refused(lint_with: Lint, name: str, text: str, word: str) -> None:
    with pytest.raises(DeployError) as caught:
        lint_with(files={name: text})
    assert caught.value.exit_code == 2
    assert word in str(caught.value)


def test_the_configured_version_of_kubernetes_counts(lint_with: Lint) -> None:
    added = (APP, "              args:", "              restartPolicyRules: []\n              args:")  # since 1.34
    assert lint_with(added) == []
    findings = lint_with(added, files={"deployer.yml": 'Lint: {KubernetesVersion: "1.30"}'})
    assert [one.rule for one in findings] == ["kubernetes-schema"]


def test_no_app_and_no_stage_is_called_like_a_command(lint_with: Lint) -> None:
    findings = lint_with(files={"apps/plan.yml": FILES[APP], "group_vars/secrets.london.yml": ""})
    assert {(one.rule, one.file) for one in findings} == {
        ("reserved-name", "apps/plan.yml"),
        ("reserved-name", "group_vars/secrets.london.yml"),
    }
