"""Paths inside manifests, written and read."""

from __future__ import annotations

import pytest

from deployer.plan.paths import Path, path_in, path_text


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ('Service "x" is invalid: spec.ports[0].port: Invalid value: 70000', ("spec", "ports", 0, "port")),
        ('strict decoding error: unknown field "spec.template.specs"', ("spec", "template", "specs")),
        ('ConfigMap "x" is invalid: data[a/b]: Invalid value: "a/b"', ("data", "a/b")),
        ("[metadata.name: Required value, spec.x: Required value]", ("metadata", "name")),
        ("namespaces is forbidden", ()),
        ("", ()),
    ],
)
def test_the_field_in_a_refusal(message: str, path: Path) -> None:
    assert path_in(message) == path


def test_a_path_as_its_reader_sees_it() -> None:
    assert path_text(("spec", "ports", 0, "port")) == "spec.ports[0].port"
