"""`deploy secrets hook …`: git's pre-commit hook that refuses plaintext among secrets."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import typer

import deployer
from deployer.cli.options import Debug, Directory
from deployer.cli.output import print_result
from deployer.errors import ConfigurationError, HeldError

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_MARK = "# made by `deploy secrets hook install`"
# Where no file that it is about is in the commit it costs one git; else the tool looks at what the index holds.
# The patterns take in every name that `lint.secret_files` may refuse, and a few more: `*` stands for `/`, too.
_SCRIPT = """\
#!/bin/sh
{mark}
case ${{GIT_INDEX_FILE:-/}} in /*) ;; *) GIT_INDEX_FILE=$PWD/$GIT_INDEX_FILE; export GIT_INDEX_FILE ;; esac
[ -n "$GIT_WORK_TREE" ] || unset GIT_DIR # with it, git takes every directory for the top of the work tree
cd "$(git rev-parse --show-toplevel)"/{below} 2>/dev/null || exit 0 # a commit without a deployment repository
unset GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS # some editors start git with one of these
git diff --cached --quiet --no-ext-diff --diff-filter=d -- \\
    ':(icase)group_vars/*secrets_*' ':(icase)group_vars/*crypted*' ':(icase)group_vars/*.dec*' \\
    ':(icase)group_vars/*plain*' && exit 0
set -- secrets hook run --directory . # whatever DEPLOY_DIRECTORY names
if [ -x ./wrapper ]; then exec ./wrapper "$@"; fi
if {python} -P -c 'import deployer.cli' 2>/dev/null; then exec {python} -P -m deployer "$@"; fi
if [ -x {wrapper} ]; then exec {wrapper} "$@"; fi
if command -v deploy >/dev/null 2>&1; then exec deploy "$@"; fi
echo "pre-commit: the deployment tool is not here: run: deploy secrets hook install" >&2
exit 1
"""


@app.callback()
def hook() -> None:
    """Install git's hook against plaintext."""


@app.command()
def install(directory: Directory = None, debug: Debug = False) -> None:
    """Install the hook in this clone. A hook that is there already is kept, and told how to call this one."""
    from deployer.adapters.git import GitFiles
    from deployer.config import Repository

    git = GitFiles(Repository.find(Path.cwd(), directory).root)
    path = git.hooks() / "pre-commit"
    if path.exists() and _MARK not in path.read_text(errors="replace"):
        raise ConfigurationError(
            "this clone has a pre-commit hook already",
            where=str(path),
            hint="add this line to it: deploy secrets hook run || exit 1",
        )
    script = _SCRIPT.format(
        mark=_MARK,
        below=shlex.quote(git.prefix()),
        python=shlex.quote(sys.executable),
        wrapper=shlex.quote(str(Path(deployer.__file__).parents[1] / "wrapper")),  # where the tool is a checkout
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(script))
        path.chmod(0o755)
    except OSError as error:
        raise ConfigurationError("the hook cannot be written", where=str(path), why=error.strerror) from None
    print_result(f"{path}: installed")


@app.command()
def uninstall(directory: Directory = None, debug: Debug = False) -> None:
    """Remove the hook that `install` made; any other one stays."""
    from deployer.adapters.git import GitFiles
    from deployer.config import Repository

    path = GitFiles(Repository.find(Path.cwd(), directory).root).hooks() / "pre-commit"
    if not path.exists() or _MARK not in path.read_text(errors="replace"):
        print_result(f"{path}: there is no hook of ours")
        return
    path.unlink()
    print_result(f"{path}: removed")


@app.command()
def run(directory: Directory = None, debug: Debug = False) -> None:
    """What the hook does: look at what is about to be committed. Exit code 4 refuses the commit."""
    from deployer.adapters.git import GitFiles
    from deployer.config import Repository
    from deployer.pipeline.secrets.checking import lint_index
    from deployer.report.lint import FORMATS

    findings = lint_index(GitFiles(Repository.find(Path.cwd(), directory).root))
    if findings:
        raise HeldError(
            "this commit would hold secrets in plain text",
            why=FORMATS["text"](findings),
            hint="mend them and `git add` the files again; `deploy secrets lint` shows the work tree",
        )
