"""The example repository of a team on a real cluster: apps that need each other, hooks, and a branch."""

from __future__ import annotations

import json
import shutil

from tests.sandbox.helpers import Project
from tests.sandbox.surroundings import CHECKOUT, ask

EXAMPLE = CHECKOUT / "examples/team"


def test_the_example_deploys_in_order_with_its_hooks_and_a_branch_beside_it(project: Project) -> None:
    domain = f"{project.name}.test"
    project.stage |= {"DnsDomain": domain, "Branches": {}}
    project.write()
    (project.root / f"apps/{project.name}.yml").unlink()
    for directory in ("apps", "playbooks"):
        shutil.copytree(EXAMPLE / directory, project.root / directory, dirs_exist_ok=True)
    for file in EXAMPLE.glob("group_vars/*.yml"):
        if not file.name.startswith("local"):
            shutil.copy(file, project.root / "group_vars")

    running = project.start("local", "london", "--all", "--json")
    done = running.done().expect(0)
    assert {one["application"]: one["outcome"] for one in done.document["targets"]} == dict.fromkeys(
        ("database", "api", "web"), "deployed"
    )
    assert running.time_of("[london database] rollout done") <= running.time_of("[london api] hook BeforeUpgrade")
    assert running.time_of("[london api] hook AfterUpgrade") <= running.time_of("[london web] release")
    told = json.loads((project.temporary / "api.local.london.json").read_text())
    assert (told["version"], told["revision"]) == ("1.4.0", 1)
    assert ask(f"web.london.{domain}", "london") == (200, "Welcome, 2.0.1\n")

    branch = project.run("local", "london", "web", "--branch", "feature/x", "--json").expect(0).target
    host = branch["url"].split("/")[2].partition(":")[0]
    assert ask(host, "london") == (200, "Welcome to feature/x, 2.0.1\n")
    project.run("plan", "local", "london", "--all", "--exit-code").expect(0)
    project.run("lint").expect(0)
