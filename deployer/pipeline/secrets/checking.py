"""`deploy secrets lint`, and what the pre-commit hook checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from deployer.config.layers import DIRECTORY, SUFFIXES
from deployer.config.repository import Repository
from deployer.config.secret_files import SecretFile, all_secret_files
from deployer.errors import ConfigurationError, DeployError, raise_all
from deployer.lint import disabling
from deployer.lint.collecting import Findings
from deployer.lint.finding import Finding
from deployer.lint.secret_files import check_content, check_secrets
from deployer.pipeline.secrets import storage
from deployer.pipeline.secrets.ports import Index, OpenFile

_WORKERS = 4


def lint_secrets(
    repository: Repository,
    stage: str | None,
    regions: str | None,
    *,
    disable: Sequence[str] = (),
    open_file: OpenFile | None = None,
    interrupt: Callable[[], None] = lambda: None,
) -> list[Finding]:
    """What is wrong with secrets files, sorted by place. With `open_file` each is opened, too, which checks its MAC.

    On a signal `interrupt` ends what runs.

    Raises UsageError for an unknown stage or region, UnreachableError when a file's key is out of reach.
    """
    disabling.check_rules(disable, "--disable")
    disabled = disabling.settings(repository.root).disable | frozenset(disable)
    findings = Findings()
    check_secrets(repository, stage, regions, findings)
    if open_file is not None:
        _open_all(all_secret_files(repository, stage, regions), open_file, findings, interrupt)
    return sorted(disabling.kept(findings.all(), repository.root, disabled))


def _open_all(
    files: Sequence[SecretFile], open_file: OpenFile, findings: Findings, interrupt: Callable[[], None]
) -> None:
    unreachable = []
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="sops") as pool:
        try:
            errors = list(pool.map(lambda file: _opened(file, open_file), files))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            interrupt()
            raise
    for file, error in zip(files, errors, strict=True):
        if isinstance(error, ConfigurationError):
            findings.error(error, home=file.name, rule="secrets-changed-by-hand")
        elif error is not None:
            unreachable.append(error)
    raise_all(unreachable)


def _opened(file: SecretFile, open_file: OpenFile) -> DeployError | None:
    try:
        content, _ = storage.existing(file)
    except DeployError:  # told already
        return None
    try:
        open_file(file).values(content)
    except DeployError as error:
        return error
    return None


def lint_index(index: Index) -> list[Finding]:
    """The errors in what is about to be committed to group_vars; nothing is opened, and no other file is looked at."""
    findings = Findings()
    for name in index.staged():
        if not name.startswith(f"{DIRECTORY}/"):
            continue
        check_content(name, index.staged_content(name) if name.endswith(SUFFIXES) else None, findings)
    return sorted(one for one in findings.all() if one.severity == "error")
