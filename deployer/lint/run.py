"""Lints a repository: many apps in several processes, then what shows only when all of them have been seen."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path

from deployer.config.nodes import MappingNode
from deployer.config.nodes import Path as KeyPath
from deployer.config.repository import Repository
from deployer.errors import DeployError, UsageError
from deployer.lint import disabling, hosts
from deployer.lint.finding import Finding
from deployer.lint.hosts import Host
from deployer.lint.profiles import check_unused
from deployer.lint.repository import check_branches, check_stages, check_usage
from deployer.lint.targets import Linted, Linter

_WORTH_A_PROCESS = 40
"""Apps: a process takes about as long to start as it does to lint so many."""


@dataclass
class _Part:
    """What another process gives back."""

    findings: list[Finding]
    used: set[KeyPath]
    hosts: list[Host]
    broken: set[str]
    documents: dict[str, MappingNode]


def lint(root: Path, applications: Sequence[str] = (), *, disable: Sequence[str] = ()) -> list[Finding]:
    """Everything wrong with these apps (none named: all), and with what they share, sorted by place.

    Raises UsageError for an app that does not exist, ConfigurationError for wrong settings of lint.
    """
    repository = Repository(root)
    settings = disabling.settings(root)
    disabling.check_rules(disable, "--disable")
    for name in applications:
        if name not in repository.apps:
            repository.app_file(name)
    names = list(dict.fromkeys(applications or repository.apps))
    if not names:
        raise UsageError("there are no apps", where="apps/", hint="`deploy init` makes a repository with one")
    result = _all(root, names, settings.kubernetes_version)
    findings = result.findings
    check_stages(repository, findings)
    check_branches(repository, findings)
    hosts.check(result.hosts, findings)
    check_usage(result.documents, result.used, result.broken, findings, all_apps=set(names) >= set(repository.apps))
    check_unused(result.documents, result.used, result.broken, findings, all_apps=set(names) >= set(repository.apps))
    disabled = settings.disable | frozenset(disable)
    return sorted(disabling.kept(findings.all(), root, disabled))


def _processors() -> int:
    """Those that this process may use, where the system tells (Linux); else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _all(root: Path, names: list[str], version: str | None) -> Linted:
    workers = min(_processors(), len(names) // _WORTH_A_PROCESS)
    if workers < 2:
        return _some(root, names, version)
    total = Linted()
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        with _signals_held():
            parts = [pool.submit(_part, root, names[number::workers], version) for number in range(workers)]
        for future in parts:
            part = future.result()
            total.findings.merge(part.findings)
            total.used |= part.used
            total.hosts += part.hosts
            total.broken |= part.broken
            total.documents |= part.documents
    except BrokenProcessPool as error:
        raise DeployError("a process of lint was ended", hint="is there enough memory? name fewer apps") from error
    except BaseException:
        for child in active_children():  # nobody waits for them any more
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return total


@contextmanager
def _signals_held() -> Iterator[None]:
    """Processes that are started inside never see Ctrl-C: that is their parent's to answer, in one voice."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _part(root: Path, names: list[str], version: str | None) -> _Part:
    one = _some(root, names, version)
    return _Part(one.findings.all(), one.used, one.hosts, one.broken, one.documents)


def _some(root: Path, names: list[str], version: str | None) -> Linted:
    with Linter(Repository(root), version) as linter:
        for name in names:
            linter.lint(name)
        return linter.result
