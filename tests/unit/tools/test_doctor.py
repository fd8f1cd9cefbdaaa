import os

import pytest

from deployer.errors import UnreachableError
from deployer.tools import doctor
from deployer.tools.catalogue import TOOLS
from deployer.tools.doctor import Finding, Group, State
from tests.unit.tools.conftest import AddProgram


def finding(subject: str) -> Finding:
    return next(item for item in doctor.examine() if item.subject == subject)


def test_every_tool_and_service_is_looked_at() -> None:
    subjects = {item.subject for item in doctor.examine()}
    assert subjects >= {*TOOLS, "python", "go", "cache", "Docker engine", "privileges"}


def test_on_an_empty_machine_everything_says_how_to_get_it() -> None:
    findings = doctor.examine()
    missing = [item for item in findings if item.state is not State.OK]
    # CNI plugins are not looked for on PATH, and so this machine's may be found.
    assert {item.subject for item in missing} >= {*TOOLS, "go", "Docker engine"} - {"cni"}
    assert all(item.remedy for item in missing)
    assert not doctor.healthy(findings)


def test_a_tool_that_fits(add_program: AddProgram) -> None:
    path = add_program("sops", "echo sops 3.12.1")
    assert finding("sops") == Finding(
        "sops",
        Group.DEPLOYMENT,
        State.OK,
        "decrypts the secrets of a stage",
        "3.12.1",
        str(path),
        "3.9 or later, below 4",
    )


def test_a_tool_that_is_too_old_is_shown_with_its_place(add_program: AddProgram) -> None:
    path = add_program("sops", "echo sops 3.7.3")
    found = finding("sops")
    assert (found.state, found.found) == (State.MISSING, f"3.7.3 ({path})")
    assert found.remedy == "install Go, or put sops 3.9 or later, below 4 on PATH"


def test_what_we_get_by_ourselves_is_not_missing(add_program: AddProgram) -> None:
    add_program("go", "echo go version go1.26.8 linux/amd64")
    add_program("apt-get", "exit 1")
    assert (finding("sops").state, finding("etcd").state) == (State.AUTOMATIC, State.AUTOMATIC)
    assert finding("go").state is State.OK
    assert finding("docker").state is State.MISSING
    assert finding("docker").remedy == "as root: apt-get install docker.io"


def test_an_old_go_is_missing_while_something_is_to_be_built(add_program: AddProgram) -> None:
    add_program("go", "echo go version go1.19.8 linux/amd64")
    found = finding("go")
    assert (found.state, found.group, found.found) == (State.MISSING, Group.DEPLOYMENT, "1.19.8")
    assert found.needed == "1.26.0 or later"


@pytest.mark.parametrize(
    ("script", "state", "found"),
    [
        ("echo 20.10.24", State.OK, "20.10.24"),
        ("echo Cannot connect to the Docker daemon >&2; exit 1", State.MISSING, "Cannot connect to the Docker daemon"),
        ("exit 1", State.MISSING, "no answer"),
    ],
)
def test_the_docker_engine_is_asked(add_program: AddProgram, script: str, state: State, found: str) -> None:
    add_program("docker", f"case $1 in --version) echo Docker version 28.2.2 ;; *) {script} ;; esac")
    engine = finding("Docker engine")
    assert (engine.state, engine.found) == (state, found)


def test_a_user_without_access_to_docker_is_told_the_group(add_program: AddProgram) -> None:
    refused = "echo permission denied while trying to connect >&2; exit 1"
    add_program("docker", f"case $1 in --version) echo Docker version 28.2.2 ;; *) {refused} ;; esac")
    assert "usermod -aG docker" in finding("Docker engine").remedy


def test_privileges_of_others_than_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = finding("privileges")
    assert found.state is State.MISSING
    assert "without root" in found.found


def test_further_checks_are_taken_in_and_their_errors_too() -> None:
    extra = Finding("AWS account", Group.ACCOUNT, State.OK, "", "123456789012")

    def unreachable() -> Finding:
        raise UnreachableError("STS does not answer", why="timeout", hint="look at AwsProfile")

    findings = doctor.examine([lambda: extra, unreachable])
    assert findings[-2:] == (
        extra,
        Finding("STS does not answer", Group.ACCOUNT, State.MISSING, "", "timeout", remedy="look at AwsProfile"),
    )
    assert not doctor.healthy(findings[-1:])
    assert doctor.healthy([extra])


def test_little_space_counts_only_while_something_is_to_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: os.terminal_size((0, 0)) and type("Usage", (), {"free": 2**30}))
    found = finding("cache")
    assert (found.state, found.found) == (State.MISSING, "1.0 GB free")
    monkeypatch.setattr(doctor, "find", lambda _: "/somewhere")
    monkeypatch.setattr(doctor, "_docker_engine", lambda: Finding("Docker engine", Group.DEPLOYMENT, State.OK, ""))
    assert finding("cache").state is State.OK
