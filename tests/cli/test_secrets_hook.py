"""The pre-commit hook, in real commits: what it lets the tool look at, and where it finds the tool."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from deployer.lint import secret_files
from deployer.lint.collecting import Findings

ROOT = Path(__file__).parents[2]


class Clone:
    """A clone whose deployment repository is its top or a directory in it, with the hook installed."""

    def __init__(self, directory: Path, below: str = "", tool: Path = ROOT) -> None:
        self.top = directory / "clone"
        self.root = self.top / below
        for name in ("apps", "group_vars"):
            (self.root / name).mkdir(parents=True)
        (directory / "home").mkdir()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(directory / "home"), "TMPDIR": str(directory)}
        self.tool = tool
        self.git("init", "-q", str(self.top))

    def git(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        who = ("-c", "user.name=x", "-c", "user.email=x@y.test", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", *who, *arguments],
            cwd=self.root,
            env={**self.environment, **env},
            capture_output=True,
            text=True,
            check=check,
            timeout=60,
        )

    def install(self, python: str | Path = sys.executable) -> None:
        """As the wrapper calls it: the tool comes from PYTHONPATH, which git's hooks do not get."""
        subprocess.run(
            [python, "-P", "-m", "deployer", "secrets", "hook", "install"],
            cwd=self.root,
            env={**self.environment, "PYTHONPATH": str(self.tool)},
            capture_output=True,
            check=True,
            timeout=60,
        )

    def refused(self, name: str, content: str = "A: 1\n", **env: str) -> str:
        """What is said when a file is committed; empty when it was committed without a word. It is gone afterwards."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        self.git("add", "-f", name)
        done = self.git("commit", "-qm", name, check=False, **env)
        self.git("rm", "-qf", "--cached", name)
        path.unlink()
        if done.returncode == 0:
            self.git("commit", "-qm", f"without {name}", "--no-verify")
        return done.stderr if done.returncode else ""


def stand_in(path: Path) -> None:
    """A tool that tells how it was called, and refuses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('#!/bin/sh\necho "$0 in $PWD: $*" >&2\nexit 4\n')
    path.chmod(0o755)


def leftovers() -> list[str]:
    """Names made of the words of the rule about decrypted copies, as far as that rule refuses them."""
    words = sorted({*re.findall(r"[a-z]{3,}", secret_files._LEFTOVER.pattern), "decrypted"})
    names = {
        f"{before}{word}{after}"
        for before, word, after in itertools.product(
            ("", "prod-", "sub/prod."), words, ("_prod.yml", "-", ".yaml", "~2", "~.yml", "")
        )
    }
    found = sorted(name for name in names if refuses(f"group_vars/{name}"))
    return [name.upper() if number % 3 == 0 else name for number, name in enumerate(found)]


def refuses(name: str) -> bool:
    findings = Findings()
    secret_files.check_content(name, None, findings)
    return bool(findings.all())


def test_the_tool_looks_at_every_name_that_its_rule_refuses(tmp_path: Path) -> None:
    clone = Clone(tmp_path, "deeper/below")
    clone.install()
    stand_in(clone.root / "wrapper")
    names = [f"group_vars/{name}" for name in leftovers()]
    assert len(names) > 30
    for sample in ("prod-plain.yml", "prod.PLAIN.yml", "prod_plain_.yml", "prod.yml.dec", "UNENCRYPTED_PROD.YML"):
        names.append(f"group_vars/{sample}")
        assert refuses(names[-1])
    secrets = ["group_vars/secrets_prod.yml", "group_vars/secrets_prod.london.yaml", "group_vars/sub/secrets_prod.yml"]
    assert [name for name in [*names, *secrets] if not clone.refused(name)] == []
    others = ["group_vars/prod.yml", "apps/plain_app.yml", "secrets_prod.yml", "group_vars_plain.yml"]
    assert [name for name in others if clone.refused(name)] == []


@pytest.mark.parametrize("mode", ["LITERAL", "GLOB", "NOGLOB"])
def test_how_an_editor_starts_git_changes_nothing(tmp_path: Path, mode: str) -> None:
    clone = Clone(tmp_path)
    clone.install()
    stand_in(clone.root / "wrapper")
    assert clone.refused("group_vars/sub/prod-plain.yml", **{f"GIT_{mode}_PATHSPECS": "1"})


@pytest.mark.parametrize("below", ["", "below"])
def test_the_checkout_that_installed_it_is_used(tmp_path: Path, below: str) -> None:
    """An environment that has the dependencies alone, as the wrapper's has: the tool itself was on PYTHONPATH."""
    python = environment(tmp_path / "environment")
    checkout = tmp_path / "the tool's checkout"
    checkout.mkdir()
    (checkout / "deployer").symlink_to(ROOT / "deployer")
    stand_in(checkout / "wrapper")
    clone = Clone(tmp_path, below, checkout)
    clone.install(python)
    (clone.root / "deployer").mkdir()
    (clone.root / "deployer/__init__.py").write_text("raise SystemExit('the work tree is no place for modules')")
    (clone.root / "deployer/__main__.py").touch()
    said = clone.refused("group_vars/secrets_prod.yml", DEPLOY_DIRECTORY=str(tmp_path))
    assert said == f"{checkout / 'wrapper'} in {clone.root}: secrets hook run --directory .\n"

    (checkout / "wrapper").unlink()
    stand_in(tmp_path / "bin/deploy")
    path = f"{tmp_path / 'bin'}:{clone.environment['PATH']}"
    assert str(tmp_path / "bin/deploy") in clone.refused("group_vars/secrets_prod.yml", PATH=path)

    shutil.rmtree(tmp_path / "bin")
    assert "the deployment tool is not here" in clone.refused("group_vars/secrets_prod.yml")


def test_an_installed_tool_refuses_plaintext(tmp_path: Path) -> None:
    python = environment(tmp_path / "environment", ROOT)
    clone = Clone(tmp_path)
    clone.install(python)
    said = clone.refused("group_vars/secrets_prod.yml", "A: hunter2\n", DEPLOY_DIRECTORY=str(tmp_path))
    assert "group_vars/secrets_prod.yml:1: error: this file is not encrypted" in said
    assert "hunter2" not in said
    assert "this looks like a decrypted copy" in clone.refused("group_vars/prod-Plain.yml")
    assert clone.refused("group_vars/prod.yml") == ""


def environment(directory: Path, *more: Path) -> Path:
    """The Python of a virtual environment with our dependencies, and what lies in more directories."""
    venv.create(directory, symlinks=True, with_pip=False)
    (packages,) = directory.glob("lib/python*/site-packages")
    ours = [path for path in sys.path if path.endswith("-packages")]
    (packages / "more.pth").write_text("".join(f"{path}\n" for path in [*ours, *more]))
    return directory / "bin/python"
