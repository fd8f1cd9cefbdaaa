"""What has to be true after a deployment that was struck by a fault, once the same command was run again."""

from __future__ import annotations

import json
import time

from tests.faults.project import FaultyProject
from tests.sandbox.leaks import Search
from tests.sandbox.processes import Watch
from tests.sandbox.surroundings import Json, messages
from tests.sandbox.tool import Done, Running

ENDING = 20.0
"""Seconds within which what a deployment has started is gone, too."""


def lease(project: FaultyProject) -> Json | None:
    """The Lease that is the app's lock in the first region."""
    namespace = project.cluster
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace.name}/leases/deploy-{project.name}"
    found: Json | None = namespace.request("GET", path)
    return found


def end(running: Running, watch: Watch, seconds: float) -> Done:
    """How it ended, within so many seconds; nothing that it started outlives it for long."""
    done = running.done(seconds)
    over = time.monotonic() + ENDING
    while watch.orphans:
        assert time.monotonic() < over, f"still there: {watch.orphans}"
        time.sleep(0.1)
    return done


def told_well(done: Done) -> None:
    """No traceback, no defect; an error says what, and what to do."""
    assert "Traceback" not in done.stderr + done.stdout, done.output
    assert "defect" not in done.stderr + done.stdout, done.output
    if done.code:
        document = done.document
        errors = document.get("errors") or [each for one in document["targets"] for each in one["errors"]]
        assert errors, done.output
        for error in errors:
            assert error["what"] and (error["where"] or error["hint"]), error


def no_secret(project: FaultyProject, watch: Watch | None, *runs: Done) -> None:
    """No secret in what was said, in files, arguments and environments of processes, Slack, or another secret's place.

    Helm's storage has the manifests, and so the environment of containers, but nothing that only the build knows.
    """
    search = Search(project.secrets)
    for done in runs:
        search.done("a deployment", done)
    search.files(project.directory)
    search.look("Slack", json.dumps(messages(project.channel)))
    if watch is not None:
        for command in watch.commands:
            search.look("arguments", command)
        for environment in watch.environments:
            search.look("an environment", environment)
    of_the_build = Search({"BUILD": project.secrets["BUILD"]})
    for revision in project.revisions:
        of_the_build.look(f"revision {revision.number}", json.dumps(revision.record) + revision.manifest)
    assert search.leaks + of_the_build.leaks == []


def converges(project: FaultyProject, *outcomes: str) -> Done:
    """The same command again, with nothing in its way: what was asked for runs, and nothing is left of the fault."""
    again = project.deploy("--json", "-v").expect(0)
    assert again.target["outcome"] in (outcomes or ("deployed",)), again.output
    last = project.revisions[-1]
    assert (last.status, last.verified) == ("deployed", True)
    assert not [one for one in project.revisions if one.status.startswith("pending")]
    assert project.answers(project.values["GREETING"])
    assert lease(project) is None, "a lock is left"
    assert list(project.temporary.iterdir()) == [], "temporary files are left"
    contexts = project.cache / "deployer/artefacts/contexts"
    assert not contexts.exists() or list(contexts.iterdir()) == [], "a Docker context is left"
    return again
