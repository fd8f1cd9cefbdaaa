"""The main job from ansible-playbook, and an app's own playbooks around its deployment, against a real region."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project, with_image, write_yaml
from tests.sandbox.leaks import Search, canaries
from tests.sandbox.processes import Watch
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import CHECKOUT, Json, Put, messages, unique
from tests.sandbox.tool import Done

JOURNAL = {"name": "Journal", "shell": "cat >> {{ journal }}", "args": {"stdin": "{{ entry | to_json }}"}}


@pytest.fixture
def project(tmp_path: Path, clusters: dict[str, Namespace]) -> Project:
    project = Project(tmp_path, clusters)
    shutil.copytree(CHECKOUT / "playbooks", project.root / "playbooks")
    shutil.copy(CHECKOUT / "ansible.cfg", project.root)
    return project


def playbook(project: Project, name: str, *arguments: str) -> Done:
    """Run one of the playbooks as its user does, to its end."""
    project.write()
    variables = f"STAGE=local REGION={project.cluster.region} APPLICATION={project.name}"
    argv = [sys.executable, "-m", "ansible", "playbook", f"playbooks/{name}.yml", "-e", variables, *arguments]
    done = subprocess.run(argv, cwd=project.root, env=project.environment, capture_output=True, text=True, timeout=120)
    return Done(done.returncode, done.stdout, done.stderr, 0)


def test_a_playbook_deploys_plans_fails_and_rolls_back(project: Project) -> None:
    result = {"debug": {"msg": "{{ result.targets[0].outcome }} as revision {{ result.targets[0].revision }}"}}
    play = (project.root / "playbooks/deploy.yml").read_text()
    (project.root / "playbooks/deploy.yml").write_text(play + f"    - {json.dumps(result)}\n")
    search = Search(project.values)

    done = playbook(project, "deploy", "-vvv").expect(0)
    assert "changed=1" in done.stdout and "deployed as revision 1" in done.stdout
    assert project.answers(project.values["GREETING"])
    search.done("a deployment", done)
    done = playbook(project, "deploy").expect(0)
    assert "changed=0" in done.stdout and "unchanged as revision 1" in done.stdout

    first = project.values["GREETING"]
    project.deployment["spec"]["replicas"] = 2
    done = playbook(project, "deploy", "--check", "--diff").expect(0)
    assert "changed=1" in done.stdout and "planned as revision 1" in done.stdout
    assert "replicas" in done.stdout
    assert len(project.revisions) == 1

    project.values["GREETING"] = unique("second")
    (project.root / "more.json").write_text(json.dumps({"Version": "2.0.0"}))
    done = playbook(project, "deploy", "-e", "@more.json").expect(0)
    assert "changed=1" in done.stdout and "deployed as revision 2" in done.stdout
    assert "deployed, version 2.0.0" in done.stdout
    assert project.answers(project.values["GREETING"])

    project.container["command"] = ["sh", "-c", "exit 3"]
    done = playbook(project, "deploy").expect(2)
    assert "failed=1" in done.stdout and "did not become ready" in done.stdout and '"rc": 1' in done.stdout

    done = playbook(project, "rollback").expect(0)
    assert "changed=1" in done.stdout
    assert project.answers(first)
    search.done("a rollback", done)
    assert search.leaks == []


def hook(project: Project, name: str, *tasks: Json) -> str:
    """A hook playbook that writes what it knows into a journal, then does these tasks; its path."""
    known = "{{ [HookEvent, STAGE, REGION, APPLICATION, Version, Image, Outcome, Error.What | default(none)] }}"
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"journal": str(project.root / "journal"), "entry": known, "Outcome": None, "Error": {}},
        "tasks": [JOURNAL, *tasks],
    }
    write_yaml(project.root / f"playbooks/{name}.yml", [play])
    return f"playbooks/{name}.yml"


def journal(project: Project) -> list[list[str]]:
    """What hooks have written, and forget it."""
    file = project.root / "journal"
    text = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        entry, end = decoder.raw_decode(text)
        found.append(entry)
        text = text[end:]
    return found


def test_hooks_run_in_their_order_with_the_variables_of_the_app(project: Project, put: Put) -> None:
    with_image(project, put("site.tgz", {"page": unique("page")}))
    project.values |= canaries()
    digests = {name: hashlib.sha256(value.encode()).hexdigest() for name, value in project.values.items()}
    check: Json = {
        "name": "Whole",
        "assert": {"that": "Values[Name][item.key] | hash('sha256') == item.value", "quiet": True},
        "loop": "{{ digests | dict2items }}",
        "vars": {"digests": digests},
    }
    leak: list[Json] = [
        {"name": "Said", "debug": {"msg": "{{ Values[Name] }}"}},
        {"name": "Piped", "command": "cat", "args": {"stdin": "{{ Values[Name].PEM }}"}},
        {"name": "Written", "copy": {"content": "{{ Values[Name].LONG }}", "dest": "/dev/null", "unsafe_writes": True}},
        {"name": "Given", "debug": {"msg": "extra {{ extra }}"}},
    ]
    project.app["Hooks"] = {
        "BeforeBuild": hook(project, "build"),
        "BeforeUpgrade": [hook(project, "before", check, *leak[:2])],
        "AfterUpgrade": [hook(project, "after", leak[3]), hook(project, "after2")],
        "OnFailure": hook(project, "failure"),
    }
    project.write()
    search = Search(project.values)
    running = project.start("local", "london", project.name, "-v", "--json", "--", "-v", "-e", "extra=given")
    with Watch(running.process.pid) as watch:
        done = running.done().expect(0)
    assert any("ansible playbook" in seen.command for seen in watch.family.values())
    for command in watch.commands:
        search.look(f"the arguments {command[:80]!r}", command)
    for environment in watch.environments:
        search.look("an environment", environment)
    search.done("the deployment", done)
    search.files(project.directory)
    for left in Path("/dev/shm").glob("deploy-*"):
        search.files(left)
    assert search.leaks == []
    assert "extra given" in done.stderr and "***" in done.stderr

    seen = journal(project)
    assert [entry[0] for entry in seen] == ["BeforeBuild", "BeforeUpgrade", "AfterUpgrade", "AfterUpgrade"]
    assert all(entry[1:5] == ["local", "london", project.name, "1.0.0"] for entry in seen)
    assert {entry[5] for entry in seen} == {done.target["image"]}
    assert [entry[6] for entry in seen] == [None, None, "deployed", "deployed"]
    assert {"hook BeforeUpgrade", "hook AfterUpgrade"} <= set(done.target["phases"])

    again = project.deploy("--json").expect(0)
    assert again.target["outcome"] == "unchanged"
    project.deployment["spec"]["replicas"] = 2
    project.deploy("--plan").expect(0)
    assert journal(project) == []


def test_a_failing_hook_before_the_upgrade_stops_it(project: Project) -> None:
    fail: Json = {"name": "Migrate", "fail": {"msg": "the database is {{ Values[Name].GREETING }}"}}
    project.app["Hooks"] = {
        "BeforeUpgrade": hook(project, "before", fail),
        "AfterUpgrade": hook(project, "after"),
        "OnFailure": [hook(project, "failure"), hook(project, "failure2", fail)],
    }
    before = project.cluster.snapshot()
    done = project.deploy("--json").expect(1)
    assert project.cluster.snapshot() == before
    (error,) = done.target["errors"]
    assert error["what"] == "the hook playbooks/before.yml (BeforeUpgrade) failed"
    assert error["where"].startswith("playbooks/before.yml:")
    assert error["why"] == "the task 'Migrate' failed on localhost: the database is ***"
    assert done.target["outcome"] == "failed" and done.target["revision"] is None
    seen = journal(project)
    assert [entry[0] for entry in seen] == ["BeforeUpgrade", "OnFailure", "OnFailure"]
    assert seen[1][6:] == ["failed", error["what"]]
    assert any("playbooks/failure2.yml (OnFailure) failed" in warning for warning in done.target["warnings"])
    assert "playbooks/before.yml (BeforeUpgrade) failed" in json.dumps(messages(project.channel))


def test_a_failing_hook_after_the_upgrade_takes_it_back(project: Project) -> None:
    project.deploy().expect(0)
    good = project.values["GREETING"]
    project.values["GREETING"] = unique("bad")
    project.app["Hooks"] = {
        "AfterUpgrade": hook(project, "after", {"name": "Smoke", "command": "false"}),
        "OnFailure": hook(project, "failure"),
    }
    done = project.deploy("--json").expect(1)
    assert done.target["outcome"] == "rolled back"
    assert "Smoke" in done.target["errors"][0]["why"]
    assert project.answers(good)
    assert [entry[0] for entry in journal(project)] == ["AfterUpgrade", "OnFailure"]


def test_a_signal_ends_a_hook_and_all_that_it_started(project: Project) -> None:
    project.app["Hooks"] = {
        "BeforeUpgrade": hook(project, "before", {"debug": {"msg": "NOW"}}, {"command": "sleep 611"})
    }
    before = project.cluster.snapshot()
    project.write()
    running = project.start("local", "london", project.name)
    with Watch(running.process.pid) as watch:
        running.wait_for("NOW")
        running.signal(signal.SIGTERM)
        done = running.done(30).expect(143)
    assert "it was stopped" in done.output
    assert eventually(lambda: not watch.orphans)  # its guardian learns of its end from it
    assert project.cluster.snapshot() == before


@pytest.mark.parametrize(
    ("name", "why"),
    [("playbooks/absent.yml", "No such file"), ("../elsewhere.yml", ""), ("playbooks/broken.yml", "not YAML: line 2")],
)
def test_a_playbook_that_cannot_be_run_is_refused(project: Project, name: str, why: str) -> None:
    (project.root / "playbooks/broken.yml").write_text("- hosts: localhost\n  tasks: [}\n")
    project.app["Hooks"] = {"OnFailure": name}
    done = project.deploy("--json").expect(2)
    (error,) = done.document["errors"]
    assert error["what"] == f"the hook playbook {name} cannot be run"
    assert error["where"].startswith(f"apps/{project.name}.yml:")
    assert why in error["why"]
