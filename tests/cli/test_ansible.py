"""The playbooks and their action, run by the real ansible-playbook with a stand-in for the `deploy` command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from deployer.config.repository import COMMANDS

ROOT = Path(__file__).parents[2]
SECRET = "s3cr3t-{{ from }}-the-vault"

STAND_IN = """\
#!{python}
import json, os, signal, sys, time
seen = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "stdin": sys.stdin.read()}}
def stopped(number, frame):
    seen["signal"] = number
    time.sleep(0.3)
    with open("ending", "w") as file:
        json.dump(seen, file)
    os.rename("ending", "ended")
    sys.exit(128 + number)
signal.signal(signal.SIGINT, stopped)
signal.signal(signal.SIGTERM, stopped)
with open("seen", "w") as file:
    json.dump(seen, file)
os.rename("seen", "seen.json")
answer = json.load(open("answer.json"))
print("rollout done in 1.0 s", file=sys.stderr, flush=True)
if answer.get("wait"):
    time.sleep(60)
print(json.dumps(answer["document"]))
sys.exit(answer["code"])
"""


def target(outcome: str, **more: Any) -> dict[str, Any]:
    base = {"application": "site", "region": "london", "version": "1.0", "revision": 3, "warnings": [], "errors": []}
    return {**base, "outcome": outcome, **more}


class Repository:
    """A repository whose `wrapper` is the stand-in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("apps", "group_vars"):
            (root / name).mkdir()
        shutil.copytree(ROOT / "playbooks", root / "playbooks")
        shutil.copy(ROOT / "ansible.cfg", root)
        (root / "wrapper").write_text(STAND_IN.format(python=sys.executable))
        (root / "wrapper").chmod(0o755)

    def answer(self, code: int = 0, *targets: dict[str, Any], wait: bool = False, **document: Any) -> None:
        content = {"code": code, "wait": wait, "document": {"targets": targets, "deployment": "d-1", **document}}
        (self.root / "answer.json").write_text(json.dumps(content))

    def start(self, playbook: str, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_HOME": str(self.root / "home"),
            "LC_ALL": "C.UTF-8",
        }
        variables = "STAGE=prod REGION=london APPLICATION=site"
        argv = [sys.executable, "-m", "ansible", "playbook", f"playbooks/{playbook}.yml", "-e", variables, *arguments]
        return subprocess.Popen(
            argv, cwd=self.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, playbook: str, *arguments: str) -> tuple[int, str]:
        with self.start(playbook, *arguments) as process:
            assert process.stdout is not None
            output = process.stdout.read()
        return process.returncode, output

    @property
    def seen(self) -> dict[str, Any]:
        seen: dict[str, Any] = json.loads((self.root / "seen.json").read_text())
        return seen


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_deployment_changes_and_its_document_is_registered(repository: Repository) -> None:
    repository.answer(0, target("deployed", warnings=["an old API"]))
    code, output = repository.run("deploy", "-e", "WAVES=seoul,london", "-e", "VERSION=2.0")
    assert code == 0, output
    assert "changed=1" in output and "failed=0" in output
    assert "rollout done in 1.0 s" in output
    assert "london site: deployed, version 1.0, revision 3" in output
    assert "an old API" in output
    assert repository.seen["arguments"] == [
        "prod", "london", "site", "--version=2.0", "--waves=seoul,london", "--yes", "--json",
    ]  # fmt: skip
    assert "No inventory" not in output


def test_what_is_unchanged_is_ok(repository: Repository) -> None:
    repository.answer(0, target("unchanged"))
    code, output = repository.run("deploy")
    assert code == 0
    assert "changed=0" in output and "ok=2" in output


def test_check_mode_plans_and_diff_mode_shows_what_changes(repository: Repository) -> None:
    repository.answer(0, target("planned", reasons=["new image"], changes=["Deployment/site: replicas"]))
    code, output = repository.run("deploy", "--check", "--diff", "-e", "TIMEOUT=10m")
    assert code == 0, output
    assert repository.seen["arguments"] == ["plan", "prod", "london", "site", "--json"]
    assert "changed=1" in output
    assert "Deployment/site: replicas" in output


def test_a_plan_is_shown_as_a_difference(repository: Repository) -> None:
    fields = [
        {"field": "spec.replicas", "change": "changed", "old": 2, "new": 3, "secret": False},
        {"field": "spec.env[TOKEN]", "change": "changed", "old": None, "new": None, "secret": True},
        {"field": "spec.x", "change": "added", "old": None, "new": {"a": "é"}, "secret": False},
    ]
    plan = {
        "image": {"oldTag": "1-a", "newTag": "1-b"},
        "objects": [
            {"object": "Deployment/site", "action": "change", "facts": [], "fields": fields},
            {"object": "Job/new", "action": "create", "facts": ["runs once"], "fields": []},
        ],
        "secrets": [{"name": "TOKEN", "change": "changed", "before": "5f0c", "after": "77aa"}],
        "dns": ["a record of site.example.test"],
    }
    repository.answer(0, target("planned", plan=plan))
    code, output = repository.run("deploy", "--check", "--diff")
    assert code == 0, output
    for line in (
        "--- before: london site: Deployment/site",
        "-tag: 1-a",
        "+tag: 1-b",
        "-spec.replicas: 2",
        "+spec.replicas: 3",
        '+spec.x: {"a": "é"}',
        "+Job/new: runs once",
        "-TOKEN: 5f0c",
        "+TOKEN: 77aa",
        "a record of site.example.test",
    ):
        assert f"\n{line}\n" in output, line


def test_a_failure_tells_what_where_and_what_next(repository: Repository) -> None:
    error = {"what": "site did not become ready", "where": "prod london", "why": "crash loop", "hint": "look at it"}
    repository.answer(1, target("rolled back", errors=[error]))
    code, output = repository.run("deploy")
    assert code == 2
    assert "failed=1" in output
    for words in ("site did not become ready", "prod london", "crash loop", "look at it", '"rc": 1'):
        assert words in output
    assert "Report" not in output


@pytest.mark.parametrize("more", [["STAGE=--evil"], ["STAGE="], ['{"APPLICATION": []}']])
def test_names_that_are_options_are_refused(repository: Repository, more: list[str]) -> None:
    repository.answer(0)
    code, output = repository.run("deploy", *(word for one in more for word in ("-e", one)))
    assert code == 2, output
    assert not (repository.root / "seen.json").exists()


def test_variables_of_the_command_line_reach_the_command_unseen(repository: Repository) -> None:
    repository.answer(0, target("deployed"))
    values = {"Values": {"site": {"PASSWORD": SECRET, "Replicas": 3}}, "VERSION": "2.0"}
    (repository.root / "values.json").write_text(json.dumps(values))
    code, output = repository.run("deploy", "-vvvv", "-e", "@values.json", "-e", "Version=2.1")
    assert code == 0, output
    seen = repository.seen
    assert json.loads(seen["stdin"]) == {"Values": values["Values"], "Version": "2.1"}
    assert seen["arguments"][-2:] == ["-e", "@-"]
    assert SECRET not in json.dumps([seen["arguments"], seen["environment"]])
    assert SECRET not in output


def test_a_rollback_goes_to_a_deployment(repository: Repository) -> None:
    repository.answer(0, target("restored"))
    code, output = repository.run("rollback", "-e", "TO=20261121")
    assert code == 0, output
    assert "changed=1" in output
    assert repository.seen["arguments"] == ["rollback", "prod", "london", "site", "--to=20261121", "--yes", "--json"]
    assert repository.seen["stdin"] == ""
    repository.answer(0, target("planned"))
    code, _ = repository.run("rollback", "--check")
    assert repository.seen["arguments"] == ["rollback", "prod", "london", "site", "--plan", "--json"]


def test_a_stage_never_becomes_another_command(repository: Repository) -> None:
    """STAGE may be what somebody has typed into a form."""
    code, output = repository.run("deploy", "-e", "STAGE=remove REGION=prod APPLICATION=london,site")
    assert code != 0
    assert "'remove' is no stage" in output
    assert not (repository.root / "seen.json").exists()
    action: dict[str, Any] = {}
    exec((ROOT / "playbooks/action_plugins/deploy.py").read_text(), action)
    assert set(action["_COMMANDS"]) == COMMANDS


def test_a_rollback_takes_no_variables(repository: Repository) -> None:
    (repository.root / "playbooks/own.yml").write_text(
        "- hosts: localhost\n  tasks:\n    - deploy: {stage: prod, region: london, application: site, "
        "command: rollback, extra_vars: {A: b}}\n"
    )
    code, output = repository.run("own")
    assert code != 0
    assert "extra_vars does not go together with command: rollback" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_command_once_and_waits_for_it(repository: Repository, number: signal.Signals) -> None:
    repository.answer(0, target("deployed"), wait=True)
    with repository.start("deploy") as process:
        while not (repository.root / "seen.json").exists():
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(0.2)
        process.send_signal(number)
        process.communicate(timeout=30)
    deadline = time.monotonic() + 60
    while not (repository.root / "ended").exists():  # Ansible waits for Ctrl-C alone
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # Ansible itself sends its tasks SIGTERM right after Ctrl-C: on a busy machine that may be heard first.
    assert json.loads((repository.root / "ended").read_text())["signal"] in (number, signal.SIGTERM)
    assert process.returncode != 0


def test_the_documentation_is_found() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    argv = [sys.executable, "-m", "ansible", "doc", "--json", "deploy"]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    documented = set(json.loads(done.stdout)["deploy"]["doc"]["options"])
    action: dict[str, Any] = {}
    exec((ROOT / "playbooks/action_plugins/deploy.py").read_text(), action)
    assert documented == set(action["_ARGUMENTS"])
