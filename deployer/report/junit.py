"""Reports of commands as JUnit's XML, a test case per app and region, for build servers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree

_HEALTHY = frozenset({"well", "busy"})
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class _Case:
    """`verdict`: `error` is for what could not be tried, `failure` for what was tried and is not well."""

    suite: str
    name: str
    seconds: float = 0.0
    verdict: Literal["", "failure", "error", "skipped"] = ""
    message: str = ""
    details: str = ""


def junit(document: Mapping[str, Any]) -> str:
    """The XML of a document of `--json` (docs/json.md): of a deployment, a plan or `deploy status`.

    What a plan would change is a failure: the region is not as the repository has it.
    """
    stage = str(document.get("stage") or "deploy")
    cases = list(_cases(document, stage))
    suite = ElementTree.Element("testsuite", _counts(cases) | {"name": f"{document.get('action') or 'deploy'} {stage}"})
    for case in cases:
        attributes = {"classname": case.suite, "name": case.name, "time": f"{case.seconds:.3f}"}
        element = ElementTree.SubElement(suite, "testcase", {key: _clean(text) for key, text in attributes.items()})
        if case.verdict:
            told = ElementTree.SubElement(element, case.verdict, {"message": _clean(case.message)})
            told.text = _clean(case.details)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _cases(document: Mapping[str, Any], stage: str) -> Iterator[_Case]:
    targets = document.get("targets") or []
    for target in targets:
        suite = f"{stage}.{target.get('application')}"
        name = str(target.get("region") or "no region")
        yield _of_status(target, suite, name) if "health" in target else _of_deployment(target, suite, name)
    if not targets:
        for error in document.get("errors") or []:
            yield _Case(
                stage, str(error.get("where") or "command"), 0.0, "error", str(error.get("what")), _told([error])
            )


def _of_deployment(target: Mapping[str, Any], suite: str, name: str) -> _Case:
    seconds = sum((target.get("phases") or {}).values())
    errors, outcome = target.get("errors") or [], str(target.get("outcome"))
    if outcome == "planned" and not errors:
        changes = [*(target.get("reasons") or []), *(target.get("changes") or [])]
        return _Case(suite, name, seconds, "failure", "it would be changed", "\n".join(map(str, changes)))
    if target.get("ok"):
        return _Case(suite, name, seconds)
    if outcome == "not started" and not errors:
        return _Case(suite, name, seconds, "skipped", outcome)
    details = "\n".join([_told(errors), *map(str, target.get("evidence") or [])])
    what = str(errors[0].get("what")) if errors else outcome
    if outcome == "planned":
        return _Case(suite, name, seconds, "error", f"cannot be deployed like this: {what}", details)
    return _Case(
        suite, name, seconds, "error" if outcome == "not started" else "failure", f"{outcome}: {what}", details
    )


def _of_status(target: Mapping[str, Any], suite: str, name: str) -> _Case:
    health, errors = str(target["health"]), target.get("errors") or []
    if errors:
        return _Case(suite, name, 0.0, "error", f"{health}: {errors[0].get('what')}", _told(errors))
    if health in _HEALTHY:
        return _Case(suite, name)
    if health == "absent":
        return _Case(suite, name, 0.0, "skipped", "deployed to no region")
    skew = [
        f"{one.get('what')}: {one.get('here')}, elsewhere {one.get('elsewhere')}" for one in target.get("skew") or []
    ]
    stuck = [f"{one.get('object')}: {one.get('reason')}" for one in target.get("workloads") or [] if one.get("reason")]
    return _Case(suite, name, 0.0, "failure", health, "\n".join([*skew, *stuck]))


def _told(errors: list[Mapping[str, Any]]) -> str:
    lines = [str(error[key]) for error in errors for key in ("what", "where", "why", "hint") if error.get(key)]
    return "\n".join(lines)


def _counts(cases: list[_Case]) -> dict[str, str]:
    verdicts: list[str] = [case.verdict for case in cases]
    names = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {plural: str(verdicts.count(verdict)) for plural, verdict in names.items()}
    return {"tests": str(len(cases)), **counts, "time": f"{sum(case.seconds for case in cases):.3f}"}


def _clean(text: str) -> str:
    """Without characters that no XML may have."""
    return _NOT_XML.sub("\ufffd", text)
