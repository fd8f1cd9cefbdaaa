import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deployer.adapters.kubernetes.credentials import Tokens, tokens_of
from deployer.adapters.kubernetes.kubeconfig import read_access
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.model import Secret
from tests.unit.adapters.kubernetes.apiserver import kubeconfig


class Source:
    """Gives another token each time."""

    def __init__(self, lasts: timedelta | None) -> None:
        self.lasts = lasts
        self.asked = 0

    def __call__(self) -> tuple[Secret, datetime | None]:
        self.asked += 1
        return Secret(f"token-{self.asked}"), datetime.now(UTC) + self.lasts if self.lasts else None


def plugin(code: str, **fields: Any) -> Tokens:
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": ["-c", code], **fields}
    tokens = tokens_of(read_access(kubeconfig("https://a", {"exec": exec_}), None))
    assert tokens
    return tokens


def test_a_token_is_kept_while_it_lasts() -> None:
    source = Source(timedelta(minutes=14))
    tokens = Tokens(source)
    assert [tokens.current().reveal() for _ in range(3)] == ["token-1"] * 3


def test_a_token_without_an_end_is_kept_too() -> None:
    tokens = Tokens(Source(None))
    assert [tokens.current().reveal() for _ in range(2)] == ["token-1"] * 2


def test_a_token_that_is_about_to_end_is_replaced() -> None:
    tokens = Tokens(Source(timedelta(seconds=30)))
    assert [tokens.current().reveal() for _ in range(2)] == ["token-1", "token-2"]


def test_a_refused_token_is_replaced_once_by_however_many_threads() -> None:
    source = Source(timedelta(minutes=14))
    tokens = Tokens(source)
    refused = tokens.current()
    threads = [threading.Thread(target=tokens.after_refusal, args=[refused]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.asked == 2


def test_a_plugin_is_told_what_is_wanted_and_its_token_taken() -> None:
    code = (
        "import json, os; info = json.loads(os.environ['KUBERNETES_EXEC_INFO']);"
        "print(json.dumps({'status': {'token': info['kind'] + os.environ['EXTRA'],"
        "'expirationTimestamp': '2100-01-01T00:00:00Z'}}))"
    )
    tokens = plugin(code, env=[{"name": "EXTRA", "value": "-1"}])
    assert tokens.current().reveal() == "ExecCredential-1"


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("import sys; sys.exit('no session')", UnreachableError, "no session"),
        ("raise SystemExit(3)", UnreachableError, "gave no token"),
        ("print('hello')", ConfigurationError, "not an ExecCredential"),
        ("print('[]')", ConfigurationError, "not an ExecCredential"),
        ("print('{\"status\": null}')", ConfigurationError, "not an ExecCredential"),
        ('print(\'{"status": {"token": 1}}\')', ConfigurationError, "no token"),
        ('print(\'{"status": {"token": "a", "expirationTimestamp": "soon"}}\')', ConfigurationError, "not an"),
        ("import os; os.write(1, b'\\xff\\xfe')", ConfigurationError, "not an ExecCredential"),
    ],
)
def test_a_plugin_that_fails_is_named(code: str, kind: type[DeployError], words: str) -> None:
    with pytest.raises(kind, match=words):
        plugin(code).current()


def test_a_missing_plugin_is_named_with_how_to_get_it() -> None:
    with pytest.raises(ConfigurationError, match="no-such-plugin") as raised:
        plugin("", command="no-such-plugin", installHint="apt install it").current()
    assert raised.value.hint == "apt install it"


def test_a_token_file_is_read_again_when_its_token_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    tokens = tokens_of(read_access(kubeconfig("https://a", {"tokenFile": str(file)}), None))
    assert tokens
    first = tokens.current()
    file.write_text("two\n")
    assert (first.reveal(), tokens.after_refusal(first).reveal()) == ("one", "two")
    file.unlink()
    with pytest.raises(UnreachableError, match="token file"):
        tokens.after_refusal(Secret("two"))


def test_a_user_with_a_certificate_has_no_token() -> None:
    assert tokens_of(read_access(kubeconfig("https://a", {"username": "a", "password": "b"}), None)) is None
