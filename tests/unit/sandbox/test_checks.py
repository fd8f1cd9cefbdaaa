"""What is looked at before anything is started."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from deployer.adapters import process
from deployer.errors import ConfigurationError, DeployError
from deployer.sandbox import cgroups, checks, network, processes
from deployer.sandbox.layout import Layout

LISTENING = ("127.0.0.1", "0.0.0.0", "::")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "state", tmp_path / "run")


@pytest.fixture
def fitting_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with nothing to complain about, whatever this one is like."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(checks, "_missing_capabilities", lambda: iter(()))
    monkeypatch.setattr(checks, "_missing_kernel_features", lambda: iter(()))
    monkeypatch.setattr(checks, "addresses", lambda layout: {})
    monkeypatch.setattr(network, "foreign_routes", list)


def errors_of(layout: Layout) -> list[DeployError]:
    with pytest.raises(DeployError) as caught:
        checks.check_machine(layout)
    return list(caught.value.leaves())


def listen(address: str) -> socket.socket:
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    server.bind((address, 0))
    server.listen()
    return server


@pytest.mark.usefixtures("fitting_machine")
def test_nothing_stands_against_a_fitting_machine(layout: Layout) -> None:
    checks.check_machine(layout)


def test_needs_root(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (error,) = errors_of(layout)
    assert isinstance(error, ConfigurationError)
    assert "root" in error.what
    assert not layout.state.exists()


@pytest.mark.usefixtures("fitting_machine")
@pytest.mark.parametrize("address", LISTENING)
def test_names_the_holder_of_a_taken_port(layout: Layout, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with listen(address) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(checks, "addresses", lambda layout: {("127.0.0.1", port): "etcd"})
        (error,) = errors_of(layout)
    assert error.what == f"port {port} on 127.0.0.1 is taken"
    assert error.where == "etcd of the sandbox"
    assert f"(pid {os.getpid()})" in str(error.why)
    assert error.exit_code == 2


@pytest.mark.usefixtures("fitting_machine")
def test_a_killed_process_is_given_the_time_to_end(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = iter([OSError(errno.EADDRINUSE, "Address already in use"), None])
    monkeypatch.setattr(checks, "addresses", lambda layout: {("127.0.0.1", 1): "kubelet-london"})
    monkeypatch.setattr(checks, "_refusal", lambda host, port: next(refusals))
    monkeypatch.setattr(checks, "_holder", lambda host, port: None)
    checks.check_machine(layout)
    assert next(refusals, "asked again") == "asked again"


@pytest.mark.usefixtures("fitting_machine")
def test_a_port_of_another_address_is_free(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    with listen("127.0.0.1") as server:
        port = server.getsockname()[1]  # one that nobody has there once it is closed
    with socket.create_server(("127.0.0.2", port)):
        monkeypatch.setattr(checks, "addresses", lambda layout: {("127.0.0.1", port): "etcd"})
        checks.check_machine(layout)


@pytest.mark.usefixtures("fitting_machine")
def test_our_own_running_part_may_hold_its_port(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "is_alive", lambda record: True)
    with listen("127.0.0.1") as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(checks, "addresses", lambda layout: {("127.0.0.1", port): "etcd"})
        checks.check_machine(layout)


@pytest.mark.usefixtures("fitting_machine")
def test_all_that_stands_against_it_is_told_at_once(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1024))
    monkeypatch.setattr(network, "foreign_routes", lambda: ["vpn0 (10.0.0.0/8)"])
    with listen("127.0.0.1") as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(checks, "addresses", lambda layout: {("127.0.0.1", port): "etcd"})
        found = errors_of(layout)
    assert [error.what.split()[0] for error in found] == ["port", "a", "the"]
    assert found[1].where == "vpn0 (10.0.0.0/8)"
    assert "0.0 GiB are free" in str(found[2].why)


def test_names_missing_controllers(monkeypatch: pytest.MonkeyPatch, layout: Layout) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(checks, "_missing_capabilities", lambda: iter(()))
    monkeypatch.setattr(cgroups, "controllers", lambda: {"cpu", "pids"})
    monkeypatch.setattr(cgroups, "hierarchies", list)
    (error,) = errors_of(layout)
    assert error.why == "missing: cgroup controller cpuset, cgroup controller memory"


def test_names_a_missing_file_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    systems = tmp_path / "filesystems"
    systems.write_text("nodev\ttmpfs\n\text4\n")
    monkeypatch.setattr(checks, "_FILE_SYSTEMS", systems)
    monkeypatch.setattr(cgroups, "controllers", lambda: {"cpu", "cpuset", "memory", "pids"})
    monkeypatch.setattr(cgroups, "hierarchies", list)
    tried = []
    monkeypatch.setattr(process, "run", lambda command, timeout: tried.append(command))
    (error,) = checks._missing_kernel_features()
    assert error.why == "missing: the file system overlay"
    assert tried == [["modprobe", "overlay"]]


def test_every_part_has_an_address_of_its_own(layout: Layout) -> None:
    wanted = checks.addresses(layout)
    assert {host for host, _ in wanted} <= {"127.0.31.1", "127.0.31.2", "127.0.31.3", "127.0.31.254"}
    assert wanted["127.0.31.2", 6443] == "api-server-virginia"
    assert len(wanted) == 5 + 1 + 3 * 8


ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t01010A0A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
sbx-seoul\t0003E70A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
vpn0\t0000E70A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_finds_routes_that_overlap_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path: ROUTES)
    assert set(network.foreign_routes()) == {"vpn0 (10.231.0.0/16)"}
