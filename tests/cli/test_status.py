"""`deploy status` as a command: what is wrong is said, and what can be shown is shown all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_main_job import ROOT, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_no_region_answers(repository: Repository) -> None:
    done = repository.deploy("status", "prod")
    assert done.returncode == 5
    assert [line.split()[:4] for line in done.stdout.splitlines()[1:3]] == [
        ["?", "site", "london", "unknown"],
        ["?", "site", "seoul", "unknown"],
    ]
    assert "1 app in 2 regions: 2 unknown" in done.stdout
    for region in ("london", "seoul"):
        assert f"where: prod.{region}, http://127.0.0.1:9" in done.stderr


def test_as_json(repository: Repository) -> None:
    done = repository.deploy("status", "prod", "site", "--json")
    assert done.returncode == 5
    document = json.loads(done.stdout)
    assert (document["stage"], document["ok"], document["skew"]) == ("prod", False, False)
    assert [one["health"] for one in document["targets"]] == ["unknown", "unknown"]
    assert [error["exitCode"] for error in document["errors"]] == [5, 5]


def test_a_region_whose_files_are_broken(repository: Repository) -> None:
    repository.write("group_vars/prod.seoul.yml", "AwsRegion: [\n")
    done = repository.deploy("status", "prod")
    assert done.returncode == 2
    assert "group_vars/prod.seoul.yml:2" in done.stderr
    assert "prod.london, http://127.0.0.1:9" in done.stderr


def test_an_app_that_does_not_tell_where_it_runs(repository: Repository) -> None:
    repository.write("apps/odd.yml", "Environments: 5\n")
    done = repository.deploy("status", "prod")
    assert done.returncode == 2
    assert done.stdout.splitlines()[1].split()[:4] == ["?", "odd", "-", "unknown"]
    assert "apps/odd.yml:1" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("prud",), "there is no stage prud"),
        (("prod", "sight"), "there is no app sight"),
        (("dev", "site"), "there is no stage dev"),
        (("prod", "--watch=often"), "'often' is not a time"),
        (("prod", "--watch=0.1"), "too often"),
        (("prod", "--watch", "--json"), "--watch does not go with --json"),
        (("prod", "--watch", "5", "--exit-code"), "--watch does not go with"),
        (("prod", "--html"), "requires an argument"),
    ],
)
def test_what_is_wrong_with_the_command_line(repository: Repository, arguments: tuple[str, ...], said: str) -> None:
    done = repository.deploy("status", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Usage" not in done.stderr


def test_watch_may_stand_before_an_app(repository: Repository) -> None:
    """Its time may be left out: what follows is then no time."""
    done = repository.deploy("status", "--watch", "prod", "nosuch")
    assert (done.returncode, "there is no app nosuch" in done.stderr) == (2, True)


def test_a_page(repository: Repository) -> None:
    page = repository.root / "out" / "page.html"
    done = repository.deploy("status", "prod", "--html", str(page))
    assert (done.returncode, "cannot be written" in done.stderr) == (2, True)
    page.parent.mkdir()
    done = repository.deploy("status", "prod", "--html", str(page))
    assert done.returncode == 5
    assert "127.0.0.1:9" in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]


def test_a_page_into_a_pipe(repository: Repository) -> None:
    done = repository.deploy("status", "prod", "--html", "/dev/stderr")
    assert "<!DOCTYPE html>" in done.stderr
    assert Path("/dev/stderr").exists()


def test_a_stage_without_apps(repository: Repository) -> None:
    repository.write("group_vars/dev.yml", "")
    done = repository.deploy("status", "dev")
    assert (done.returncode, done.stdout.splitlines()[-1].partition(";")[0]) == (0, "dev: 0 apps in 0 regions: nothing")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, ""), (signal.SIGTERM, "stopped by SIGTERM")])
def test_a_watch_ends_with_ctrl_c_without_an_error(repository: Repository, number: signal.Signals, said: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(repository.root), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "deployer", "status", "prod", "--watch", "1h"],
        cwd=repository.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout
        assert watching.stdout.readline()
        watching.send_signal(number)
        _, errors = watching.communicate(timeout=60)
    assert watching.returncode == 128 + number
    assert said in errors
    assert ("error:" in errors) == bool(said)
