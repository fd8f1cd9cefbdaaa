"""What the channel is told of several apps."""

from __future__ import annotations

from deployer.errors import DeploymentFailed
from deployer.model import DeploymentResult, Evidence, Target, TargetResult
from deployer.report.announcement import finished


def told(*targets: TargetResult) -> str:
    return finished(DeploymentResult("id", "prod", "somebody", None, 3.0, targets)).text


def target(app: str, region: str, **known: object) -> TargetResult:
    return TargetResult(Target("prod", region, app), **known)  # type: ignore[arg-type]


def test_each_line_names_its_app_and_idle_ones_have_none() -> None:
    text = told(
        target("api", "london", outcome="unchanged"),
        target("web", "london", outcome="deployed"),
        target("web", "seoul", outcome="not started", error=DeploymentFailed("web was not begun", why="of london")),
    )
    assert ":x: api and web in prod london and seoul: 1 deployed, 1 not started, 1 unchanged" in text
    assert "*web london*" in text
    assert "> web was not begun: of london" in text
    assert "*api london*" not in text


def test_one_app_is_told_as_ever() -> None:
    text = told(target("web", "london", outcome="deployed"), target("web", "seoul", outcome="unchanged"))
    assert "*london*" in text
    assert "*seoul*" in text


def test_very_many_are_cut() -> None:
    many = [target(f"app{number:02}", "london", outcome="deployed") for number in range(60)]
    message = finished(DeploymentResult("id", "prod", "somebody", None, 3.0, tuple(many)))
    assert "app00, app01, app02, app03, app04 and 55 more in prod" in message.text
    assert "and 21 more" in message.text
    assert len(message.blocks) <= 50


def test_texts_are_as_long_as_they_are_until_they_are_masked() -> None:
    evidence = Evidence((), ("x" * 5000,), ())
    failed = target("web", "london", outcome="failed", error=DeploymentFailed("y" * 5000), evidence=evidence)
    message = finished(DeploymentResult("id", "prod", "somebody", None, 3.0, (failed,)))
    assert "y" * 5000 in message.blocks[1]["text"]["text"]
    assert "x" * 5000 in message.thread[0]
