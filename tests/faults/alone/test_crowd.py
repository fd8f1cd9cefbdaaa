"""Twenty deployments of one app in one region at once: each has its turn, or is told whose turn it is."""

from __future__ import annotations

import json
from pathlib import Path

from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project
from tests.sandbox.locks import locks
from tests.sandbox.surroundings import Json
from tests.sandbox.tool import Running

PATIENT, HASTY = 13, 7
KEPT = 10
"""Revisions that Helm keeps."""


def greeting(number: int) -> Json:
    return {"Greeting": f"greeting-{number}"}


def test_twenty_at_once(tmp_path: Path, clusters: dict[str, Namespace]) -> None:
    project = Project(tmp_path, clusters)
    project.container["env"][0]["value"] = "{{ Greeting }}"
    project.deploy("-e", json.dumps(greeting(0))).expect(0)

    def start(number: int, *options: str) -> Running:
        return project.start(
            "local", "london", project.name, "--json", "-v", "-e", json.dumps(greeting(number)), *options
        )

    numbers = range(1, PATIENT + HASTY + 1)
    running = {number: start(number, *(["--lock-wait", "20m"] if number <= PATIENT else [])) for number in numbers}
    ended = {number: each.done(900) for number, each in running.items()}

    deployments = {done.document["deployment"] for done in ended.values() if "deployment" in done.document}
    made: dict[int, int] = {}  # revision → whose greeting it has
    for number, done in ended.items():
        assert "Traceback" not in done.output, done.output
        if number > PATIENT and done.code == 4:
            document = done.document
            (error,) = document.get("errors") or document["targets"][0]["errors"]
            assert (
                any(deployment in error["why"] for deployment in deployments)
                or "somebody else deployed" in error["what"]
            ), done.output
            continue
        target = done.expect(0).target
        assert target["outcome"] == "deployed", done.output
        made[target["revision"]] = number
    assert sorted(made) == list(range(2, len(made) + 2)), "two have one revision, or one has none"
    assert set(range(1, PATIENT + 1)) <= set(made.values())

    # The cluster tells the same: each revision is whole, verified, and of the deployment that says so.
    stored = project.revisions
    for revision in stored:
        assert revision.verified
        assert revision.status == ("deployed" if revision is stored[-1] else "superseded")
        if revision.number in made:
            number = made[revision.number]
            assert f'"greeting-{number}"' in revision.manifest
            assert revision.record["deployment_id"] == ended[number].document["deployment"]
    history = json.loads(project.run("history", "local", "london", project.name, "--json").expect(0).stdout)
    shown = {one["revision"]: one["deployment"] for one in history["regions"][0]["revisions"]}
    newest = sorted(made)[-KEPT:]
    assert {number: shown[number] for number in newest} == {
        number: ended[made[number]].document["deployment"] for number in newest
    }
    assert locks(project) == []
    assert project.answers(f"greeting-{made[max(made)]}")
