"""Git: which commit of the deployment repository a deployment is made from, and its files in the past."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from deployer.adapters import process
from deployer.errors import DeployError, UsageError

# A checkout of another owner, as on CI, is the deployment repository all the same.
_GIT = ("git", "-c", "safe.directory=*")
# An index of our own concerns neither the clone's hooks nor its file system monitor, and leaves no part in the clone.
_APART = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", "-c", "core.splitIndex=false")


def commit(repository: Path) -> str | None:
    """The commit's 40 digits, `-dirty` appended where a file that counts is not in it; None outside git or without it.

    Files that count are tracked ones, and new ones in `apps/` and `group_vars/` that git does not ignore.
    """
    try:
        described = process.run(
            [*_GIT, "-C", repository, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"], timeout=10
        )
        new = process.run([*_GIT, "-C", repository, "status", "--porcelain", "--", "apps", "group_vars"], timeout=10)
    except DeployError:
        return None
    name = described.stdout.decode("ascii", "replace").strip()
    if not described.ok or not name:
        return None
    return f"{name}-dirty" if new.stdout.strip() and not name.endswith("-dirty") else name


class GitFiles:
    """The files of a repository in its commits, and in what the next commit will hold. Writes nothing.

    Names are relative to `root`, which may be a directory inside the work tree.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._environ = {**os.environ, "LC_ALL": "C"}
        if index := self._environ.get("GIT_INDEX_FILE"):  # git gives it to hooks, relative to where it starts those
            self._environ["GIT_INDEX_FILE"] = os.path.abspath(index)  # noqa: PTH100 -- links must stay
        if "GIT_WORK_TREE" not in self._environ:  # alone it would make any directory the top of the work tree
            self._environ.pop("GIT_DIR", None)

    def resolve(self, revision: str) -> str:
        """The commit that a revision names. Raises UsageError."""
        if not revision or revision.startswith("-"):
            raise UsageError("this is not a revision", where=repr(revision), hint="for example HEAD~3, main, v1.2")
        self._run("rev-parse", "--git-dir")
        result = self._start("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if not result.ok:
            shallow = self._start("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
            hint = "this clone is shallow: `git fetch --unshallow` gets the rest" if shallow else "`git log` lists them"
            raise UsageError(f"git knows no revision {revision}", hint=hint)
        return result.stdout.decode("ascii").strip()

    def files(self, commit: str, directory: str) -> list[str]:
        """The files of a directory in a commit."""
        output = self._run("ls-tree", "-z", "--name-only", commit, "--", f"{directory}/")
        return [name for name in output.decode("utf-8", "replace").split("\0") if name]

    def content(self, commit: str, name: str) -> bytes | None:
        """A file's content in a commit; None when it is not there."""
        result = self._start("cat-file", "blob", f"{commit}:./{name}")
        return result.stdout if result.ok else None

    def changed_since(self, commit: str) -> list[str]:
        """The files that differ from a commit's, those included that are new and not ignored."""
        differing = self._run("diff", "--name-only", "--relative", "--no-ext-diff", "--no-renames", "-z", commit)
        new = self._run("ls-files", "--others", "--exclude-standard", "-z")
        return sorted({name for name in (differing + new).decode("utf-8", "replace").split("\0") if name})

    def ignored(self) -> list[str]:
        """What git ignores and is there: files, and directories (`name/`) that hold nothing else."""
        output = self._run("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
        return [name for name in output.decode("utf-8", "replace").split("\0") if name]

    def extract(self, commit: str, directory: Path) -> Path:
        """Write a commit's files below a directory, which is empty; the repository's place there.

        Nothing is written where the commit is older than the repository. Unlike `git archive` this leaves out no file
        and expands none (export-ignore, export-subst).
        """
        prefix = self.prefix()
        place = directory / prefix
        place.mkdir(parents=True, exist_ok=True)
        tree = f"{commit}:./"
        if self._start("cat-file", "-t", tree).stdout.strip() != b"tree":
            return place
        with tempfile.TemporaryDirectory(prefix="deploy-index-") as apart:
            index = f"{apart}/index"
            self._run("read-tree", *([f"--prefix={prefix}"] if prefix else []), tree, index=index)
            self._run("checkout-index", "--all", f"--prefix={directory}/", index=index)
        return place

    def staged(self) -> list[str]:
        """The files that the next commit adds or changes."""
        output = self._run("diff", "--cached", "--name-only", "--relative", "--no-ext-diff", "-z", "--diff-filter=d")
        return [name for name in output.decode("utf-8", "replace").split("\0") if name]

    def staged_content(self, name: str) -> bytes:
        """A file's content as it will be committed."""
        return self._run("cat-file", "blob", f":./{name}")

    def hooks(self) -> Path:
        """The directory of the repository's hooks: shared by all its work trees, or where core.hooksPath says."""
        return self._root / os.fsdecode(self._run("rev-parse", "--git-path", "hooks").rstrip(b"\n"))

    def prefix(self) -> str:
        """Where the repository lies in its work tree: empty, or `sub/directory/`."""
        return os.fsdecode(self._run("rev-parse", "--show-prefix").rstrip(b"\n"))

    def _run(self, *arguments: str, index: str | None = None) -> bytes:
        result = self._start(*arguments, index=index)
        if result.ok:
            return result.stdout
        if b"not a git repository" in result.stderr:
            raise UsageError("this is not a git repository", where=str(self._root))
        raise DeployError("git failed", where=f"git {arguments[0]}", why=_last_line(result.stderr))

    def _start(self, *arguments: str, index: str | None = None) -> process.Result:
        options = _GIT if index is None else (*_GIT, *_APART)
        environ = self._environ if index is None else {**self._environ, "GIT_INDEX_FILE": index}
        return process.run([*options, "-C", self._root, *arguments], timeout=60, env=environ)


def _last_line(output: bytes) -> str:
    return output.decode("utf-8", "replace").strip().rpartition("\n")[2]
