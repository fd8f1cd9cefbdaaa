import os
from pathlib import Path

import pytest

from deployer import tools
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.events import OutputLine
from deployer.tools.resolve import cache_directory, find
from tests.unit.tools.conftest import AddProgram, Recorder


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def apt_that(does: str) -> str:
    """apt-get, whose command comes after its options."""
    return f"""
while [ "${{1#-}}" != "$1" ]; do [ "$1" = -o ] && shift; shift; done
case $1 in {does} esac"""


DPKG_DEB = r"""
mkdir -p "$3/usr/bin" "$3/etc/init.d"
printf '#!/bin/sh\n' > "$3/etc/init.d/etcd"
printf '#!/bin/sh\necho etcd Version: 3.4.23\n' > "$3/usr/bin/etcd"
printf '#!/bin/sh\n' > "$3/usr/bin/other"
chmod +x "$3/usr/bin/"* "$3/etc/init.d/etcd"
"""


def test_a_package_is_unpacked_and_not_installed(add_program: AddProgram, recorder: Recorder) -> None:
    add_program("apt-get", apt_that('download) echo Get:1 $2; touch "$2_1_amd64.deb" ;;'))
    add_program("dpkg-deb", DPKG_DEB)
    path = tools.require("etcd", recorder)
    assert path == cache_directory() / "etcd/debian/etcd"
    assert [item.name for item in path.parent.iterdir()] == ["etcd"]
    assert OutputLine("apt-get", "Get:1 etcd-server") in recorder.events
    assert sorted(item.name for item in cache_directory().iterdir()) == [".lock", "etcd"]


def test_plugins_keep_their_companions(add_program: AddProgram) -> None:
    add_program("apt-get", apt_that('download) touch "$2_1_amd64.deb" ;;'))
    script = r"printf '#!/bin/sh\necho CNI protocol versions supported: 0.4.0, 1.0.0\n'"
    plugins = f'for name in bridge host-local; do {script} > "$3/usr/lib/cni/$name"; done; chmod +x "$3/usr/lib/cni/"*'
    add_program("dpkg-deb", f'mkdir -p "$3/usr/lib/cni"; {plugins}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deployer.tools.resolve._on_path", lambda tool: iter(()))
        path = tools.require("cni")
    assert sorted(item.name for item in path.parent.iterdir()) == ["bridge", "host-local"]


def test_a_package_that_does_not_fit(add_program: AddProgram) -> None:
    add_program("apt-get", apt_that('download) touch "$2_1_amd64.deb" ;;'))
    add_program("dpkg-deb", DPKG_DEB.replace("3.4.23", "2.0.1"))
    with pytest.raises(ConfigurationError, match="does not fit") as caught:
        tools.require("etcd")
    assert caught.value.why == "it is 2.0.1"
    assert find("etcd") is None


def test_a_package_without_the_tool_and_a_broken_one(add_program: AddProgram) -> None:
    add_program("apt-get", apt_that('download) touch "$2_1_amd64.deb" ;;'))
    add_program("dpkg-deb", 'mkdir -p "$3/usr"')
    with pytest.raises(DeployError, match="has no etcd"):
        tools.require("etcd")
    add_program("dpkg-deb", "echo not a Debian archive >&2; exit 2")
    with pytest.raises(DeployError, match="cannot be unpacked") as caught:
        tools.require("etcd")
    assert caught.value.why == "not a Debian archive"


@pytest.mark.usefixtures("root")
def test_system_packages_are_installed_where_allowed(add_program: AddProgram, machine: Path, tmp_path: Path) -> None:
    installs = rf"""
install) printf '%s\n' "$@" "$DEBIAN_FRONTEND" > {tmp_path}/installed
    for name in dockerd docker; do printf '#!/bin/sh\necho Docker version 20.10.24, x\n' > {machine}/$name; done
    chmod +x {machine}/dockerd {machine}/docker ;;"""
    add_program("apt-get", apt_that(installs))
    paths = tools.ensure(["dockerd", "docker"])
    assert paths["dockerd"] == machine / "dockerd"
    assert (tmp_path / "installed").read_text().split() == ["install", "docker.io", "noninteractive"]


@pytest.mark.usefixtures("root")
def test_stale_lists_are_fetched_once(add_program: AddProgram, machine: Path, tmp_path: Path) -> None:
    program = rf"printf '#!/bin/sh\necho runc version 1.1.5\n' > {machine}/runc; chmod +x {machine}/runc"
    installs = f"""
update) touch {tmp_path}/updated ;;
install) [ -e {tmp_path}/updated ] || {{ echo "E: Unable to locate package runc"; exit 100; }}; {program} ;;"""
    add_program("apt-get", apt_that(installs))
    assert tools.ensure(["runc"])["runc"] == machine / "runc"


@pytest.mark.usefixtures("root")
def test_an_unreachable_package_source(add_program: AddProgram) -> None:
    add_program("apt-get", apt_that("*) echo 'E: Failed to fetch x  Could not resolve'; exit 100 ;;"))
    with pytest.raises(UnreachableError, match="could not install runc") as caught:
        tools.ensure(["runc"])
    assert "Could not resolve" in (caught.value.why or "")


@pytest.mark.usefixtures("root")
def test_an_installed_package_that_does_not_help(add_program: AddProgram) -> None:
    add_program("apt-get", apt_that("install) ;;"))
    add_program("runc", "echo runc version 0.9.1")
    with pytest.raises(ConfigurationError, match="was not found in a version that fits") as caught:
        tools.ensure(["runc"])
    assert "is 0.9.1" in (caught.value.why or "")


def test_a_deployment_installs_nothing_on_the_system(add_program: AddProgram, tmp_path: Path) -> None:
    add_program("apt-get", f"touch {tmp_path}/called")
    with pytest.raises(ConfigurationError) as caught:
        tools.require("docker")
    assert (caught.value.what, caught.value.hint) == (
        "missing on this machine: docker",
        "as root: apt-get install docker.io",
    )
    assert not (tmp_path / "called").exists()


def test_others_than_root_are_told_the_command(add_program: AddProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    add_program("apt-get", "exit 1")
    with pytest.raises(ConfigurationError) as caught:
        tools.ensure(["dockerd", "runc"])
    assert caught.value.hint == "as root: apt-get install docker.io runc"


def test_systems_without_apt() -> None:
    with pytest.raises(ConfigurationError, match="missing on this machine: dockerd") as caught:
        tools.ensure(["dockerd"])
    assert "on Debian: apt-get install docker.io" in (caught.value.hint or "")
    with pytest.raises(ConfigurationError, match="missing on this machine: etcd"):
        tools.ensure(["etcd"])
