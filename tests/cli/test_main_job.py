"""The main job's command line: what is wrong is said with its place, as documented, before anything is begun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

APP = """\
Name: "site"
AppName: "{{ Name }}"
SubDomain: "site"
Environments:
  - "prod.london"
  - "prod.seoul"
Version: "1.0"
Helm:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: "{{ AppName }}"}
    spec:
      replicas: "{{ Values[Name].Replicas }}"
      selector: {matchLabels: {app: site}}
      template:
        metadata: {labels: {app: site}}
        spec:
          containers:
            - name: main
              image: "busybox:{{ Version }}"
              env:
                - {name: GREETING, value: "{{ Values[Name].GREETING }}"}
"""
STAGE = """\
DnsDomain: "example.test"
Values:
  site:
    Replicas: 2
    GREETING: "Hello"
"""
REGION = """\
AwsRegion: "eu-west-2"
Cluster:
  Kubeconfig: "kubeconfig"
  Context: "here"
"""
# Nothing listens there.
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: here, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: me, user: {token: "t"}}]
contexts: [{name: here, context: {cluster: here, user: me}}]
current-context: here
"""

Json = dict[str, Any]


class Repository:
    """A deployment repository without secrets, whose cluster does not answer."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("apps", "group_vars"):
            (root / name).mkdir()
        self.write("apps/site.yml", APP)
        self.write("group_vars/prod.yml", STAGE)
        for region in ("london", "seoul"):
            self.write(f"group_vars/prod.{region}.yml", REGION)
        self.write("kubeconfig", KUBECONFIG)

    def write(self, name: str, text: str | bytes) -> None:
        (self.root / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def deploy(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "PYTHONPATH": str(ROOT),
            "AWS_EC2_METADATA_DISABLED": "true",
            **options.pop("env", {}),
        }
        done = subprocess.run(
            [sys.executable, "-m", "deployer", *arguments],
            cwd=options.pop("cwd", self.root),
            env=environment,
            capture_output=True,
            text=True,
            stdin=options.pop("stdin", subprocess.DEVNULL),
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        assert "defect" not in done.stderr, done.stderr
        return done

    def errors(self, code: int, *arguments: str, **options: Any) -> list[Json]:
        """The errors of a command that fails, as `--json` gives them; people are told the same."""
        done = self.deploy(*arguments, "--json", **options)
        assert done.returncode == code, done.stderr
        document = json.loads(done.stdout)
        assert (document["ok"], document["exitCode"]) == (False, code)
        errors: list[Json] = document["errors"]
        for error in errors:
            for part in filter(None, (error[name] for name in ("what", "where", "why", "hint"))):
                assert part.splitlines()[0] in done.stderr
        return errors

    def error(self, code: int, *arguments: str, **options: Any) -> Json:
        (error,) = self.errors(code, *arguments, **options)
        return error


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


JOB = ("prod", "london", "site")


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        (("prdo", "london", "site"), "there is no stage prdo", "prod"),
        (("prod", "londn", "site"), "there is no region londn in stage prod", "london"),
        (("prod", "london", "siet"), "there is no app siet", "site"),
        (("prod", "london", "../site"), "there is no app ../site", "site"),
        (("prod", "london,,seoul", "site"), "'london,,seoul' names no regions", "london,seoul"),
        (("prod", "", "site"), "'' names no regions", "london,seoul"),
        (("prod", "london"), "which apps?", "--all"),
        (("prod", "london", "site", "--all"), "APP and --all do not go together", "by one option"),
        (("prod", "london", "--all", "--version", "2"), "--version is for apps that are named", "name the apps"),
        (("prod", "london", "--group", "front"), "no app here belongs to a group front", "Groups: [NAME]"),
        (("prod", "london", "--changed-since", "HEAD"), "this is not a git repository", None),
        (("prod", "london", "site", "--frobnicate"), "No such option: --frobnicate", "--help"),
        (("prod", "london", "site", "--timeout", "soon"), "'soon' is not a time", "10m"),
        (("prod", "london", "site", "--timeout", "0"), "'0' is not a useful time", "24h"),
        (("prod", "london", "site", "-e", "novalue"), "is not KEY=VALUE", None),
        (("prod", "london", "site", "-e", "@absent.yml"), "absent.yml", None),
        (("prod", "london", "site", "-C", "/"), "/ is not a deployment repository", "apps/"),
    ],
)
def test_a_wrong_command_line(repository: Repository, arguments: tuple[str, ...], what: str, hint: str | None) -> None:
    error = repository.error(2, *arguments)
    assert what in f"{error['what']} {error['where']}"
    if hint:
        assert hint in error["hint"]


def test_outside_of_a_repository(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    error = repository.error(2, *JOB, cwd=elsewhere)
    assert error["what"] == f"{elsewhere} is not in a deployment repository"
    # The environment, or an option, names one.
    assert repository.errors(5, *JOB, cwd=elsewhere, env={"DEPLOY_DIRECTORY": str(repository.root)})
    assert repository.errors(5, *JOB, "-C", str(repository.root), cwd=elsewhere)


def test_help_goes_to_standard_output(repository: Repository) -> None:
    done = repository.deploy(*JOB, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--rebuild" in done.stdout


# --- files -----------------------------------------------------------------------------------------------------------

APPS, VARS = "apps/site.yml", "group_vars/prod.yml"


@pytest.mark.parametrize(
    ("file", "old", "new", "where", "what"),
    [
        (APPS, 'Version: "1.0"', 'Version: "1.0', f"{APPS}:", "YAML"),
        (APPS, 'Version: "1.0"', "\tVersion: 1", f"{APPS}:7", "YAML"),
        (APPS, 'Version: "1.0"', 'Version: "1.0"\nVersion: "2"', f"{APPS}:8:1", "Version stands here twice"),
        (APPS, 'Version: "1.0"', "Version: [1]", f"{APPS}:7:", "Version must be a version"),
        (APPS, 'Version: "1.0"', "Versoin: '1.0'", f"{APPS}:7:1", "Versoin"),
        (APPS, '"prod.london"', '"prod"', f"{APPS}:5:5", "Environments must be a list of STAGE.REGION"),
        (APPS, "Helm:\n", "Helm: nothing\nOther:\n", f"{APPS}:8:", "Helm must be a list"),
        (APPS, '"busybox:{{ Version }}"', '"busybox:{{ Verison }}"', f"{APPS}:20:22", "Verison"),
        (APPS, '"busybox:{{ Version }}"', '"busybox:{{ Version "', f"{APPS}:20:22", "template"),
        (APPS, '"busybox:{{ Version }}"', '"busybox:{{ Version | nosuch }}"', f"{APPS}:20:22", "nosuch"),
        (APPS, '"{{ Name }}"', '"{{ Tag }}"\nTag: "{{ AppName }}"', f"{APPS}:", "AppName"),
        (APPS, 'SubDomain: "site"', 'SubDomain: "no host"', f"{APPS}:3:", "SubDomain must be"),
        (VARS, "GREETING:", "GRETING:", f"{APPS}:22", "GREETING"),
        (VARS, "Values:", "HealthCheck: {Interval: 7}\nValues:", f"{VARS}:2:15", "Interval must be 10 or 30"),
        (VARS, "Values:", "Rollout: {Timeout: soon}\nValues:", f"{VARS}:2:11", "must be a number"),
        (VARS, "Values:", "Rollout: {Timeuot: 3}\nValues:", f"{VARS}:2", "Timeuot"),
        (VARS, "Values:", "Secret: !vault x\nValues:", f"{VARS}:2", "vault"),
    ],
)
def test_a_wrong_file(repository: Repository, file: str, old: str, new: str, where: str, what: str) -> None:
    repository.replace(file, old, new)
    error = repository.errors(2, *JOB)[0]
    assert error["where"].startswith(where), error
    assert what in f"{error['what']} {error['why']}", error


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", ""),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"- a list\n", "mapping"),
        (b"just a text\n", "mapping"),
        (b"a: &a [x, *a]\n", ""),
        (b"{" * 5000, ""),
    ],
)
@pytest.mark.parametrize("file", [APPS, VARS])
def test_a_file_of_something_else(repository: Repository, file: str, content: bytes, what: str) -> None:
    repository.write(file, content)
    error = repository.errors(2, *JOB)[0]
    assert what in f"{error['what']} {error['why']}", error
    assert error["where"].startswith((file, APPS))


def test_everything_that_is_wrong_is_told_at_once(repository: Repository) -> None:
    repository.write("group_vars/prod.london.yml", "AwsRegion: [1]\n")
    repository.write("group_vars/prod.seoul.yml", "AwsRegion: {}\n")
    errors = repository.errors(2, "prod", "all", "site")
    assert {error["where"].partition(":")[0] for error in errors} == {
        "group_vars/prod.london.yml",
        "group_vars/prod.seoul.yml",
    }


def test_an_app_that_is_not_for_the_environment(repository: Repository) -> None:
    repository.write("group_vars/prod.tokyo.yml", REGION)
    error = repository.error(2, "prod", "tokyo", "site")
    assert (error["what"], error["where"]) == ("site is not for prod.tokyo", "apps/site.yml:4:1")
    assert "prod.london, prod.seoul" in error["why"]


def test_an_undefined_variable_is_led_to(repository: Repository) -> None:
    repository.replace(VARS, '"Hello"', '"{{ Salutation }}"')
    error = repository.error(2, *JOB)
    assert error["where"] == "group_vars/prod.yml:5:15"
    assert "Salutation" in error["what"]
    assert any("apps/site.yml:22" in step for step in error["chain"])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("Values: {site: {GREETING: plain}}\n", "this file is not encrypted"),
        ("Values: ENC[x]\nsops: {}\n", ""),
        ("", ""),
    ],
)
def test_a_secrets_file_that_is_none(repository: Repository, content: str, what: str) -> None:
    repository.write("group_vars/secrets_prod.yml", content)
    errors = repository.errors(2, *JOB)
    assert errors[0]["where"].startswith("group_vars/secrets_prod.yml")
    assert what in errors[0]["what"]


# --- services --------------------------------------------------------------------------------------------------------


def test_a_cluster_that_does_not_answer(repository: Repository) -> None:
    error = repository.error(5, *JOB)
    assert "127.0.0.1:9" in f"{error['what']} {error['where']} {error['why']}"


def test_what_several_regions_have_in_common_is_told_once(repository: Repository) -> None:
    (error,) = repository.errors(5, "prod", "all", "site")
    assert (error["regions"], error["hint"].count("to go on")) == (["london", "seoul"], 0)


def test_a_wrong_value_in_one_region_does_not_hide_that_another_one_is_down(repository: Repository) -> None:
    repository.write("group_vars/prod.london.yml", REGION + "Namespase: apps\nRollout: {Timout: 5}\n")
    wrong, down = repository.errors(2, "prod", "all", "site", "--version", "2")
    assert (wrong["regions"], wrong["where"]) == (["london"], "group_vars/prod.london.yml:6:11")
    assert (down["regions"], down["where"]) == (["seoul"], "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "kubeconfig"),
        ("{", "kubeconfig"),
        ("apiVersion: v1\nkind: Config\n", "context"),
        (KUBECONFIG.replace("contexts: [{name: here", "contexts: [{name: there"), "here"),
    ],
)
def test_a_wrong_kubeconfig(repository: Repository, content: str | None, what: str) -> None:
    if content is None:
        (repository.root / "kubeconfig").unlink()
    else:
        repository.write("kubeconfig", content)
    error = repository.errors(2, *JOB)[0]
    assert what in f"{error['what']} {error['where']} {error['why']}", error


def test_plan_without_a_cluster(repository: Repository) -> None:
    assert repository.errors(5, "plan", *JOB, "--exit-code")


def test_a_reader_that_goes_away(repository: Repository) -> None:
    """`deploy … | head` ends as the signal says, without complaints."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "deployer", "prdo", "london", "site", "--json"]
    done = subprocess.run(command, cwd=repository.root, env=environment, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert done.returncode == 128 + 13
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


def test_what_stands_after_two_dashes_is_for_hooks(repository: Repository) -> None:
    done = repository.deploy(*JOB, "--json", "--", "-e", "debug=1")
    assert done.returncode == 2
    assert "is for hooks" in json.loads(done.stdout)["errors"][0]["what"]
    assert "site: no Hooks" in done.stderr
    repository.replace("apps/site.yml", "Helm:\n", "Hooks: {OnFailure: page.yml}\nHelm:\n")
    adopting = repository.deploy("adopt", *JOB, "--json", "--", "-e", "debug=1")
    assert "No such file" in adopting.stderr, "it runs hooks, and takes their arguments"
    error = repository.error(2, *JOB)
    assert error["where"].startswith("apps/site.yml:8:") and "No such file" in error["why"]


def test_variables_come_from_standard_input(repository: Repository) -> None:
    with (repository.root / "stdin").open("w+b") as stdin:
        stdin.write(b'{"Values": {"site": {"GREETING": "Hi"}}}')
        stdin.seek(0)
        done = repository.deploy("explain", *JOB, "Values.site.GREETING", "-e", "@-", stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert "Hi" in done.stdout
    with (repository.root / "stdin").open("w+b") as stdin:
        stdin.write(b"[1]")
        stdin.seek(0)
        done = repository.deploy("explain", *JOB, "Values.site.GREETING", "-e", "@-", stdin=stdin)
    assert done.returncode == 2
    assert "must be a mapping" in done.stderr
