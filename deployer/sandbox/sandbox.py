"""The story of the sandbox: how it comes up, goes down and begins afresh.

Up: look whether this machine can run it, get the tools, then start all parts at once, each as soon as those run that
it needs. Every part is left alone when it runs as described and is well, and started (anew) otherwise; so the same
command starts, repairs and, with nothing to do, only looks.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployer.errors import ConfigurationError
from deployer.events import OutputLine, Sink, WarningRaised
from deployer.sandbox import cgroups, checks, files, mounts, network, processes, procfs, teardown
from deployer.sandbox.layout import REGIONS, Layout, Region, current
from deployer.sandbox.parts import DOCKER
from deployer.sandbox.processes import Machine
from deployer.sandbox.state import read_marker, state, write_marker
from deployer.sandbox.status import status
from deployer.sandbox.work import Work

__all__ = ["DownResult", "UpResult", "down", "reset", "state", "status", "up"]


@dataclass(frozen=True)
class UpResult:
    """`started`: the processes that were started now. `written`: files of the repository, relative to its root."""

    started: tuple[str, ...]
    written: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class DownResult:
    """`ended`: the processes that were running and were ended."""

    ended: tuple[str, ...]
    seconds: float


def up(sink: Sink, repository_root: Path | None) -> UpResult:
    """Have the whole sandbox running, and the repository's access to it up to date.

    Raises ConfigurationError before anything is started when this machine cannot run it (privileges, kernel, taken
    ports), and DeploymentFailed naming the log when a part does not come up.
    """
    from deployer import tools
    from deployer.sandbox import moto_environment

    begun = time.monotonic()
    layout = current()
    checks.check_machine(layout)
    programs = tools.ensure([*tools.SANDBOX, "sops"], sink)
    with _explained():
        python = moto_environment.ensure(sink)
    with _locked(layout, sink):
        checks.check_machine(layout)  # once more: much may have happened meanwhile
        _prepare(layout)
        before = _records(layout)
        written = _start_all(Machine(layout, programs), python, repository_root, sink)
        after = _records(layout)
        write_marker(layout, "up", after.values())
    if DOCKER not in after:
        sink.emit(OutputLine("sandbox", f"images are built with this machine's own Docker ({layout.docker_socket})"))
    started = tuple(name for name, record in after.items() if before.get(name) != record)
    return UpResult(started, written, time.monotonic() - begun)


def down(sink: Sink) -> DownResult:
    """End everything that `up` started, and nothing else. What the clusters and registries hold is kept."""
    begun = time.monotonic()
    layout = current()
    checks.check_privilege()
    if not layout.state.exists():
        return DownResult((), time.monotonic() - begun)
    with _locked(layout, sink):
        ended = _take_down(layout, sink)
    return DownResult(tuple(ended), time.monotonic() - begun)


def reset(sink: Sink, repository_root: Path | None) -> UpResult:
    """Begin afresh: end everything, forget what the clusters and registries hold, and bring it up again."""
    layout = current()
    checks.check_machine(layout)
    if layout.state.exists():
        with _locked(layout, sink):
            _take_down(layout, sink)
            for path in layout.state.iterdir():
                if path == layout.lock:
                    continue
                if path.is_dir() and not path.is_symlink():
                    mounts.remove_tree(path)
                else:
                    path.unlink()
    return up(sink, repository_root)


def _records(layout: Layout) -> dict[str, processes.Record]:
    found = {name: processes.read(layout, name) for name in processes.names(layout)}
    return {name: record for name, record in found.items() if record is not None}


@contextlib.contextmanager
def _locked(layout: Layout, sink: Sink) -> Iterator[None]:
    """One at a time changes the sandbox. The system frees the lock however its holder ends."""
    import filelock

    with _explained():
        layout.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = filelock.FileLock(layout.lock)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            sink.emit(OutputLine("sandbox", "another process is changing the sandbox; waiting for it"))
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """A full disk or a missing permission, as an error that a user can read."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            "a file of the sandbox cannot be read or written", where=error.filename, why=error.strerror or str(error)
        ) from error


def _prepare(layout: Layout) -> None:
    """The directories, and an end to what an earlier boot or an interrupted `down` left."""
    from deployer.sandbox import certificates

    layout.state.chmod(0o700)
    marker = read_marker(layout)
    boot_file = layout.run / "boot"
    same_boot = boot_file.exists() and boot_file.read_text() == procfs.boot_id()
    if not same_boot or marker is None or marker.wanted == "down":
        teardown.end_processes(layout)
        teardown.remove_traces(layout)
    for directory in (layout.processes, layout.logs, layout.run):
        directory.mkdir(parents=True, exist_ok=True)
    for region in REGIONS:
        layout.region(region).mkdir(parents=True, exist_ok=True)
        layout.region_run(region).mkdir(exist_ok=True)
    files.write(boot_file, procfs.boot_id())
    link = layout.run / "state"
    if not link.is_symlink():
        link.symlink_to(layout.state)
    if state(layout) != "up":
        write_marker(layout, "up")  # so that it counts as broken until everything runs
    certificates.ensure(layout)
    for region in REGIONS:
        if not network.has_bridge(region.bridge):
            # Pods cannot be plugged into another bridge: their node makes them anew.
            cgroups.kill(region.cgroup)
    network.ensure_bridges()


def _start_all(machine: Machine, python: Path, repository_root: Path | None, sink: Sink) -> tuple[str, ...]:
    """Start all parts, as much at the same time as their needs allow; the repository's files that were written."""
    from deployer.sandbox import aws, cluster, docker_engine, images, name_server, registry, repository_files, slack

    layout = machine.layout

    def serve_images(name: str) -> Callable[[], bool]:
        def ensure() -> bool:
            started = registry.ensure_registry(machine, name)
            images.push_base_images(registry.REGISTRIES[name], machine.programs["busybox"])
            return started

        return ensure

    def ensure_aws() -> bool:
        return aws.ensure_aws(machine, python)

    with Work(sink, machine.cancelled) as work:
        etcd = work.start("etcd", lambda: cluster.ensure_etcd(machine))
        moto = work.start("AWS endpoint", ensure_aws)
        registries: dict[str, Future[Any]] = {
            name: work.start(f"registry {name}", serve_images(name)) for name in registry.REGISTRIES
        }
        seed = work.start("AWS resources", lambda: aws.seed(layout), after=[moto])
        for region in REGIONS:
            _start_region(work, machine, region, etcd, registries["public"], seed)
        work.start("DNS and health checks", lambda: name_server.ensure_name_server(machine, python), after=[seed])
        work.start("Docker engine", lambda: docker_engine.ensure_engine(machine))
        work.start("Slack endpoint", lambda: slack.ensure_slack(machine))
        written: Future[tuple[str, ...]] | None = None
        if repository_root is None:
            sink.emit(WarningRaised("no deployment repository here: no access to the sandbox was written"))
        else:
            root = repository_root
            written = work.start(
                "secrets of the stage", lambda: repository_files.write(layout, root, machine.programs["sops"]), [seed]
            )
    return written.result() if written else ()


def _start_region(
    work: Work, machine: Machine, region: Region, etcd: Future[Any], images: Future[Any], seed: Future[Any]
) -> None:
    from deployer.sandbox import aws, cluster, ingress, node

    name = region.name

    def api_server() -> bool:
        started = cluster.ensure_api_server(machine, region)
        cluster.create_objects(machine.layout, region)
        return started

    def entry() -> bool:
        return ingress.ensure_ingress(machine, region, aws.load_balancer(machine.layout, region))

    containerd = work.start(f"containerd {name}", lambda: node.ensure_containerd(machine, region))
    api = work.start(f"API server {name}", api_server, after=[etcd])
    work.start(f"controllers {name}", lambda: cluster.ensure_controller_manager(machine, region), after=[api])
    work.start(f"scheduler {name}", lambda: cluster.ensure_scheduler(machine, region), after=[api])
    work.start(f"node {name}", lambda: node.ensure_kubelet(machine, region), after=[api, containerd, images])
    work.start(f"ingress {name}", entry, after=[api, seed])


def _take_down(layout: Layout, sink: Sink) -> list[str]:
    write_marker(layout, "down")  # first: `up` cleans up after a `down` that was interrupted
    with Work(sink, threading.Event()) as work:
        ended = work.start("end processes", lambda: teardown.end_processes(layout))
        work.start("remove mounts, bridges and control groups", lambda: teardown.remove_traces(layout), after=[ended])
    return ended.result()
