"""Macros that templates import from `macros/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deployer.config import document
from deployer.config.evaluation import Evaluator
from deployer.config.nodes import ScalarNode
from deployer.config.templating import Templates
from deployer.errors import ConfigurationError

OBJECTS = """\
{# comment #}
{% macro thing(name, number=2) %}
{{ {"kind": "Thing", "name": name, "number": number} }}
{% endmacro %}
{% macro constant() %}{{ {"a": 1} }}{% endmacro %}
{% macro text(name) %}
kind: {{ name }}
count: {{ 5 }}
{% endmacro %}
{% macro broken(name) %}
{{ {"kind":
   name.nowhere} }}
{% endmacro %}
{% macro outer() %}{{ Name }}{% endmacro %}
{% macro again(n) %}{{ again(n) }}{% endmacro %}
"""


@pytest.fixture
def value(tmp_path: Path) -> Any:
    """Evaluates a template with `macros/objects.j2`, and other files, in its repository."""

    def evaluate(template: str, files: Mapping[str, str] = {}, secrets: Any = None) -> Any:
        for name, text in {"macros/objects.j2": OBJECTS, **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        root = document.parse('Name: "site"\nPASSWORD: "s3cret"\n', "f.yml")
        object.__setattr__(root.entries["PASSWORD"].value, "secret", True)
        evaluator = Evaluator(root, {}, Templates(tmp_path))
        return evaluator.plain(ScalarNode(template, "t.yml", 7, block=True), ("key",), None, secrets)

    return evaluate


FROM = '{% from "macros/objects.j2" import thing, constant, text, broken, outer, again %}'


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (FROM + "{{ thing(Name) }}", {"kind": "Thing", "name": "site", "number": 2}),
        (FROM + "\n{{ thing('0123', number=3) }}\n", {"kind": "Thing", "name": "0123", "number": 3}),
        (FROM + "{{ constant() }}", {"a": 1}),
        (FROM + "{{ text(Name) | from_yaml }}", {"kind": "site", "count": 5}),
        (FROM + "x{{ constant() }}", "x{'a': 1}"),
        ('{% import "macros/objects.j2" as objects %}{{ objects.thing(Name).number }}', 2),
    ],
)
def test_a_macro_of_one_expression_gives_its_value_and_others_give_text(
    value: Any, template: str, expected: Any
) -> None:
    assert value(template) == expected


def test_macros_may_import_macros(value: Any) -> None:
    other = '{% from "macros/objects.j2" import thing %}{% macro two(n) %}{{ [thing(n), thing(n)] }}{% endmacro %}'
    assert len(value('{% from "macros/a/two.j2" import two %}{{ two("x") }}', {"macros/a/two.j2": other})) == 2


def test_what_a_macro_makes_of_a_secret_is_known_as_secret(value: Any) -> None:
    secrets: dict[Any, Any] = {}
    assert value(FROM + "{{ thing(PASSWORD | upper) }}", secrets=secrets)["name"] == "S3CRET"
    assert secrets == {("key",): frozenset({"PASSWORD"})}


@pytest.mark.parametrize(
    ("template", "words", "place"),
    [
        (FROM + "\n{{ broken(Name) }}", "has no nowhere", "macros/objects.j2:11"),
        (FROM + "\n{{ outer() }}", "Name is undefined a macro knows its arguments alone", "macros/objects.j2:14"),
        (FROM + "\n{{ again(1) }}", "nested too deeply", "macros/objects.j2:15"),
        (FROM + "\n{{ thing() }}", "name is undefined", "macros/objects.j2:3"),
        (FROM + "\n{{ thing(Name, colour=1) }}", "no keyword argument 'colour'", "t.yml:9"),
        (
            '\n{% from "macros/object.j2" import thing %}{{ thing() }}',
            "there is no macros/object.j2 did you mean macros/objects.j2?",
            "t.yml:9",
        ),
        ('{% from "macros/objects.j2" import think %}{{ think() }}', "macros/objects.j2 has no macro think", "t.yml:8"),
        ('{% from "macros/bad.j2" import x %}{{ x() }}', "not valid Jinja2", "macros/bad.j2:2"),
        ('{% from "macros/bytes.j2" import x %}{{ x() }}', "not UTF-8", "macros/bytes.j2"),
        ('{% from "macros/link.j2" import x %}{{ x() }}', "is not in macros/", "macros/link.j2"),
        ('{% from "macros/include.j2" import x %}{{ x() }}', "cannot include", "macros/include.j2:2"),
        ('{% from "macros/../f.j2" import x %}{{ x() }}', "can import macros only", "t.yml:8"),
        ('{% from "/etc/passwd" import x %}{{ x() }}', "can import macros only", "t.yml:8"),
        ('{% from "macros/.hidden.j2" import x %}{{ x() }}', "can import macros only", "t.yml:8"),
        ("{% from 5 import x %}{{ x() }}", "can import macros only", "t.yml:8"),
    ],
)
def test_mistakes_are_told_where_they_stand(value: Any, tmp_path: Path, template: str, words: str, place: str) -> None:
    (tmp_path / "macros").mkdir()
    (tmp_path / "macros/bytes.j2").write_bytes(b"\xff\xfe")
    (tmp_path / "f.j2").write_text("{% macro x() %}{% endmacro %}")
    (tmp_path / "macros/link.j2").symlink_to(tmp_path / "f.j2")
    files = {"macros/bad.j2": "\n{% macro x( %}{% endmacro %}", "macros/include.j2": "\n{% include 'macros/bad.j2' %}"}
    with pytest.raises(ConfigurationError) as caught:
        value(template, files)
    error = caught.value
    assert words in f"{error.what} {error.why or ''} {error.hint or ''}".replace("  ", " ")
    assert str(error.where) == place
