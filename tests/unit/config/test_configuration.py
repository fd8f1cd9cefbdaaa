from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from deployer.config import Configuration, Inputs, load, load_each
from deployer.config.loading import LayerReader
from deployer.config.templating import Templates
from deployer.config.variables import extra_variables
from deployer.errors import ConfigurationError, DeployError, ErrorGroup, UnreachableError, UsageError
from deployer.model import Target

from .conftest import APP, SOPS, STAGE, Decryption, LoadOne, MakeRepository

LONDON = Target("prod", "london", "myapp")
SEOUL = Target("prod", "seoul", "myapp")


def test_layers_win_in_their_order(load_one: LoadOne) -> None:
    one = load_one(
        {
            "group_vars/all.yml": "A: all\nB: all\nC: all\nD: all\nE: all\n",
            "group_vars/prod.yml": STAGE + "B: stage\nC: stage\nD: stage\nE: stage\n",
            "group_vars/prod.london.yml": "C: region\nD: region\nE: region\n",
            "group_vars/secrets_prod.yml": "D: ENC[x]\nE: ENC[x]\n" + SOPS,
            "group_vars/secrets_prod.london.yml": "E: ENC[x]\n" + SOPS,
        },
        secrets={
            "secrets_prod.yml": {"D": "stage's secret", "E": "stage's secret"},
            "secrets_prod.london.yml": {"E": "region's secret"},
        },
    )
    assert [one.value((key,)) for key in "ABCDE"] == ["all", "stage", "region", "stage's secret", "region's secret"]
    entry = one.root.entries["E"]
    assert [node.location.file for node in entry.overridden] == [
        "group_vars/all.yml",
        "group_vars/prod.yml",
        "group_vars/prod.london.yml",
        "group_vars/secrets_prod.yml",
    ]
    assert [layer.name for layer in one.layers][-1] == "group_vars/secrets_prod.london.yml"
    with pytest.raises(KeyError):
        one.value(("Nothing",))


def test_each_region_has_its_own_values(make_repository: MakeRepository) -> None:
    repository = make_repository(
        {"group_vars/prod.seoul.yml": "AwsRegion: ap-northeast-2\nValues: {myapp: {Replicas: 9}}\n"}
    )
    london, seoul = load(repository, [LONDON, SEOUL], decrypt=Decryption({}))
    assert (london.settings.aws_region, seoul.settings.aws_region) == ("eu-west-2", "ap-northeast-2")
    assert [one.manifests("0" * 32)[0].content["spec"]["replicas"] for one in (london, seoul)] == [2, 9]


def test_files_are_decrypted_once_and_at_the_same_time(make_repository: MakeRepository) -> None:
    names = ("secrets_prod.yml", "secrets_prod.london.yml", "secrets_prod.seoul.yml")
    repository = make_repository({f"group_vars/{name}": "A: ENC[x]\n" + SOPS for name in names})
    together = threading.Barrier(len(names), timeout=30)
    asked: list[str] = []

    def decrypt(file: Path, *, profile: str | None, config_file: str | None = None) -> Any:
        asked.append(file.name)
        together.wait()
        return {"A": file.name}

    configurations = load(repository, [LONDON, SEOUL], decrypt=decrypt)
    assert sorted(asked) == sorted(names)
    assert [one.value(("A",)) for one in configurations] == ["secrets_prod.london.yml", "secrets_prod.seoul.yml"]


def test_a_signal_does_not_wait_for_sops(make_repository: MakeRepository) -> None:
    begun, over = threading.Event(), threading.Event()
    ended: list[bool] = []

    def decrypt(file: Path, *, profile: str | None, config_file: str | None = None) -> Any:
        begun.set()
        ended.append(over.wait(30))
        return {}

    repository = make_repository({"group_vars/secrets_prod.yml": "A: ENC[x]\n" + SOPS})
    reader = LayerReader(repository.root, decrypt, Templates(), extra=extra_variables(()))
    with pytest.raises(KeyboardInterrupt), reader:
        reader.start("prod", "london")
        begun.wait(30)
        raise KeyboardInterrupt
    assert ended == []
    over.set()


def test_every_error_of_every_target_is_told_once(make_repository: MakeRepository) -> None:
    repository = make_repository(
        {
            "group_vars/prod.london.yml": "Namespace: '{{ Nothing }}'\n",
            "group_vars/prod.seoul.yml": "Rollout: {Timout: 5}\n",
            "apps/myapp.yml": APP + "Tag: '{{ Nowhere }}'\nBad: '{{ x'\n",
            "apps/other.yml": "a: [",
        }
    )
    with pytest.raises(ErrorGroup) as caught:
        load(repository, [LONDON, SEOUL, Target("prod", "london", "other")], decrypt=Decryption({}))
    told = [str(error) for error in caught.value.errors]
    assert len(told) == 4, told
    for words in ("Nothing is undefined", "Rollout.Timout is not known", "Nowhere is undefined", "apps/other.yml:2:1"):
        assert sum(words in one for one in told) == 1
    assert caught.value.exit_code == 2


def test_one_region_that_is_wrong_keeps_nobody_from_the_others(make_repository: MakeRepository) -> None:
    repository = make_repository(
        {
            "group_vars/secrets_prod.seoul.yml": "A: ENC[x]\n" + SOPS,
            "group_vars/dev.yml": STAGE + "Namespace: '{{ Nothing }}'\n",
        }
    )
    denied = UnreachableError("KMS does not let us in")
    dev = Target("dev", "london", "myapp")
    loaded = load_each(repository, [LONDON, SEOUL, dev], decrypt=Decryption({"secrets_prod.seoul.yml": denied}))
    assert [one.target for one in loaded.configurations] == [LONDON]
    assert [(target, error.what) for target, error in loaded.failures] == [
        (SEOUL, "KMS does not let us in"),
        (dev, "Nothing is undefined"),
    ]
    with pytest.raises(ErrorGroup):
        loaded.complete()


def test_what_is_wrong_in_a_shared_file_stands_with_each_target_and_is_told_once(
    make_repository: MakeRepository,
) -> None:
    repository = make_repository({"apps/myapp.yml": APP + "Tag: '{{ Nowhere }}'\n"})
    loaded = load_each(repository, [LONDON, SEOUL], decrypt=Decryption({}))
    assert (loaded.configurations, [target for target, _ in loaded.failures]) == ((), [LONDON, SEOUL])
    with pytest.raises(ConfigurationError, match="Nowhere is undefined"):
        loaded.complete()


def test_what_is_wrong_is_told_with_what_was_decrypted(make_repository: MakeRepository) -> None:
    encrypted = "Values:\n  myapp:\n    PASSWORD: ENC[x]\n    VERSION: ENC[x]\n    FLAG: ENC[x]\n" + SOPS
    repository = make_repository({"group_vars/secrets_prod.yml": encrypted, "apps/myapp.yml": "Helm: []\nNmae: x\n"})
    content = {"Values": {"myapp": {"PASSWORD": "hunter2", "VERSION": "0.0.2", "FLAG": True}}}
    loaded = load_each(repository, [LONDON], decrypt=Decryption({"secrets_prod.yml": content}))
    assert (loaded.configurations, len(loaded.failures)) == ((), 1)
    assert [secret.reveal() for secret in loaded.secrets] == ["hunter2", "true"]
    assert "hunter2" not in repr(loaded)


def test_a_file_that_cannot_be_decrypted_ends_it(make_repository: MakeRepository) -> None:
    files = {"group_vars/secrets_prod.yml": "A: ENC[x]\n" + SOPS, "apps/myapp.yml": APP.replace("AwsEcrPrefix", "A")}
    repository = make_repository({**files, "group_vars/secrets_prod.seoul.yml": "B: ENC[x]\n" + SOPS})
    failure = UnreachableError("KMS did not answer")
    decrypt = Decryption({"secrets_prod.yml": failure, "secrets_prod.seoul.yml": {"B": "x"}})
    with pytest.raises(UnreachableError, match="KMS did not answer"):
        load(repository, [LONDON, SEOUL], decrypt=decrypt)


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("secrets_prod.yml", "Values: {myapp: {PASSWORD: hunter2}}", "this file is not encrypted"),
        ("secrets_prod.yml", "", "this file is not encrypted"),
        ("prod.london.yml", "A: ENC[x]\n" + SOPS, "this file is encrypted, but only secrets_"),
        ("secrets_prod.yml", "STAGE: ENC[x]\n" + SOPS, "STAGE is a built-in variable"),
        ("secrets_prod.yml", "Helm: ENC[x]\n" + SOPS, "Helm belongs in an app file"),
    ],
)
def test_a_file_in_the_wrong_state_is_refused(make_repository: MakeRepository, name: str, text: str, what: str) -> None:
    decrypt = Decryption({})
    with pytest.raises(ConfigurationError, match=what) as caught:
        load(make_repository({f"group_vars/{name}": text}), [LONDON], decrypt=decrypt)
    assert str(caught.value.where).startswith(f"group_vars/{name}")
    assert decrypt.asked == []
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_built_in_variables_are_there_and_lazy(load_one: LoadOne) -> None:
    calls: list[str] = []

    def commit() -> str:
        calls.append("commit")
        return "abc123"

    inputs = Inputs(git_commit=commit, deployment_id=lambda: "20260101-x")
    load_one(inputs=inputs)
    assert calls == []
    helm = "Helm:\n  - {kind: A, b: '{{ STAGE }}.{{ REGION }}/{{ APPLICATION }}@{{ GitCommit }} {{ DeploymentId }}'}\n"
    one = load_one({"apps/myapp.yml": 'Environments: ["prod.london"]\n' + helm}, inputs=inputs)
    assert one.manifests(None)[0].content["b"] == "prod.london/myapp@abc123 20260101-x"


def test_secret_values_are_all_that_must_not_be_shown(load_one: LoadOne) -> None:
    one = load_one(
        {
            "group_vars/secrets_prod.yml": (
                "Slack: {Token: 'ENC[x]'}\nValues:\n"
                "  myapp: {PASSWORD: 'ENC[x]', URL: 'ENC[x]', PIN: 'ENC[x]', Replicas: 'ENC[x]'}\n"
                "  other: {KEY: 'ENC[x]', open: yes}\n" + SOPS
            ),
            "group_vars/secrets_prod.london.yml": "Values: {myapp: {PASSWORD: 'ENC[x]'}}\n" + SOPS,
            "group_vars/prod.london.yml": "GitHub: {Token: plain-token}\n",
        },
        secrets={
            "secrets_prod.yml": {
                "Slack": {"Token": "xoxb"},
                "Values": {
                    "myapp": {
                        "PASSWORD": "old",
                        "URL": "db://{{ Values.myapp.PASSWORD }}@h",
                        "PIN": 1234,
                        "Replicas": 2,
                    },
                    "other": {"KEY": "k", "open": True},
                },
            },
            "secrets_prod.london.yml": {"Values": {"myapp": {"PASSWORD": "new"}}},
        },
    )
    assert {(secret.name, secret.value.reveal()) for secret in one.secret_values()} == {
        ("Slack.Token", "xoxb"),
        ("GitHub.Token", "plain-token"),
        ("Values.myapp.PASSWORD", "old"),
        ("Values.myapp.PASSWORD", "new"),
        ("Values.myapp.URL", "db://{{ Values.myapp.PASSWORD }}@h"),
        ("Values.myapp.URL", "db://new@h"),
        ("Values.myapp.PIN", "1234"),
        ("Values.other.KEY", "k"),
    }
    assert "xoxb" not in repr(one.secret_values())


def test_a_wrong_command_line_is_a_usage_error(load_one: LoadOne) -> None:
    with pytest.raises(UsageError):
        load_one(inputs=Inputs(extra=["nonsense"]))


def test_a_target_the_app_is_not_for_is_refused(make_repository: MakeRepository) -> None:
    with pytest.raises(ConfigurationError, match=r"myapp is not for prod\.tokyo"):
        load(make_repository(), [Target("prod", "tokyo", "myapp")], decrypt=Decryption({}))


def test_it_may_be_used_from_several_threads(load_one: LoadOne) -> None:
    one: Configuration = load_one()
    start = threading.Barrier(8, timeout=30)
    results: list[Any] = []

    def work(number: int) -> None:
        start.wait()
        digest = f"{number:032x}"
        results.append(
            (one.manifests(digest)[0].content["spec"]["image"].endswith(digest), one.value(("AwsEcrPrefix",)))
        )

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(True, "registry.test/team")] * 8


def test_importing_the_package_imports_neither_templates_nor_yaml() -> None:
    import subprocess
    import sys

    script = "import sys, deployer.config; print({'jinja2', 'yaml', 'pydantic', 'ansible'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "set()"
    script = "import sys, deployer.config.repository; print({'jinja2', 'pydantic', 'ansible'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "set()"


def test_errors_are_deploy_errors_with_exit_code_2(load_one: LoadOne) -> None:
    with pytest.raises(DeployError) as caught:
        load_one({"apps/myapp.yml": "a: 1\n\tb: 2"})
    assert caught.value.exit_code == 2


BROKEN = """\
AppName: "{{ Name }}"
SubDomain: "shop"
Environments: ["prod.london"]
Namespace: "not-an-apps-key"
Helmet: "misspelt"
Version: "{{ Nothing }}"
HealthCheck: {Path: "/health"}
Slack: {Channel: "#shop", Token: "not-an-apps-key"}
Docker: {Dockerfile: 7, Nonsense: true}
Helm: "{{ Values.myapp.Missing }}"
"""


def test_what_runs_is_found_also_when_the_rest_of_the_app_file_is_broken(make_repository: MakeRepository) -> None:
    repository = make_repository({"apps/myapp.yml": BROKEN})
    (one,) = load(repository, [LONDON], decrypt=Decryption({}), manifests=False)
    assert (one.app.app_name, one.app.sub_domain, one.app.slack_channel) == ("myapp", "shop", "#shop")
    assert (one.app.health_check.path if one.app.health_check else None) == "/health"
    assert (one.app.docker, one.app.version) == (None, None)
    assert (one.settings.namespace, one.settings.slack.token) == ("apps", None)
    with pytest.raises(ErrorGroup):
        load(repository, [LONDON], decrypt=Decryption({}))


def test_what_names_an_app_must_be_right_in_any_case(make_repository: MakeRepository) -> None:
    repository = make_repository({"apps/myapp.yml": BROKEN.replace("{{ Name }}", "{{ Nothing }}")})
    with pytest.raises(ConfigurationError, match="Nothing"):
        load(repository, [LONDON], decrypt=Decryption({}), manifests=False)
