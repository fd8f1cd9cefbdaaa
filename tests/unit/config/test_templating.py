from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from deployer.config import document
from deployer.config.circles import CircularReference
from deployer.config.evaluation import Evaluator
from deployer.config.nodes import ScalarNode
from deployer.config.templating import Templates
from deployer.errors import ConfigurationError, Location

from .conftest import Evaluate

VARIABLES = """\
Name: myapp
Values:
  myapp:
    Replicas: 2
    Port: "{{ 8000 + 80 }}"
    Enabled: true
    Deep: "{{ Values.other.X }}"
    VALUES1: Hello
    labels: {a: "{{ Name }}", b: 2}
    items: 5
  other: {X: "{{ Y }}"}
Y: deep
Text: "0123"
List: [3, "{{ Name }}", {k: v}]
Broken: "{{ Nothing }}"
A: "{{ B }}"
B: "{{ C }}"
C: "x {{ A }}"
Self: "{{ Self }}"
Block: |
  first
  second {{ Nope }}
  third
"""


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ Values[Name].Replicas }}", 2),
        ("{{ Values[Name].Port }}", 8080),
        ("{{ Values[Name].Enabled }}", True),
        ("{{ Values[Name].Deep }}", "deep"),
        ("{{ Text }}", "0123"),
        ("{{ Text | int }}", 123),
        ("{{ Text }}{# comment #}", "0123"),
        ("{{ 5 }}", 5),
        ("{{ '5' }}", "5"),
        ("{{ none }}", None),
        ("{{ List }}", [3, "myapp", {"k": "v"}]),
        ("{{ List[1] }}", "myapp"),
        ("{{ Values[Name].labels }}", {"a": "myapp", "b": 2}),
        ("{{ {'x': Values[Name].labels} }}", {"x": {"a": "myapp", "b": 2}}),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ Name | e }}", "myapp"),
    ],
)
def test_one_expression_keeps_the_type_of_its_value(evaluate: Evaluate, template: str, value: Any) -> None:
    result = evaluate(template, VARIABLES)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ Values[Name].Replicas }} ", "2 "),
        ("{{ 1 }}{{ 2 }}", "12"),
        ("{% if true %}5{% endif %}", "5"),
        ("0{{ 1 }}", "01"),
        ("x{{ none }}y{{ true }}", "xyTrue"),
        ("{{ Name }}\n", "myapp\n"),
        ("{% if true %}\na\n{% endif %}\nb\n", "a\nb\n"),
        ("{% set x = 5 %}{{ x }}", "5"),
        ("{% for k, v in Values[Name].labels.items() %}{{ k }}={{ v }};{% endfor %}", "a=myapp;b=2;"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(Name) }}", "<myapp>"),
        ("v{{ Values[Name].labels }}", "v{'a': 'myapp', 'b': 2}"),
        ("{% raw %}{{ Name }}{% endraw %}", "{{ Name }}"),
        ("a & b < {{ '<c>' }}", "a & b < <c>"),
        ("a{{ 'b' if false }}", "a"),
    ],
)
def test_everything_else_is_text(evaluate: Evaluate, template: str, text: str) -> None:
    assert evaluate(template, VARIABLES) == text


def test_what_a_template_gives_is_not_a_template_again(evaluate: Evaluate) -> None:
    assert evaluate("{{ '{{ Name }}' }}", VARIABLES) == "{{ Name }}"
    assert evaluate("{{ Made }}", "Made: \"{{ '{{' ~ ' Name }}' }}\"\nName: x") == "{{ Name }}"


@pytest.mark.parametrize(
    "template",
    [
        "{{ Values.myapp.Replicas }}",
        "{{ 2 if true else Broken }}",
        "{{ 2 if true else A }}",
        "{{ [2, 3] | first if Values else Broken }}",
        "{{ Values.myapp.get('Replicas', 0) }}",
        "{{ Nothing | default(2) }}",
        "{{ Nothing.at.all | default(2) }}",
        "{{ Values.nothing.at['all'] | default(2) }}",
        "{{ 2 if Nothing is undefined else Broken }}",
    ],
)
def test_only_what_is_needed_is_evaluated(evaluate: Evaluate, template: str) -> None:
    variables = VARIABLES.replace("  other: {X: ", '  bad: "{{ Nothing }}"\n  other: {X: ')
    assert evaluate(template, variables) == 2


def test_each_value_is_evaluated_once() -> None:
    calls: list[int] = []

    def commit() -> str:
        calls.append(1)
        return "abc"

    root = document.parse('Commit: "{{ GitCommit }}"\nUnused: 1', "f.yml")
    evaluator = Evaluator(root, {"GitCommit": commit}, Templates())
    node = ScalarNode("{{ Commit }}{{ Commit }}{{ GitCommit }}", "t.yml")
    assert calls == []
    assert evaluator.plain(node, ()) == "abcabcabc"
    assert calls == [1]


def test_a_template_cannot_change_what_others_see(evaluate: Evaluate) -> None:
    variables = 'L: "{{ [1] }}"\nAdds: "{% set mine = L %}{% set x = mine.append(2) %}{{ mine }}"'
    assert evaluate("{{ Adds }}{{ L }}", variables) == "[1, 2][1]"


def test_omit_leaves_a_key_or_item_out() -> None:
    root = document.parse('a: {b: "{{ Nothing | default(omit) }}", c: 1}\nd: [1, "{{ omit }}"]', "f.yml")
    assert Evaluator(root, {}, Templates()).plain(root, ()) == {"a": {"c": 1}, "d": [1]}


# --- errors


def failure(evaluate: Evaluate, template: str, variables: str = VARIABLES, **more: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        evaluate(template, variables, **more)
    return caught.value


def test_an_undefined_key_names_its_mapping_and_what_was_meant(evaluate: Evaluate) -> None:
    error = failure(evaluate, "{{ Values[Name].VALUE1 }}")
    assert error.what == "Values.myapp has no VALUE1"
    assert error.hint == "did you mean VALUES1 (f.yml:8:5)?"
    assert str(error.where) == "t.yml:7"


def test_an_undefined_variable_names_the_chain_that_led_there(evaluate: Evaluate) -> None:
    error = failure(evaluate, "image {{ Broken }}")
    assert (error.what, str(error.where), error.hint) == ("Nothing is undefined", "f.yml:15:9", "it is nowhere")
    assert error.chain == ("t.yml:7 key", "f.yml:15 Broken")
    assert failure(evaluate, "{{ Nam }}").hint == "did you mean Name?"
    assert failure(evaluate, "{{ Stage }}", STAGE="prod").hint == "did you mean STAGE?"


def test_lines_inside_a_block_are_counted(evaluate: Evaluate) -> None:
    error = failure(evaluate, "{{ Block }}")
    assert str(error.where) == "f.yml:22"
    assert error.chain == ("t.yml:7 key", "f.yml:22 Block")
    multi = "Block: |\n  {% if true %}\n  a\n  {{ 1 / 0 }}\n  {% endif %}\n"
    assert str(failure(evaluate, "{{ Block }}", multi).where) == "f.yml:4"
    syntax = "Block: |\n  a\n  b {{ | }}\n"
    assert str(failure(evaluate, "{{ Block }}", syntax).where) == "f.yml:3"


def test_a_circle_is_shown_with_its_places(evaluate: Evaluate) -> None:
    error = failure(evaluate, "{{ A }}")
    assert error.why == "A → B → C → A"
    assert error.chain == ("t.yml:7 key", "f.yml:16 A", "f.yml:17 B", "f.yml:18 C", "f.yml:16 A")
    assert failure(evaluate, "{{ Self }}").what == "Self refers to itself"


CIRCLES = """\
Values:
  other:
    SETTINGS: "{{ Values }}"
A: {x: {deep: "{{ B }}"}}
B: {y: "{{ A }}"}
List: [{z: "{{ List }}"}]
Twice: {p: "{{ Same }}", q: "{{ Same }}"}
Same: {r: 1}
"""


@pytest.mark.parametrize(
    ("template", "what", "why", "where", "chain"),
    [
        ("{{ Values }}", "Values.other.SETTINGS holds itself", "Values.other.SETTINGS → Values → Values.other.SETTINGS",
         "f.yml:3:15", ("f.yml:3 Values.other.SETTINGS",) * 2),
        ("x{{ Values.other }}", "Values.other.SETTINGS holds itself",
         "Values.other.SETTINGS → Values → Values.other.SETTINGS",
         "f.yml:3:15", ("f.yml:3 Values.other.SETTINGS",) * 2),
        ("{{ A | to_json }}", "these values hold each other in a circle", "A.x.deep → B → B.y → A → A.x.deep",
         "f.yml:4:15", ("f.yml:4 A.x.deep", "f.yml:5 B.y", "f.yml:4 A.x.deep")),
        ("{{ List }}", "List[0].z holds itself", "List[0].z → List[0] → List[0].z", "f.yml:6:12",
         ("f.yml:6 List[0].z",) * 2),
    ],
)  # fmt: skip
def test_a_circle_by_way_of_a_mapping_is_shown_with_its_places(
    evaluate: Evaluate, template: str, what: str, why: str, where: str, chain: tuple[str, ...]
) -> None:
    error = failure(evaluate, template, CIRCLES)
    assert isinstance(error, CircularReference)
    assert (error.what, error.why, str(error.where)) == (what, why, where)
    assert error.chain == ("t.yml:7 key", *chain)


def test_a_mapping_that_stands_in_two_places_is_no_circle(evaluate: Evaluate) -> None:
    assert evaluate("{{ Twice }}", CIRCLES) == {"p": {"r": 1}, "q": {"r": 1}}
    assert evaluate("{{ [Same, Same] }}", CIRCLES) == [{"r": 1}, {"r": 1}]


@pytest.mark.parametrize("template", ["{{ A0 }}", "x{{ A0 }}", "{{ A0 | length }}{{ A0 | to_json }}"])
def test_templates_that_nest_each_other_without_end_are_refused(evaluate: Evaluate, template: str) -> None:
    deep = "".join(f'A{i}: {{x: "{{{{ A{i + 1} }}}}"}}\n' for i in range(400)) + "A400: 1\n"
    assert "nested more than 150 levels deep" in failure(evaluate, template, deep).what


def test_templates_that_repeat_each_other_without_end_are_refused(evaluate: Evaluate) -> None:
    wide = "".join(f"A{i}: {{" + ", ".join(f'x{j}: "{{{{ A{i + 1} }}}}"' for j in range(10)) + "}\n" for i in range(9))
    assert "more than 200,000 values" in failure(evaluate, "{{ A0 }}", wide + "A9: 1\n").what
    for double, last, words in (
        ("[A{}, A{}]", "1", "more than 200,000 values"),
        ("A{} ~ A{}", "x", "the text is longer than 10 MiB"),
    ):
        doubled = "".join(f'A{i}: "{{{{ {double.format(i + 1, i + 1)} }}}}"\n' for i in range(38))
        assert words in str(failure(evaluate, "{{ A0 }}", doubled + f"A38: {last}\n").why)
    assert "longer than 10 MiB" in str(failure(evaluate, "{% for _ in range(99999) %}{{ 'x' * 999 }}{% endfor %}").why)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ Name", "not valid Jinja2"),
        ("{% if %}", "not valid Jinja2"),
        ("${#array[@]}", "{% raw %}"),
        ("{{ Name | nofilter }}", "there is no filter nofilter"),
        ("{{ Name | b64encod }}", "did you mean b64encode?"),
        ("{{ Name is verison('1') }}", "did you mean version?"),
        ("{{ Name | community.general.x }}", "collections are not offered"),
        ("{{ lookup('file', '/etc/passwd') }}", "lookups are not offered"),
        ("{{ query('env', 'X') }}", "lookups are not offered"),
        ("{{ lookup('env', 'NO_SUCH_VARIABLE') }}", "NO_SUCH_VARIABLE is not set"),
        ("{{ now() }}", "now() is not offered"),
        ("{{ Name.__class__ }}", "may not have"),
        ("{{ [].__class__.__base__.__subclasses__() }}", "may not have"),
        ("{{ range(10 ** 12) }}", "too big"),
        ("{{ 'a' * 10 ** 9 }}", "too large"),
        ("{{ 9 ** 1000000 }}", "exponent"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested too deeply"),
        ("{% include 'x' %}", "cannot include"),
        ("{% import 'x' as y %}", "can import macros only"),
        ("{% extends 'x' %}", "cannot include"),
        ("{% from 'macros/x.j2' import y with context %}", "with context"),
        ("{% from 'macros/x.j2' import y %}{{ y() }}", "cannot import macros here"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ Name + 1 }}", "can only concatenate"),
        ("{{ 'maybe' | bool }}", "'maybe' is not a boolean"),
        ("{{ Nothing | mandatory('say it') }}", "say it"),
        ("{{ Nothing | mandatory }}", "Nothing is undefined"),
        ("{{ Nothing | to_json }}", "Nothing is undefined"),
        ("{{ Values.myapp.items }}", "['items']"),
        ("{{ Values.myapp.Replicas.x }}", "int has no x"),
        ("x{{ omit }}", "omit can only be"),
        ("{{ cycler }}", "call it"),
        ("{{ 'x' | from_json }}", "Expecting value"),
        (
            "{% for i in range(99999) %}{% for j in range(9) %}{{ nothing }}{% endfor %}{% endfor %}",
            "nothing is undefined",
        ),
    ],
)
def test_failures_say_why(evaluate: Evaluate, template: str, words: str) -> None:
    error = failure(evaluate, template)
    assert words in f"{error.what} {error.why} {error.hint}"
    assert str(error.where) == "t.yml:7"


def test_a_long_chain_of_references_is_refused(evaluate: Evaluate) -> None:
    variables = "\n".join(f'V{i}: "{{{{ V{i + 1} }}}}"' for i in range(300)) + "\nV300: end"
    assert "refer to each other" in failure(evaluate, "{{ V0 }}", variables).what
    assert evaluate("{{ V270 }}", variables) == "end"


# --- secrets


@pytest.mark.parametrize(
    "template",
    [
        "{{ Password | int('x') + 1 }}",
        "{{ Password | from_json }}",
        "{{ Password | bool }}",
        "{{ Password | b64encode | bool }}",
        "{{ Copy | to_datetime }}",
        "{{ {'a': 1}[Password] }}",
        "{{ Values[Password] }}",
        "{{ [Password] | map('bool') | list }}",
        "{{ Password | hash(Password) }}",
        "{{ Password.nothing }}",
        "{{ ('x' ~ Password) | mandatory(Password) | bool }}",
        "{{ lookup('env', Password) }}",
        "{{ lookup('env', Password | b64encode) }}",
    ],
)
def test_errors_do_not_quote_what_comes_from_a_secret(evaluate: Evaluate, template: str) -> None:
    variables = 'Password: hunter2\nCopy: "{{ Password }}"\nValues: {a: 1}\n'
    error = failure(evaluate, template, variables, secret=("Password",))
    told = " ".join(map(str, (error.what, error.why, error.hint, error.where, *error.chain)))
    assert "hunter2" not in told
    assert "aHVudGVyMg" not in told
    assert error.__suppress_context__ or error.__context__ is None


def test_a_variable_that_a_template_names_is_told_beside_a_secret(evaluate: Evaluate) -> None:
    error = failure(evaluate, "{{ Password ~ lookup('env', 'NO_SUCH') }}", "Password: hunter2", secret=("Password",))
    assert error.why == "the environment variable NO_SUCH is not set"


def test_a_secret_that_is_a_broken_template_is_not_quoted(evaluate: Evaluate) -> None:
    for text in ("hun{{ter2", "hun{{ ter2 }}", "hun{% ter2 %}"):
        error = failure(evaluate, "{{ Password }}", f"Password: '{text}'", secret=("Password",))
        assert "ter2" not in f"{error} {error.hint}"
        assert "this secret value is a template" in error.what
        assert "{% raw %}" in (error.hint or "")
        assert str(error.where) == "f.yml:1:11"


def test_what_uses_a_secret_is_known_by_name() -> None:
    root = document.parse(
        'P: x\nUses: "{{ P }}"\nAlso: ["{{ Uses | b64encode }}", 1]\nNot: "{{ 1 if false else 2 }}"', "f.yml"
    )
    object.__setattr__(root.entries["P"].value, "secret", True)
    secrets: dict[Any, frozenset[str]] = {}
    Evaluator(root, {}, Templates()).plain(root, (), None, secrets)
    assert secrets == {("P",): {"P"}, ("Uses",): {"P"}, ("Also", 0): {"P"}}


def test_a_branch_that_is_not_taken_uses_no_secret() -> None:
    root = document.parse('P: x\nV: "{{ P if false else 1 }}"', "f.yml")
    object.__setattr__(root.entries["P"].value, "secret", True)
    evaluator = Evaluator(root, {}, Templates())
    with evaluator.watching() as seen:
        evaluator.plain(root.entries["V"].value, ("V",))
    assert seen == set()


def test_all_errors_are_collected() -> None:
    root = document.parse('a: "{{ One }}"\nb: [1, "{{ Two }}"]\nc: {d: "{{ Three }}", e: 5}', "f.yml")
    errors: list[ConfigurationError] = []
    value = Evaluator(root, {}, Templates()).plain(root, (), errors)
    assert [error.what for error in errors] == [f"{name} is undefined" for name in ("One", "Two", "Three")]
    assert value["c"] == {"d": None, "e": 5}


def test_a_file_is_rendered_as_text_with_its_lines() -> None:
    evaluator = Evaluator(document.parse("N: 5", "f.yml"), {}, Templates())
    assert evaluator.render("{{ N }}", Location("x.j2", 1)) == "5"
    with pytest.raises(ConfigurationError) as caught:
        evaluator.render("one\ntwo {{ Nothing }}\n", Location("x.j2", 1))
    assert str(caught.value.where) == "x.j2:2"


def test_a_lookup_gives_environment_variables(evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOYER_TEST", "here")
    assert evaluate("{{ lookup('env', 'DEPLOYER_TEST') }}") == "here"
    assert evaluate("{{ lookup('env', 'NO_SUCH_VARIABLE', default='x') }}") == "x"
    assert evaluate("{{ lookup('env', 'NO_SUCH_VARIABLE') | default('y') }}") == "y"


def test_ansible_is_loaded_only_for_its_own_filters() -> None:
    script = """
import sys
from deployer.config import document
from deployer.config.circles import CircularReference
from deployer.config.evaluation import Evaluator
from deployer.config.templating import Templates
text = '''A: "{{ [1] | map('string') | join(',') | default('x') | upper }}{{ 'yes' | bool }}{{ 1 is defined }}"
B: "{{ 'x' | b64encode }}"'''
root = document.parse(text, 'f')
evaluator = Evaluator(root, {}, Templates())
print(evaluator.plain(root.entries['A'].value, ('A',)), 'ansible' in sys.modules)
print(evaluator.plain(root.entries['B'].value, ('B',)), 'ansible' in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1TrueTrue", "False", "eA==", "True"]
