from __future__ import annotations

import pytest

from deployer.config import load
from deployer.errors import ConfigurationError, DeployError
from deployer.model import Secret, Target

from .conftest import APP, SOPS, STAGE, Decryption, LoadOne, MakeRepository


def faults(load_one: LoadOne, text: str, file: str = "group_vars/prod.london.yml") -> list[DeployError]:
    with pytest.raises(DeployError) as caught:
        load_one({file: text})
    return list(caught.value.leaves())


def test_settings_are_evaluated_and_merged(load_one: LoadOne) -> None:
    settings = load_one(
        {
            "group_vars/all.yml": (
                'HealthCheck: {Protocol: "HTTP", Path: "/{{ APPLICATION }}"}\nAccount: "123456789012"\n'
            ),
            "group_vars/prod.london.yml": (
                'AwsEcrPrefix: "{{ Account }}.dkr.ecr.{{ AwsRegion }}.amazonaws.com"\n'
                'HealthCheck: {Timeout: "{{ 60 * 2 }}"}\n'
                'Cluster: {Name: "{{ STAGE }}-{{ REGION }}"}\n'
                "Slack: {Token: xoxb}\n"
                "Mine: anything\n"
            ),
        }
    ).settings
    assert settings.aws_ecr_prefix == "123456789012.dkr.ecr.eu-west-2.amazonaws.com"
    assert (settings.health_check.protocol, settings.health_check.path, settings.health_check.timeout) == (
        "HTTP",
        "/myapp",
        120.0,
    )
    assert settings.cluster.name == "prod-london"
    assert settings.slack.token == Secret("xoxb")
    assert settings.namespace == "default"


def test_paths_are_made_absolute(load_one: LoadOne, make_repository: MakeRepository) -> None:
    text = "AwsConfigFile: .sandbox/aws\nCluster: {Context: c, Kubeconfig: .sandbox/kube}\n"
    settings = load_one({"group_vars/prod.london.yml": text}).settings
    root = make_repository().root
    assert settings.aws_config_file == str(root / ".sandbox/aws")
    assert settings.cluster.kubeconfig == str(root / ".sandbox/kube")


@pytest.mark.parametrize(
    ("text", "what", "where", "rest"),
    [
        ("HealthCheck:\n  Pat: /x", "HealthCheck.Pat is not known", "2:3", "did you mean Path?"),
        ("HealthCheck:\n  X: /x", "HealthCheck.X is not known", "2:3", "known here: Protocol"),
        ("HealthCheck:\n  Interval: 15", "HealthCheck.Interval must be 10 or 30", "2:3", "it is the int 15"),
        ("HealthCheck:\n  Protocol: http", "HealthCheck.Protocol must be HTTP or HTTPS", "2:3", "the text 'http'"),
        ("HealthCheck: {Port: abc}", "HealthCheck.Port must be a whole number", "1:15", "the text 'abc'"),
        ("HealthCheck: {Port: 0}", "HealthCheck.Port must be a port", "1:15", "it is the int 0"),
        ("HealthCheck: {Path: x}", "HealthCheck.Path must be a path that begins with /", "1:15", "x"),
        ("HealthCheck: {ConnectTo: x}", "HealthCheck.ConnectTo must be HOST:PORT", "1:15", "x"),
        ("HealthCheck: {Timeout: 0}", "HealthCheck.Timeout must be greater than 0", "1:15", "0"),
        ("HealthCheck: {Timeout: .inf}", "HealthCheck.Timeout must be greater than 0", "1:15", "inf"),
        ("HealthCheck: {Timeout: .nan}", "HealthCheck.Timeout must be", "1:15", "nan"),
        ("HealthCheck: [1]", "HealthCheck must be a mapping", "1:1", "it is a list"),
        ("Rollout: {RestartAllowance: -1}", "Rollout.RestartAllowance must be 0 or greater", "1:11", "-1"),
        ("Ecr: {CreateRepositories: maybe}", "Ecr.CreateRepositories must be true or false", "1:7", "maybe"),
        ("Slack: {Token: 5}", "Slack.Token must be a text", "1:9", "5"),
        ("Slack: {ApiUrl: slack.com}", "Slack.ApiUrl must be an http(s) URL", "1:9", "slack.com"),
        ("Webhook: {Url: 'ftp://x'}", "Webhook.Url must be an http(s) URL", "1:11", ""),
        ("Webhook: {Secret: ''}", "Webhook.Secret must be a text that is not empty", "1:11", ""),
        ("Slack: {WebhookUrl: ''}", "Slack.WebhookUrl must be an http(s) URL", "1:9", ""),
        ("Values: 5", "Values must be a mapping with a key per app", "1:1", "Replicas"),
        ("Namespace: 5", "Namespace must be a text", "1:1", "the int 5"),
        ("Namespace: My_Space", "Namespace must be a name of a Kubernetes namespace", "1:1", "My_Space"),
        ("Namespace:", "Namespace must be a text", "1:1", "it is empty"),
        ("AwsRegion: london", "AwsRegion must be an AWS region such as eu-west-2", "1:1", "london"),
        ("AwsEcrPrefix: https://x/y", "AwsEcrPrefix must be a registry's host", "1:1", "https://x/y"),
        ("DnsDomain: 'a b'", "DnsDomain must be a domain name", "1:1", "a b"),
        ("awsregion: eu-west-2", "awsregion is not known", "1:1", "did you mean AwsRegion?"),
        ("1: x", "the key 1 must be a text", "1:1", "quotes"),
        ("Helm: []", "Helm belongs in an app file, not in group_vars", "1:1", ""),
        ("Tag: x", "Tag is a built-in variable", "1:1", "apps/NAME.yml"),
        ("REGION: x", "REGION is a built-in variable", "1:1", "another name"),
        (
            "Namespace: '{{ Nothing }}'",
            "Nothing is undefined",
            "1:12",
            "it is in none of the app file, group_vars/all.yml",
        ),
        ("Namespace: '{{ DockerHash }}'", "DockerHash cannot be used here", "1:12", "Helm"),
    ],
)
def test_errors_use_the_files_own_words(load_one: LoadOne, text: str, what: str, where: str, rest: str) -> None:
    errors = faults(load_one, text)
    assert [error.what for error in errors if error.what.startswith(what)], [str(error) for error in errors]
    error = next(error for error in errors if error.what.startswith(what))
    assert str(error.where) == f"group_vars/prod.london.yml:{where}"
    assert rest in f"{error} {error.hint}"
    assert not any("pydantic" in str(one) or "Input should" in str(one) for one in errors)


def test_the_region_is_required(load_one: LoadOne) -> None:
    (error,) = faults(load_one, STAGE.replace("AwsRegion", "AwsRegon"), "group_vars/prod.yml")
    assert (error.what, error.hint) == ("AwsRegion is missing", "did you mean AwsRegon?")
    assert str(error.where) == "group_vars/prod.london.yml"


def test_what_is_missing_is_missed_in_the_file_that_is_there(make_repository: MakeRepository) -> None:
    repository = make_repository(
        {"group_vars/prod.yml": "Namespace: x\n", "group_vars/prod.london.yaml": "Values: {}\n"}
    )
    (repository.root / "group_vars/prod.london.yml").unlink(missing_ok=True)
    with pytest.raises(DeployError) as caught:
        load(repository, [Target("prod", "london", "myapp")], decrypt=Decryption({}))
    missing = [str(error.where) for error in caught.value.leaves() if error.what == "AwsRegion is missing"]
    assert missing == ["group_vars/prod.london.yaml"]


def test_all_errors_are_told_at_once(load_one: LoadOne) -> None:
    text = "HealthCheck: {Pat: /x, Port: a}\nNamespace: '{{ Nothing }}'\nRollout: {Timeout: -1}\nDnsDomain: {}\n"
    assert len(faults(load_one, text)) >= 4


def test_a_value_out_of_a_secret_is_not_quoted(make_repository: MakeRepository) -> None:
    repository = make_repository(
        {
            "group_vars/secrets_prod.yml": "Hidden: ENC[x]\nFingerprintKey: ENC[x]\n" + SOPS,
            "group_vars/prod.london.yml": "HealthCheck: {Protocol: '{{ Hidden }}'}\nNamespace: '{{ Hidden }}'\n",
        }
    )
    decrypt = Decryption({"secrets_prod.yml": {"Hidden": "hunter2!", "FingerprintKey": 5}})
    with pytest.raises(DeployError) as caught:
        load(repository, [Target("prod", "london", "myapp")], decrypt=decrypt)
    told = "\n".join(f"{error} {error.hint} {error.chain}" for error in caught.value.leaves())
    assert "HealthCheck.Protocol must be HTTP or HTTPS" in told
    assert "FingerprintKey must be a text" in told
    assert "hunter2" not in told
    assert "int 5" not in told


def test_an_app_may_override_some_settings(load_one: LoadOne) -> None:
    app = APP + 'Slack: {Channel: "#mine"}\nHealthCheck: {Path: "/health"}\nRollout: {Timeout: 60}\n'
    stage = {"group_vars/all.yml": 'Slack: {Channel: "#all", Token: t}\nHealthCheck: {Protocol: HTTP}\n'}
    one = load_one({**stage, "apps/myapp.yml": app})
    assert (one.settings.slack.channel, one.settings.slack.token) == ("#mine", Secret("t"))
    assert (one.settings.health_check.path, one.settings.health_check.protocol) == ("/health", "HTTP")
    assert one.settings.rollout.timeout == 60
    assert (one.app.slack_channel, one.app.health_check) == ("#mine", one.settings.health_check)
    assert load_one(stage).app.slack_channel is None


def test_what_belongs_in_group_vars_is_refused_in_an_app(load_one: LoadOne) -> None:
    for text in ("AwsRegion: x", "Values: {}", "Slack: {Token: x}", "Confirm: false"):
        (error,) = faults(load_one, APP + text, "apps/myapp.yml")
        assert "belongs in group_vars" in error.what


class TestAwsAccess:
    """What decrypts the secrets comes from the plain layers."""

    def asked(
        self, make_repository: MakeRepository, files: dict[str, str], regions: tuple[str, ...] = ("london",)
    ) -> set[tuple[str, str | None, str | None]]:
        secrets = {
            "group_vars/secrets_prod.yml": "A: ENC[x]\n" + SOPS,
            "group_vars/secrets_prod.london.yml": "B: ENC[x]\n" + SOPS,
        }
        decrypt = Decryption({"secrets_prod.yml": {"A": "a"}, "secrets_prod.london.yml": {"B": "b"}})
        targets = [Target("prod", region, "myapp") for region in regions]

        def choose(explicit: str | None, stage: str, config_file: str | None) -> str:
            return explicit or f"{stage}-by-default"

        load(make_repository({**secrets, **files}), targets, decrypt=decrypt, choose_profile=choose)
        assert len(decrypt.asked) == len(set(decrypt.asked))
        return set(decrypt.asked)

    def test_without_a_profile_the_stage_decides(self, make_repository: MakeRepository) -> None:
        assert self.asked(make_repository, {}) == {
            ("secrets_prod.yml", "prod-by-default", None),
            ("secrets_prod.london.yml", "prod-by-default", None),
        }

    def test_each_file_has_the_profile_of_its_own_scope(self, make_repository: MakeRepository) -> None:
        files = {"group_vars/all.yml": 'AwsProfile: "{{ STAGE }}-x"', "group_vars/prod.london.yml": "AwsProfile: own"}
        assert self.asked(make_repository, files, ("london", "seoul")) == {
            ("secrets_prod.yml", "prod-x", None),
            ("secrets_prod.london.yml", "own", None),
        }

    def test_a_regions_profile_serves_when_the_stage_has_none(self, make_repository: MakeRepository) -> None:
        assert self.asked(make_repository, {"group_vars/prod.london.yml": "AwsProfile: own"}) == {
            ("secrets_prod.yml", "own", None),
            ("secrets_prod.london.yml", "own", None),
        }

    @pytest.mark.parametrize(
        ("profile", "what"),
        [
            ('"{{ A }}"', "A is undefined"),
            ("5", "AwsProfile must be a text"),
            ('"{{ REGION }}"', "REGION cannot be used here"),
        ],
    )
    def test_secrets_and_regions_cannot_decide(self, make_repository: MakeRepository, profile: str, what: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            self.asked(make_repository, {"group_vars/prod.yml": f"{STAGE}AwsProfile: {profile}\n"})
        assert caught.value.what == what
        assert str(caught.value.where).startswith("group_vars/prod.yml:8")
