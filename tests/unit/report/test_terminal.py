"""The report that ends a deployment on a terminal."""

from dataclasses import replace

from deployer.errors import DeploymentFailed, HeldError
from deployer.model import (
    ContainerEvidence,
    DeploymentResult,
    Evidence,
    Image,
    ObjectKey,
    PhaseTiming,
    Target,
    TargetResult,
    WorkloadState,
)
from deployer.report.document import json_document
from deployer.report.terminal import terminal_lines
from deployer.report.words import duration, pods, short_image

DEPLOYMENT = ObjectKey("apps/v1", "Deployment", "default", "myapp")
GOOD = TargetResult(
    Target("prod", "london", "myapp"),
    "deployed",
    version="0.0.1",
    image=Image("registry", "myapp", "0.0.1-" + "a" * 32, "sha256:" + "b" * 64),
    revision=7,
    url="https://myapp.london.example.com/health",
    reasons=("new image",),
    changes=tuple(f"Deployment/myapp: key{number}" for number in range(14)),
    workloads=(WorkloadState(DEPLOYMENT, 2, 2, 2, "ready"),),
    phases=(PhaseTiming("release", 0.6), PhaseTiming("rollout", 71.0)),
)
BAD = TargetResult(
    Target("prod", "seoul", "myapp"),
    "rolled back",
    version="0.0.1",
    error=DeploymentFailed("myapp did not become ready", where="prod seoul", why="it crashes", hint="mend it"),
    evidence=Evidence(
        workloads=(WorkloadState(DEPLOYMENT, 2, 1, 0, "failed", "container web exited with code 3"),),
        events=("Warning BackOff Pod/myapp-1: Back-off",),
        containers=(ContainerEvidence("myapp-1", "web", "exited with code 3", ("first", "last")),),
    ),
)


def report(*targets: TargetResult) -> str:
    return "\n".join(terminal_lines(DeploymentResult("id-1", "prod", "anna@laptop", None, 12.3, targets)))


def test_the_table_aligns_its_columns() -> None:
    first, second, third = report(GOOD, BAD).splitlines()[:3]
    assert first.split() == ["APP", "REGION", "OUTCOME", "VERSION", "REVISION", "PODS", "TIME"]
    assert second.split() == ["✔", "myapp", "london", "deployed", "0.0.1", "7", "2/2", "1", "min", "12", "s"]
    assert third.index("rolled back") == first.index("OUTCOME")


def test_of_many_apps_those_that_are_unchanged_have_their_line_and_no_more() -> None:
    def app(name: str, **fields: object) -> TargetResult:
        return replace(GOOD, target=Target("prod", "london", name), reasons=(name,), **fields)  # type: ignore[arg-type]

    same = [app(f"app{number}", outcome="unchanged") for number in range(4)]
    told = report(*same, app("web"))
    assert "app3 in london" not in told
    assert "web in london" in told
    assert "app2 in london" in report(*same[:3])


def test_a_long_list_of_changes_is_shortened_and_says_so() -> None:
    assert "key11\n" in report(GOOD)
    assert "key12" not in report(GOOD)
    assert "and 2 more" in report(GOOD)


def test_a_failure_shows_what_why_next_and_its_evidence() -> None:
    text = report(GOOD, BAD)
    for expected in (
        "✘ myapp in seoul: rolled back",
        "myapp did not become ready",
        "where: prod seoul",
        "why:   it crashes",
        "next:  mend it",
        "Deployment/myapp: 0/2 ready; container web exited with code 3",
        "Warning BackOff Pod/myapp-1: Back-off",
        "myapp-1/web: exited with code 3",
        "| last",
    ):
        assert expected in text


def in_region(target: TargetResult, region: str) -> TargetResult:
    return replace(target, target=Target("prod", region, "myapp"))


def test_regions_that_ended_alike_are_described_once() -> None:
    other = replace(in_region(GOOD, "seoul"), url="https://myapp.seoul.example.com/health")
    text = report(GOOD, other)
    assert text.count("new image") == 1
    assert "myapp in london, seoul" in text
    assert "https://myapp.seoul.example.com/health" in text
    assert report(GOOD, replace(other, reasons=("drift",))).count("  digest") == 2


def test_one_reason_for_several_regions_is_told_once() -> None:
    held = replace(BAD, outcome="not started", error=HeldError("anna deploys"), evidence=None)
    text = report(held, in_region(held, "london"))
    assert text.count("anna deploys") == 1
    assert "✘ myapp in seoul, london: not started" in text
    assert report(BAD, in_region(BAD, "london")).count("| last") == 2  # evidence is each region's own


def test_an_app_that_does_not_tell_where_it_runs_has_no_region() -> None:
    nowhere = in_region(replace(BAD, outcome="not started", error=HeldError("no YAML"), evidence=None), "")
    assert "✘ myapp: not started" in report(nowhere).splitlines()
    unseen = replace(nowhere, target=replace(nowhere.target, application="", region="seoul"))
    assert "✘ seoul: not started" in report(unseen).splitlines()


def test_the_last_line_counts_the_outcomes() -> None:
    assert report(GOOD, BAD).splitlines()[-1] == "1 deployed, 1 rolled back in 12 s (deployment id-1)"


def test_durations_sizes_and_names_are_short() -> None:
    assert [duration(seconds) for seconds in (0.04, 9.96, 59.4, 61, 3605)] == [
        "0.0 s",
        "10.0 s",
        "59 s",
        "1 min 01 s",
        "60 min 05 s",
    ]
    service = WorkloadState(ObjectKey("v1", "Service", "default", "myapp"), 1, 1, 1, "ready")
    assert pods([*GOOD.workloads, service]) == "2/2"
    assert pods([service]) == "-"
    assert short_image(GOOD.image) == "myapp:0.0.1-aaaaaaaaaa…" if GOOD.image else False


def test_what_was_restored_is_a_success() -> None:
    assert report(replace(GOOD, outcome="restored")).splitlines()[1].split()[0] == "✔"


def test_a_revision_of_the_way_back_does_not_stand_beside_the_version_that_was_tried() -> None:
    back = replace(BAD, version="0.0.2", revision=7, phases=(PhaseTiming("rollout", 1.0), PhaseTiming("rollback", 1.0)))
    assert report(back).splitlines()[1].split()[3:7] == ["rolled", "back", "0.0.2", "-"]
    for outcome in ("interrupted", "failed"):
        assert report(replace(back, outcome=outcome)).splitlines()[1].split()[4:6] == ["0.0.2", "-"]
        still = replace(back, outcome=outcome, phases=(PhaseTiming("rollout", 1.0),))
        assert report(still).splitlines()[1].split()[4:6] == ["0.0.2", "7"]
    assert report(replace(back, outcome="repaired", error=None)).splitlines()[1].split()[4:6] == ["0.0.2", "7"]


def test_no_more_pods_are_ready_than_are_wanted() -> None:
    ending = WorkloadState(DEPLOYMENT, 1, 1, 2, "ready")
    other = WorkloadState(replace(DEPLOYMENT, name="other"), 2, 2, 1, "progressing")
    assert pods([ending]) == "1/1"
    assert pods([ending, other]) == "2/3"


def test_of_very_many_targets_those_that_did_nothing_are_counted() -> None:
    idle = [TargetResult(Target("prod", "london", f"app{number:02}"), "unchanged") for number in range(30)]
    text = report(*idle, TargetResult(Target("prod", "london", "busy"), "deployed", version="2"))
    assert "app00" not in text
    assert "busy" in text
    assert "=  and 30 in which nothing was to be done" in text
    assert "30 unchanged, 1 deployed" in text
    assert "app00" not in report(*idle)
    assert "and 30 in which" in report(*idle)


HOSTILE = "bad\x1b]52;c;aGk=\x07\x1b[2J\rend"


def test_nothing_that_was_said_does_anything_to_the_terminal() -> None:
    said = DeploymentFailed(HOSTILE, where=HOSTILE, why=f"first\n{HOSTILE}", hint=HOSTILE)
    evidence = Evidence(
        workloads=(WorkloadState(DEPLOYMENT, 2, 1, 0, "failed", HOSTILE),),
        events=(HOSTILE,),
        containers=(ContainerEvidence("myapp-1", "web", HOSTILE, (HOSTILE,)),),
    )
    bad = replace(BAD, version=HOSTILE, error=said, evidence=evidence)
    good = replace(GOOD, reasons=(HOSTILE,), changes=(HOSTILE,), repairs=(HOSTILE,), warnings=(HOSTILE,), url=HOSTILE)
    result = DeploymentResult("id-1", "prod", HOSTILE, None, 12.3, (good, bad))
    lines = list(terminal_lines(result, colour=True))
    rest = "\n".join(lines).replace("\x1b[32m", "").replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert not any(one in rest for one in "\x1b\x07\r")
    assert r"    why:   first" in lines
    assert r"           bad\x1b]52;c;aGk=\x07\x1b[2J" in lines
    assert any(line.startswith("\x1b[31m✘") for line in lines)


def test_the_report_for_programs_is_exact() -> None:
    result = DeploymentResult("id-1", "prod", "anna", None, 1.0, (replace(BAD, error=DeploymentFailed(HOSTILE)),))
    assert json_document(result)["targets"][0]["errors"][0]["what"] == HOSTILE
