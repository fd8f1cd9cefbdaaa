import base64
import os
from pathlib import Path
from typing import Any

import pytest

from deployer.adapters.kubernetes.kubeconfig import Access, read_access
from deployer.errors import ConfigurationError
from tests.unit.adapters.kubernetes.apiserver import kubeconfig


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_context_names_server_trust_and_user() -> None:
    content = kubeconfig(
        "https://a.example/",
        {"client-certificate-data": encoded("certificate"), "client-key-data": encoded("key")},
        cluster={"certificate-authority-data": encoded("authority"), "tls-server-name": "other"},
    )
    access = read_access(content, None)
    assert (access.server, access.authority, access.server_name) == ("https://a.example", "authority", "other")
    assert access.certificate == b"certificate"
    assert access.key
    assert access.key.reveal() == "key"
    assert "key'" not in repr(access)


def test_files_are_looked_for_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("authority")
    file = tmp_path / "config"
    file.write_text(
        "current-context: main\n"
        "clusters: [{name: c, cluster: {server: 'https://a', certificate-authority: ca.pem}}]\n"
        "users: [{name: u, user: {tokenFile: token, exec: &login {command: ./login, args: [1]}}}]\n"
        "contexts: [{name: main, context: {cluster: c, user: u}}]\n"
    )
    access = read_access(file, "main")
    assert access.authority == "authority"
    assert access.token_file == tmp_path / "token"
    assert access.plugin
    assert Path(access.plugin.command) == tmp_path / "login"
    assert (access.plugin.arguments, dict(access.plugin.environment)) == (("1",), {})


def test_the_first_of_several_kubeconfigs_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("current-context: main\nclusters: [{name: c, cluster: {server: 'https://first'}}]\n")
    second.write_text(
        "current-context: other\n"
        "clusters: [{name: c, cluster: {server: 'https://second'}}]\n"
        "contexts: [{name: main, context: {cluster: c}}]\n"
    )
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, (tmp_path / "missing", first, second))))
    access = read_access(None, None)
    assert (access.context, access.server) == ("main", "https://first")


def test_without_anything_the_home_directory_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="cannot be read") as raised:
        read_access(None, None)
    assert str(raised.value.where) == str(tmp_path / ".kube" / "config")


CLUSTER = {"name": "c", "cluster": {"server": "https://a"}}
CONTEXT = {"name": "main", "context": {"cluster": "c", "user": "u"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no current context"),
        ({"current-context": "main"}, "no context main"),
        ({"current-context": "main", "contexts": "nonsense"}, "no context main"),
        ({"current-context": "main", "contexts": [None, "a", CONTEXT]}, "no cluster c"),
        ({"current-context": "main", "contexts": [{"name": "main", "context": {}}]}, "has no cluster"),
        ({"current-context": "main", "contexts": [CONTEXT], "clusters": [CLUSTER]}, "no user u"),
        (kubeconfig(""), "no server"),
        (kubeconfig("https://a", cluster={"certificate-authority-data": "!"}), "not base64"),
        (kubeconfig("https://a", cluster={"certificate-authority": "/does/not/exist"}), "cannot be read"),
        (kubeconfig("https://a", {"auth-provider": {"name": "gcp"}}), "auth-provider"),
        (kubeconfig("https://a", {"exec": {}}), "no command"),
    ],
)
def test_what_a_kubeconfig_lacks_is_named(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_access(content, None)


def test_an_unknown_context_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="no context prod") as raised:
        read_access(kubeconfig("https://a"), "prod")
    assert raised.value.hint == "it has: main"


@pytest.mark.parametrize("content", [b"a: [secret-token\n", b"\xff\xfe\x00", b"- a\n", b""])
def test_a_broken_kubeconfig_is_named_and_not_shown(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as raised:
        read_access(file, None)
    assert str(file) in str(raised.value.where)
    assert "secret-token" not in str(raised.value)


def test_secrets_are_not_shown() -> None:
    access: Access = read_access(kubeconfig("https://a", {"token": "hunter2", "password": "hunter3"}), None)
    assert "hunter" not in repr(access)
