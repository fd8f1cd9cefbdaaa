from __future__ import annotations

import re
from typing import Any

import pytest

from deployer.config import filters
from deployer.config.templating import Environment
from deployer.errors import ConfigurationError

from .conftest import Evaluate

VARIABLES = """\
Map: {b: 2, a: "{{ One }}"}
One: 1
Nested: {x: {y: 1}}
People: [{name: ann, age: 30, tags: [a, b]}, {name: bob, age: 20, tags: [b]}]
Mixed: [{a: 1}, {a: 1}, 2]
"""


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("Map | to_json", '{"b": 2, "a": 1}'),
        ("Map | to_nice_json(indent=2)", '{\n  "a": 1,\n  "b": 2\n}'),
        ("Map | to_nice_yaml", "a: 1\nb: 2\n"),
        ("'0123' | to_nice_yaml", "'0123'\n"),
        ('\'{"a": [1, "x"]}\' | from_json', {"a": [1, "x"]}),
        ("'a: [1, x]' | from_yaml", {"a": [1, "x"]}),
        ("'a: 1\n---\nb: 2' | from_yaml_all", [{"a": 1}, {"b": 2}]),
        ("'x' | b64encode | b64decode", "x"),
        ("'x' | hash('sha256')", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
        ("'x' | md5", "9dd4e461268c8034f5c8564e155c67a6"),
        ("'x' | to_uuid", "66b2f013-1baa-5313-9c8c-e6f1182e0e90"),
        ("Map | combine({'c': 3}, Nested)", {"b": 2, "a": 1, "c": 3, "x": {"y": 1}}),
        ("Nested | combine({'x': {'z': 2}}, recursive=True)", {"x": {"y": 1, "z": 2}}),
        ("Map | dict2items | map(attribute='key') | list", ["b", "a"]),
        ("[{'key': 'k', 'value': 'v'}] | items2dict", {"k": "v"}),
        ("(One == 1) | ternary('yes', 'no')", "yes"),
        ("'a1b2' | regex_replace('[0-9]', '#')", "a#b#"),
        ("'a1b2' | regex_search('[0-9]')", "1"),
        ("'a1b2' | regex_findall('[0-9]')", ["1", "2"]),
        ("'a.b' | regex_escape", "a\\.b"),
        ("'a b' | quote", "'a b'"),
        ("['a', 'b'] | path_join", "a/b"),
        ("'/a/b.txt' | basename | splitext", ["b", ".txt"]),
        ("[[1, [2]], 3] | flatten", [1, 2, 3]),
        ("[1, 2] | zip(['a', 'b']) | list", [[1, "a"], [2, "b"]]),
        ("['q', 'a', 'q'] | union(['z', 'a', 'b'])", ["q", "a", "z", "b"]),
        ("['q', 'a', 'q', 'c'] | difference(['c', 'x'])", ["q", "a"]),
        ("['q', 'a', 'q', 'c'] | intersect(['c', 'x', 'q'])", ["q", "c"]),
        ("['q', 'a'] | symmetric_difference(['x', 'a', 'b'])", ["q", "x", "b"]),
        ("Mixed | union([{'a': 1}, 3])", [{"a": 1}, 2, 3]),
        ("Mixed | intersect([2, 2])", [2]),
        ("[2, 4] | difference(Mixed)", [4]),
        ("[2, 4] | symmetric_difference(Mixed)", [4, {"a": 1}]),
        ("Mixed | unique", [{"a": 1}, 2]),
        ("60 | random(seed='x') == 60 | random(seed='x')", True),
        ("[1, 2, 3] | shuffle(seed='x') == [1, 2, 3] | shuffle(seed='x')", True),
        ("[1, 2, 3] | random(seed=0) == [1, 2, 3] | random(seed=0)", True),
        ("'%Y-%m-%d %H:%M' | strftime(0, utc=true)", "1970-01-01 00:00"),
        ("('2024-01-02 00:00:00' | to_datetime).year", 2024),
        ("'/a/b' | relpath('/a/c')", "../b"),
        ("'a/b' | relpath", "a/b"),
        ("'1 KB' | human_to_bytes", 1024),
        ("1024 | human_readable", "1.00 KB"),
        ("'https://u@host:8443/p?q=1' | urlsplit('port')", 8443),
        ("'a%20b' | urldecode", "a b"),
        ("'a:b' | split(':')", ["a", "b"]),
        ("People | subelements('tags') | length", 3),
        ("'x' | extract(Nested)", {"y": 1}),
        ("'# ' | comment is string", True),
        ("[1, 2, 3] | permutations(2) | list | length", 6),
        ("8 | log(2) | int", 3),
        ("Map | type_debug", "dict"),
        ("'yes' | ansible.builtin.bool", True),
        ("'x' | ansible.builtin.b64encode", "eA=="),
        ("'no' | bool", False),
        ("1 | bool", True),
        ("5 | mandatory", 5),
        # Jinja2's own, with lazy values
        ("Map | length", 2),
        ("Map | dictsort", [["a", 1], ["b", 2]]),
        ("Map | tojson", '{"a": 1, "b": 2}'),
        ("People | map(attribute='name') | join(',')", "ann,bob"),
        ("People | selectattr('age', 'gt', 25) | map(attribute='name') | list", ["ann"]),
        ("People | groupby('age') | map('first') | list", [20, 30]),
        ("People | sort(attribute='age') | first", {"name": "bob", "age": 20, "tags": ["b"]}),
        ("Map.items() | list", [["b", 2], ["a", 1]]),
        ("Nested == {'x': {'y': 1}}", True),
    ],
)
def test_filters(evaluate: Evaluate, expression: str, value: Any) -> None:
    result = evaluate("{{ " + expression + " }}", VARIABLES)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("test", "value"),
    [
        ("'1.10' is version('1.9', '>')", True),
        ("'1.0.0-rc1' is version('1.0.0', '<', version_type='semver')", True),
        ("'abc' is match('a')", True),
        ("'abc' is search('c')", True),
        ("[1] is subset([1, 2])", True),
        ("[1, 2] is contains(2)", True),
        ("[true, false] is any", True),
        ("[true, false] is all", False),
        ("'yes' is truthy(convert_bool=True)", True),
        ("'https://x/y' is url", True),
        ("'x' is ansible.builtin.match('x')", True),
        ("Map is mapping", True),
        ("Map.a is number", True),
        ("Map.c is defined", False),
        ("Nested.x is sequence", True),
    ],
)
def test_tests(evaluate: Evaluate, test: str, value: bool) -> None:
    assert evaluate("{{ " + test + " }}", VARIABLES) is value


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("'$HOME' | expandvars", "the filter expandvars is not offered: it reads environment variables"),
        ("['$HOME'] | map('ansible.builtin.expandvars') | first", "the filter expandvars is not offered"),
        ("'~' | expanduser", "the filter expanduser is not offered"),
        ("'.' | realpath", "the filter realpath is not offered"),
        ("'/etc/*' | fileglob", "the filter fileglob is not offered: it looks at the files"),
        ("'/a' | relpath", "the filter relpath is not offered"),
        ("5 | random", "the filter random needs seed"),
        ("[1, 2] | shuffle", "the filter shuffle needs seed"),
        ("[1, 2] | shuffle(seed='')", "the filter shuffle needs seed"),
        ("'x' | password_hash('sha512')", "the filter password_hash needs salt"),
        ("'x' | vault('secret')", "the filter vault needs salt"),
        ("'%Y' | strftime", "the filter strftime needs second"),
        ("'%Y' | strftime(0)", "the filter strftime needs utc"),
        ("('2024-01-02 00:00:00' | to_datetime).now()", "templates may not have"),
        ("('2024-01-02 00:00:00' | to_datetime).date().today()", "templates may not have"),
        ("'/' is directory", "the test directory is not offered"),
        ("'/' is ansible.builtin.exists", "the test exists is not offered"),
        ("'/x' is vaulted_file", "the test vaulted_file is not offered"),
        ("['/'] | select('file') | list", "the test file is not offered"),
    ],
)
def test_what_differs_between_machines_or_runs_is_refused(evaluate: Evaluate, expression: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        evaluate("{{ " + expression + " }}")
    assert words in f"{raised.value.what}: {raised.value.why}"


def test_results_are_plain_python(evaluate: Evaluate) -> None:
    """Ansible gives subclasses of dict and str that carry tags; they must not get into manifests."""
    result = evaluate("{{ 'a: {b: [x]}' | from_yaml }}")
    assert [type(part) for part in (result, result["a"], result["a"]["b"], result["a"]["b"][0])] == [
        dict,
        dict,
        list,
        str,
    ]
    assert type(evaluate("{{ '<x>' | escape }}")) is str


def test_ansible_prints_no_values(evaluate: Evaluate, capfd: pytest.CaptureFixture[str]) -> None:
    evaluate("{{ Map | from_yaml | length }}", VARIABLES)
    evaluate("{{ {'x': 'hunter2'} is finished }}")
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_our_own_filters_agree_with_ansible() -> None:
    ansible = filters.ansible_filters()
    for value in ("yes", "No", "TRUE", "0", 1, 0, True, False, "off"):
        assert filters.to_bool(value) == ansible["bool"](value)


def test_every_ansible_filter_and_test_is_offered() -> None:
    environment = Environment()
    for name in filters.ansible_filters():
        assert environment.filters.get(name) is not None
    for name in filters.ansible_tests():
        assert environment.tests.get(name) is not None
    assert re.search("b64encode", environment.filters.suggestion("b64encod") or "")
