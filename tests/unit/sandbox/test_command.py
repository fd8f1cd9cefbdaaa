"""What `deploy sandbox` prints, without a sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployer.cli.application import run
from deployer.errors import ConfigurationError
from deployer.events import Sink
from deployer.sandbox import sandbox, slack, status
from deployer.sandbox.sandbox import DownResult, UpResult
from deployer.sandbox.status import PartStatus, SandboxStatus

WELL = PartStatus("etcd", "etcd", None, "127.0.31.254:2379", True, 42, True, 95_000_000)
NAMES = PartStatus("dns", "DNS and health checks", None, "127.0.31.254:8053", True, 43, True, 20_000_000)
DEAD = PartStatus("ingress-london", "ingress", "london", "127.0.31.1:8080", False, None, False, 0, "it has ended")


@pytest.mark.parametrize(
    ("found", "code", "shown"),
    [
        (SandboxStatus("up", "/s", (NAMES,), 0), 0, ["@127.0.31.254 -p 8053 myapp.deploy.test", "simulated"]),
        (SandboxStatus("up", "/s", (WELL,), 95_000_000), 0, ["The sandbox is up.", "well", "42", "95 MB", "/s/logs"]),
        (
            SandboxStatus("broken", "/s", (WELL, DEAD), 0),
            1,
            [
                "The sandbox is broken.",
                "not running",
                "ingress-london: it has ended",
                "`deploy sandbox up` repairs it.",
            ],
        ),
        (SandboxStatus("never started", "/s", (DEAD,), 0), 0, ["was never started", "`deploy sandbox up` starts it."]),
        (SandboxStatus("down", "/s", (DEAD,), 0), 0, ["The sandbox is down.", "`deploy sandbox up` starts it."]),
    ],
)
def test_status(
    found: SandboxStatus,
    code: int,
    shown: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(status, "status", lambda: found)
    assert run(["sandbox", "status"]) == code
    output = capsys.readouterr().out
    assert [text for text in shown if text not in output] == []
    assert run(["sandbox", "status", "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert document["state"] == found.state
    assert document["parts"][0]["name"] == found.parts[0].name


@pytest.mark.parametrize("command", ["up", "reset"])
def test_up_writes_into_the_repository_around(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Path | None] = []

    def up(sink: Sink, root: Path | None) -> UpResult:
        asked.append(root)
        return UpResult(("etcd",), (".sandbox/kubeconfig",), 12.0)

    monkeypatch.setattr(sandbox, command, up)
    monkeypatch.delenv("DEPLOY_DIRECTORY", raising=False)
    for name in ("apps", "group_vars"):
        (tmp_path / "repository" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "repository" / "apps")
    assert run(["sandbox", command]) == 0
    output = capsys.readouterr().out
    assert "1 processes started in 12 s" in output
    assert "http://127.0.31.3:8080" in output
    assert "dig -b 127.0.31.1 @127.0.31.254 -p 8053 myapp.deploy.test" in output
    assert "simulated" in output
    assert ".sandbox/kubeconfig" in output
    monkeypatch.chdir(tmp_path)
    assert run(["sandbox", command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["started"] == ["etcd"]
    assert asked == [tmp_path / "repository", None]
    assert run(["sandbox", command, "--directory", str(tmp_path)]) == 2


def test_down(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    results = [DownResult(("etcd", "aws"), 2.0), DownResult((), 0.0)]
    monkeypatch.setattr(sandbox, "down", lambda sink: results.pop(0))
    assert run(["sandbox", "down"]) == 0
    assert "2 processes ended" in capsys.readouterr().out
    assert run(["sandbox", "down"]) == 0
    assert "was not running" in capsys.readouterr().out


def test_an_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def up(sink: Sink, root: Path | None) -> UpResult:
        raise ConfigurationError("port 8080 on 127.0.31.2 is taken", why="it is held by nginx (pid 7)", hint="stop it")

    monkeypatch.setattr(sandbox, "up", up)
    assert run(["sandbox", "up"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "nginx (pid 7)" in captured.err
    assert "Traceback" not in captured.err


def test_slack_shows_threads_below_their_messages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [
        {"channel": "#a", "ts": "1", "text": "done", "history": [{"text": "started"}]},
        {"channel": "#a", "ts": "2", "thread_ts": "1", "text": "log\nline", "history": []},
    ]
    monkeypatch.setattr(slack, "messages", lambda: found)
    assert run(["sandbox", "slack"]) == 0
    output = capsys.readouterr().out
    assert "#a  (updated once)\n  done\n    #a" in output
    assert "      log\n      line" in output
    assert run(["sandbox", "slack", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found


def test_slack_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(slack, "SLACK_ENDPOINT", "http://127.0.0.1:9")
    assert run(["sandbox", "slack"]) == 5
    assert "`deploy sandbox up`" in capsys.readouterr().err
