from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.adapters.docker.credentials import Login, own_login, private_configuration
from deployer.errors import DeployError

PASSWORD = "correct-horse-battery"


def ask(directory: Path, action: str, address: str) -> tuple[int, str]:
    """As Docker does: it finds the helper on the PATH by the name in the configuration."""
    store = json.loads((directory / "config.json").read_text())["credsStore"]
    helper = f"docker-credential-{store}"
    result = subprocess.run(
        [helper, action],
        input=address.encode(),
        env={"PATH": f"{directory}:/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    return result.returncode, result.stdout.decode().strip()


def find(host: str) -> Login:
    return {"Username": "AWS", "Secret": PASSWORD} if host == "127.0.31.1:5000" else {}


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    directory = tmp_path / "own"
    directory.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", os.fspath(directory))
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.fspath(tmp_path))
    yield directory


@pytest.mark.parametrize("address", ["127.0.31.1:5000", "http://127.0.31.1:5000/v2/", "127.0.31.1:5000/app"])
def test_docker_is_told_the_credentials(address: str) -> None:
    with private_configuration(find) as directory:
        status, answer = ask(directory, "get", address)
    assert (status, json.loads(answer)) == (0, {"Username": "AWS", "Secret": PASSWORD})


def test_what_is_unknown_is_said_as_docker_expects_it() -> None:
    with private_configuration(find) as directory:
        assert ask(directory, "get", "https://index.docker.io/v1/") == (1, "credentials not found in native keychain")
        assert ask(directory, "list", "") == (0, "{}")
        assert ask(directory, "store", '{"ServerURL": "x"}') == (0, "")
        assert ask(directory, "get", "127.0.31.1:5000")[0] == 0


def test_nothing_secret_is_on_the_disk_and_nothing_is_left() -> None:
    with private_configuration(find) as directory:
        ask(directory, "get", "127.0.31.1:5000")
        assert directory.stat().st_mode & 0o777 == 0o700
        content = b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())
        assert PASSWORD.encode() not in content
    assert not directory.exists()


def test_contexts_and_proxies_of_the_user_hold(own_configuration: Path) -> None:
    (own_configuration / "contexts").mkdir()
    kept = {"currentContext": "remote", "proxies": {"default": {"httpProxy": "http://proxy:3128"}}}
    settings = {**kept, "auths": {"x": {"auth": "c2VjcmV0"}}, "HttpHeaders": {"X-Token": "secret"}}
    (own_configuration / "config.json").write_text(json.dumps(settings))
    with private_configuration(find) as directory:
        assert json.loads((directory / "config.json").read_text()) == {"credsStore": "deployer", **kept}
        assert (directory / "contexts").resolve() == own_configuration / "contexts"


@pytest.mark.parametrize(
    "content", ["", "no json", "[]", '"text"', '{"proxies": {"default": {"httpProxy": "http://u:p@h"}}}']
)
def test_a_configuration_that_cannot_be_used_is_left_alone(own_configuration: Path, content: str) -> None:
    (own_configuration / "config.json").write_text(content)
    with private_configuration(find) as directory:
        assert json.loads((directory / "config.json").read_text()) == {"credsStore": "deployer"}


def test_the_users_own_logins_are_found(own_configuration: Path) -> None:
    assert own_login("base.example.com") == {}
    auths = {"base.example.com": {"auth": "dXNlcjpwYXNz"}, "https://index.docker.io/v1/": {"auth": "YTpi"}}
    (own_configuration / "config.json").write_text(json.dumps({"auths": auths}))
    assert own_login("base.example.com") == {"Username": "user", "Secret": "pass"}
    assert own_login("index.docker.io") == {"Username": "a", "Secret": "b"}
    assert own_login("other.example.com") == {}
    (own_configuration / "config.json").write_text("{broken")
    assert own_login("base.example.com") == {}


def test_a_long_path_of_temporary_files_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a socket may have 107 bytes."""
    long = tmp_path / ("x" * 110)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with private_configuration(lambda host: {"Username": "AWS", "Secret": host}) as directory:
        assert ask(directory, "get", "registry.example.com")[0] == 0
    assert not directory.exists()
    assert list(long.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(DeployError, match="cannot be written") as caught, private_configuration(lambda host: {}):
        pass
    assert str(tmp_path / "absent") in str(caught.value)
