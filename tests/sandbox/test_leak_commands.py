"""Every command, as it succeeds and as it fails, in one story: no secret is found anywhere afterwards.

A command is a row of STORY. What failing builds, containers and API servers quote is in test_leaks.py.
"""

from __future__ import annotations

import copy
import os
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from deployer.sandbox.layout import REGIONS as SANDBOX
from tests.sandbox.clusters import Namespace
from tests.sandbox.leak_commands import BEFORE_REMOVAL, NOT_TOLD, STORY, Row
from tests.sandbox.leak_places import Traces
from tests.sandbox.leak_story import FILE, Echo, Story, broken_file, plaintext, wrong_key
from tests.sandbox.leaks import Search
from tests.sandbox.processes import Watch
from tests.sandbox.surroundings import Put, unique


@pytest.fixture
def echo() -> Iterator[None]:
    server = HTTPServer(("127.0.0.1", 0), Echo)
    Echo.port = server.server_port
    Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def story(tmp_path: Path, clusters: dict[str, Namespace], put: Put) -> Story:
    story = Story(tmp_path, clusters, put("site.tgz", {"page": unique("page")}))
    rules = {"creation_rules": [{"path_regex": "group_vars/secrets_local", "kms": SANDBOX[0].kms_alias_arn}]}
    (story.root / ".sops.yaml").write_text(yaml.safe_dump(rules))
    (story.root / ".gitignore").write_text(".sandbox\n*.known\n")
    story.write()
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "Begin")):
        story.git(*arguments)
    return story


def play(story: Story, row: Row, failures: list[str]) -> None:
    """Run a row's command, and search all that it has left."""
    kept = copy.deepcopy((story.stage, story.regions, story.values, story.app))
    secret = f"typed-{uuid.uuid4().hex}"
    empty = story.directory / unique("out")
    empty.mkdir()
    if row.change not in (broken_file, wrong_key, plaintext):
        if row.change is not None:
            row.change(story)
            story.write()
    else:
        story.write()
        row.change(story)
    traces = Traces(story, Search({**story.sought, "OWN": story.own, "TYPED": secret}))
    words = row.command.removeprefix("deploy ").format_map(
        {"app": story.name, "dir": str(empty), "secret-like": f"Values.{story.name}.NEW=x"}
    )
    environment = {"EDITOR": row.editor} if row.editor else {}
    reading, writing = os.pipe()
    os.write(writing, row.stdin.replace("{secret}", secret).encode())
    os.close(writing)
    running = story.start(*words.split(), env=environment, stdin=reading)
    os.close(reading)
    if row.kill:
        with Watch(running.process.pid) as watch:
            running.wait_for(row.kill)
            running.signal(signal.SIGKILL)
            done = running.done()
        traces.watched(row.command, watch)
        traces.search.done(row.command, done)
    else:
        done = traces.run(row.command, running)
    what = f"`{row.command}`" + (f" with {row.change.__name__}" if row.change else "")
    sys.stdout.write(f"{done.seconds:5.1f} s  exit code {done.code}  {what}\n")
    if done.code not in row.codes:
        failures.append(f"{what} ended with {done.code}:\n{done.output[-1500:]}")
    if row.says not in done.output:
        failures.append(f"{what} did not say {row.says}:\n{done.output[-1500:]}")
    if row.change is plaintext:
        (story.root / FILE).unlink()
    traces.own_files()
    failures += (found := [f"{what}: {leak}" for leak in dict.fromkeys(traces.search.leaks)])
    sys.stdout.writelines(f"{one}\n" for one in found)
    sys.stdout.flush()
    story.stage, story.regions, story.values, story.app = kept
    if row.change is not None or row.command.startswith("secrets"):
        (story.root / FILE).with_suffix(".known").unlink(missing_ok=True)
        story.write()


def test_no_command_leaves_a_secret_anywhere(story: Story, echo: None) -> None:
    began, failures, leaks = time.time(), list[str](), list[str]()
    for row in STORY:
        play(story, row, failures)
        if row is not STORY[0] and row is not BEFORE_REMOVAL:
            continue
        traces = Traces(story, Search(story.sought))
        traces.clusters()
        traces.image(story.cluster.live("Deployment", story.name)["spec"]["template"]["spec"]["containers"][0]["image"])
        leaks += traces.search.leaks
    traces = Traces(story, Search(story.sought))
    traces.began = began
    traces.everything()
    failures += dict.fromkeys(leaks + traces.search.leaks)
    assert not failures, f"{len(failures)} findings:\n" + "\n".join(failures)


def test_every_command_is_in_the_story() -> None:
    from deployer.cli.commands import COMMANDS

    assert set(COMMANDS) - {row.command.split()[0] for row in STORY} == NOT_TOLD
