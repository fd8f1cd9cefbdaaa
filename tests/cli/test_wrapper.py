"""The wrapper, with a small checkout around it whose lock file needs no package index."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

# Tells how it was called, as the last line of stdout.
MAIN = """
import json, os, sys
names = ("DEPLOY_DIRECTORY", "PYTHONPATH", "PYTHONHOME", "PYTHONPYCACHEPREFIX")
print(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), "prefix": sys.prefix, "file": __file__,
                  "json": json.__file__, **{name: os.environ.get(name) for name in names}}))
sys.exit(int(os.environ.get("STATUS", "0")))
"""

USED = ("bash", "env", "sha256sum", "readlink", "mkdir", "rm", "find", "tail", "sed", "grep")


class Checkout:
    """A checkout with the real wrapper and a command that tells how it was called."""

    def __init__(self, directory: Path, cache: Path) -> None:
        self.directory = directory
        self.environment = {
            "PATH": f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin",
            "HOME": str(directory),
            "XDG_CACHE_HOME": str(cache),
            "PIP_NO_INDEX": "1",
        }
        self.environments = cache / "deployer/venv"
        self.lock = directory / "requirements/runtime.txt"
        (directory / "deployer").mkdir(parents=True)
        (directory / "deployer/__init__.py").touch()
        (directory / "deployer/__main__.py").write_text(MAIN)
        (directory / "requirements").mkdir()
        shutil.copy(ROOT / "wrapper", directory)
        shutil.copy(ROOT / "requirements/environment.sh", directory / "requirements")
        self.lock.write_text("# nothing\n")

    def start(self, *arguments: str | Path, wrapper: Path | str | None = None, **options: Any) -> subprocess.Popen[str]:
        environment = {**self.environment, **options.pop("env", {})}
        return subprocess.Popen(
            [wrapper or self.directory / "wrapper", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **options)
        stdout, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def told(self, *arguments: str | Path, **options: Any) -> dict[str, Any]:
        """How the command was called."""
        done = self.run(*arguments, **options)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a checkout", tmp_path / "a cache")


@pytest.fixture(scope="session")
def prepared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the environment of the empty lock file is ready."""
    directory = tmp_path_factory.mktemp("prepared")
    made = Checkout(directory / "checkout", directory / "cache")
    assert made.run().returncode == 0
    return directory / "cache"


@pytest.fixture
def prepared(tmp_path: Path, prepared_cache: Path) -> Checkout:
    return Checkout(tmp_path / "a checkout", prepared_cache)


def programs(directory: Path, **scripts: str) -> str:
    """A PATH with what the wrapper uses, and these scripts."""
    directory.mkdir()
    for name in USED:
        (directory / name).symlink_to(shutil.which(name, path="/usr/bin:/bin") or name)
    for name, script in scripts.items():
        path = directory / name.replace("_", ".")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return str(directory)


def repository(directory: Path) -> Path:
    (directory / "apps").mkdir(parents=True)
    (directory / "group_vars").mkdir()
    return directory


# --- once prepared ---------------------------------------------------------------------------------------------------


def test_arguments_and_exit_status_pass_through(prepared: Checkout) -> None:
    arguments = ["local", "london", "a b", "", "*", "--", "-e", "x='$HOME'"]
    done = prepared.run(*arguments, env={"STATUS": "3"})
    assert done.returncode == 3
    assert json.loads(done.stdout)["argv"] == arguments
    assert done.stderr == ""


def test_once_prepared_neither_python_nor_pip_is_needed(prepared: Checkout, tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", python3="echo called >&2; exit 1")
    done = prepared.run(env={"PATH": path})
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_found_through_links_and_on_path(prepared: Checkout, tmp_path: Path) -> None:
    package = str(prepared.directory / "deployer/__main__.py")
    (tmp_path / "else where").mkdir()
    (tmp_path / "absolute").symlink_to(prepared.directory / "wrapper")
    (tmp_path / "else where/relative").symlink_to("../a checkout/wrapper")
    (tmp_path / "linked").symlink_to(prepared.directory)
    (tmp_path / "second").symlink_to("else where/relative")
    for wrapper in (tmp_path / "absolute", "else where/relative", "linked/wrapper", "./second"):
        assert prepared.told(wrapper=wrapper, cwd=tmp_path)["file"] == package
    on_path = {"PATH": f"{tmp_path / 'linked'}:/usr/bin:/bin"}
    assert prepared.told("wrapper", wrapper="/usr/bin/env", cwd="/", env=on_path)["file"] == package
    assert prepared.told("wrapper", wrapper="/bin/bash", cwd=prepared.directory)["file"] == package


def test_the_working_directory_stays(prepared: Checkout, tmp_path: Path) -> None:
    assert prepared.told(cwd=tmp_path)["cwd"] == str(tmp_path)


def test_modules_of_the_user_do_not_hide_ours(prepared: Checkout, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('wrong module')")
    told = prepared.told(cwd=tmp_path, env={"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nowhere"})
    assert told["PYTHONPATH"] == str(prepared.directory)
    assert told["PYTHONHOME"] is None


def test_compiled_modules_go_where_they_may(prepared: Checkout) -> None:
    assert prepared.told()["PYTHONPYCACHEPREFIX"] is None
    assert list(prepared.directory.glob("deployer/__pycache__/*.pyc"))
    elsewhere = str(prepared.environments.parent / "pycache")
    assert prepared.told(env={"PYTHONDONTWRITEBYTECODE": "1"})["PYTHONPYCACHEPREFIX"] == elsewhere
    assert list(Path(elsewhere).rglob("deployer/__init__.*.pyc"))


def test_the_deployment_repository(prepared: Checkout, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    assert prepared.told(cwd=outside)["DEPLOY_DIRECTORY"] is None  # this checkout is none, and so cannot stand in

    repository(prepared.directory)
    assert prepared.told(cwd=outside)["DEPLOY_DIRECTORY"] == str(prepared.directory)
    assert prepared.told(cwd=prepared.directory / "apps")["DEPLOY_DIRECTORY"] is None  # found by walking up

    other = repository(tmp_path / "other")
    assert prepared.told(cwd=other / "group_vars")["DEPLOY_DIRECTORY"] is None
    given = prepared.told(cwd=outside, env={"DEPLOY_DIRECTORY": "/given"})
    assert given["DEPLOY_DIRECTORY"] == "/given"

    (other / "wrapper").symlink_to(prepared.directory / "wrapper")  # a repository with a link to a shared checkout
    assert prepared.told(wrapper=other / "wrapper", cwd=outside)["DEPLOY_DIRECTORY"] == str(other)


# --- preparing -------------------------------------------------------------------------------------------------------


def test_the_first_start_prepares_and_tells_so_on_stderr(checkout: Checkout) -> None:
    first = checkout.run()
    told = json.loads(first.stdout)
    assert "Preparing the tool (once" in first.stderr
    assert Path(told["prefix"]).parent == checkout.environments
    second = checkout.run()
    assert (second.stdout, second.stderr) == (first.stdout, "")
    assert [path.name for path in checkout.environments.iterdir() if path.suffix == ".log"] == []


def test_two_first_starts_at_once_prepare_once(checkout: Checkout) -> None:
    starts = [checkout.start() for _ in range(3)]
    outputs = [start.communicate(timeout=120) for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0]
    said = "".join(stderr for _, stderr in outputs)
    assert said.count("Preparing the tool") == 1
    assert len({json.loads(stdout)["prefix"] for stdout, _ in outputs}) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_an_interrupted_start_left_is_made_anew(checkout: Checkout, number: int) -> None:
    start = checkout.start(start_new_session=True)
    deadline = time.monotonic() + 60
    while not list(checkout.environments.glob("*/bin")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(start.pid, number)
    start.communicate(timeout=60)
    assert start.returncode != 0
    left = next(checkout.environments.glob("*-3*/"))
    assert not (left / ".complete").exists()
    (left / "leftover").touch()
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert "Preparing" in done.stderr
    assert not (left / "leftover").exists()


def test_a_changed_lock_file_gets_an_environment_of_its_own(prepared: Checkout) -> None:
    before = prepared.told()["prefix"]
    prepared.lock.write_text("# something else\n")
    assert prepared.told()["prefix"] != before


def test_an_environment_whose_python_has_gone_is_made_anew(checkout: Checkout) -> None:
    prefix = Path(checkout.told()["prefix"])
    for name in ("python", "python3"):
        (prefix / "bin" / name).unlink()
    (prefix / "bin/python").symlink_to("/nowhere/python3.11")
    done = checkout.run()
    assert done.returncode == 0
    assert "Preparing" in done.stderr


def test_environments_that_nobody_uses_any_more_are_removed(checkout: Checkout) -> None:
    for name, days in (("old-3.11", 100), ("recent-3.11", 10)):
        marker = checkout.environments / name / ".complete"
        marker.parent.mkdir(parents=True)
        marker.touch()
        os.utime(marker, (time.time() - days * 86400,) * 2)
    assert checkout.run().returncode == 0
    assert not (checkout.environments / "old-3.11").exists()
    assert (checkout.environments / "recent-3.11").exists()


def wheel(directory: Path) -> str:
    """A package that pip can install from this directory; its hash."""
    file = directory / "greeting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("greeting.py", "WORD = 'hello'")
        archive.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        archive.writestr(
            "greeting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("greeting-1.0.dist-info/RECORD", "")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_packages_of_the_lock_file_are_installed_with_the_users_pip_configuration(
    checkout: Checkout, tmp_path: Path
) -> None:
    digest = wheel(tmp_path)
    checkout.lock.write_text(f"greeting==1.0 --hash=sha256:{digest}\n")
    (checkout.directory / "deployer/__main__.py").write_text("import greeting; print(greeting.WORD)")
    env = {"PIP_FIND_LINKS": str(tmp_path), "PIP_USER": "1", "PIP_TARGET": str(tmp_path / "target")}
    done = checkout.run(env=env)
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr


@pytest.mark.parametrize("line", ["greeting==1.0 --hash=sha256:" + "0" * 64, "greeting==1.0"])
def test_a_package_with_another_hash_or_none_is_refused(checkout: Checkout, tmp_path: Path, line: str) -> None:
    wheel(tmp_path)
    checkout.lock.write_text(line + "\n")
    done = checkout.run(env={"PIP_FIND_LINKS": str(tmp_path)})
    assert done.returncode in (2, 5)
    assert done.stdout == ""
    if "0000" in line:
        assert "Error: a package is not what the lock file says." in done.stderr
    assert not list(checkout.environments.glob("*/.complete"))


def test_without_a_network_the_message_says_so_and_the_next_start_works(checkout: Checkout) -> None:
    good = checkout.lock.read_text()
    checkout.lock.write_text("greeting==1.0 --hash=sha256:" + "0" * 64 + "\n")
    unreachable = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_NO_INDEX": "0"}
    done = checkout.run(env=unreachable)
    assert done.returncode == 5
    assert "Error: the packages of the tool could not be fetched." in done.stderr
    assert "pip config list" in done.stderr
    assert "greeting" in done.stderr  # the end of pip's own output
    log = next(line for line in done.stderr.splitlines() if line.startswith("The whole log: "))
    assert "greeting" in Path(log.partition(": ")[2]).read_text()
    checkout.lock.write_text(good)
    assert checkout.run().returncode == 0


OLD = 'echo "3.9 /usr/bin/python3.9"; echo complete'
INCOMPLETE = 'echo "3.11 /usr/bin/python3.11"; exit 1'


@pytest.mark.parametrize(
    ("scripts", "says"),
    [
        ({}, ["python3 was not found; Python 3.11 or later is needed", "apt-get install python3"]),
        ({"python3": OLD}, ["has only older ones: python3 is 3.9"]),
        ({"python3": 'echo "2.7 /usr/bin/python"; echo complete'}, ["python3 is 2.7"]),
        ({"python3": INCOMPLETE}, ["cannot make virtual environments: python3 (3.11)", "apt-get install python3-venv"]),
        ({"python3": OLD, "python3_11": INCOMPLETE}, ["apt-get install python3-venv"]),
        ({"python3": "exit 127"}, ["python3 was not found"]),
    ],
)
def test_a_machine_without_a_python_that_fits(
    checkout: Checkout, tmp_path: Path, scripts: dict[str, str], says: list[str]
) -> None:
    done = checkout.run(env={"PATH": programs(tmp_path / "bin", **scripts)})
    assert (done.returncode, done.stdout) == (2, "")
    for words in says:
        assert words in done.stderr
    assert "line " not in done.stderr  # no error of the shell's own


def test_the_stand_in_of_a_version_manager_is_passed_over(checkout: Checkout, tmp_path: Path) -> None:
    """pyenv has a `python3.13` on PATH that only says that this version is not chosen."""
    path = programs(tmp_path / "bin", python3_13="echo 'not installed' >&2; exit 127")
    (tmp_path / "bin/python3").symlink_to(Path(sys.executable).resolve())
    done = checkout.run(env={"PATH": path})
    assert done.returncode == 0, done.stderr


def test_a_cache_that_cannot_be_made(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "a cache").touch()
    done = checkout.run()
    assert done.returncode == 2
    assert "XDG_CACHE_HOME names another place" in done.stderr


def test_a_missing_lock_file(checkout: Checkout) -> None:
    checkout.lock.unlink()
    done = checkout.run()
    assert done.returncode == 2
    assert "runtime.txt cannot be read" in done.stderr


def test_extras_have_an_environment_of_their_own(checkout: Checkout) -> None:
    checkout.told()
    (checkout.lock.parent / "telemetry.txt").write_text("# nothing, and telemetry\n")
    checkout.told(env={"DEPLOY_EXTRAS": "telemetry"})
    assert len(list(checkout.environments.glob("*/.complete"))) == 2
    done = checkout.run(env={"DEPLOY_EXTRAS": "telemetri"})
    assert done.returncode == 2
    assert "DEPLOY_EXTRAS knows no telemetri" in done.stderr
