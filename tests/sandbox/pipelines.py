"""Runs the Maven project in tests/jenkins, in which JenkinsPipelineUnit runs generated pipelines."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from deployer.events import Event
from deployer.tools import ensure
from deployer.tools.resolve import cache_directory
from tests.sandbox.surroundings import CHECKOUT

MAVEN_PROJECT = CHECKOUT / "tests/jenkins"


@dataclass(frozen=True)
class Case:
    """What became of one test; `trouble` is empty when it went well."""

    suite: str
    name: str
    trouble: str


class _Quiet:
    def emit(self, event: Event) -> None:
        pass


def run_pipelines(pipelines: Path, output: Path) -> list[Case]:
    """Run all tests over the pipelines below a directory. Java and Maven are installed where there are none."""
    tools = ensure(("java", "mvn"), _Quiet())
    command = [
        str(tools["mvn"]),
        "--batch-mode",
        "--quiet",
        f"--file={MAVEN_PROJECT}",
        f"-Dmaven.repo.local={cache_directory().parent / 'maven'}",
        f"-Doutput={output}",
        f"-Dpipelines={pipelines}",
        "test",
    ]
    environment = os.environ | {"MAVEN_OPTS": "-XX:TieredStopAtLevel=1"}  # it runs too briefly for better code
    # What was downloaded before is enough; the network is asked only where it is not.
    for options in (["--offline"], []):
        done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)
        if "offline" not in done.stdout:
            break
    reports = sorted((output / "surefire-reports").glob("TEST-*.xml"))
    assert reports, f"Maven ran no test\n{done.stdout}\n{done.stderr}"
    cases = [case for report in reports for case in ElementTree.parse(report).getroot().iter("testcase")]
    assert cases, done.stdout
    return [Case(str(case.get("classname")), str(case.get("name")), _trouble(case)) for case in cases]


def _trouble(case: ElementTree.Element) -> str:
    found = [one for kind in ("failure", "error", "skipped") for one in case.findall(kind)]
    return "\n".join(f"{one.tag}: {one.get('message')}\n{one.text}" for one in found)
