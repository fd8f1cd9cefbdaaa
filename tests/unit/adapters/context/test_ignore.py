from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.adapters.context.ignore import excluded

PATHS = ("Dockerfile", ".dockerignore", "a.log", "src/a.log", "src/b.py", "src/deep/c.py", "src/deep/d.log", "srcs/x")


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("", set()),
        ("# *.log\n\n", set()),
        ("*.log", {"a.log"}),
        ("**/*.log", {"a.log", "src/a.log", "src/deep/d.log"}),
        ("/src/", {"src/a.log", "src/b.py", "src/deep/c.py", "src/deep/d.log"}),
        ("src\n!src/deep", {"src/a.log", "src/b.py"}),
        ("src\n!src/deep\nsrc/deep/*.log", {"src/a.log", "src/b.py", "src/deep/d.log"}),
        ("*", {"a.log", "src/a.log", "src/b.py", "src/deep/c.py", "src/deep/d.log", "srcs/x"}),
        ("\ufeffa.log\r\n  srcs  \r\n", {"a.log", "srcs/x"}),
        ("Dockerfile\n.dockerignore", set()),
    ],
)
def test_patterns(patterns: str, expected: set[str]) -> None:
    assert excluded(PATHS, patterns) == expected


parts = st.sampled_from(["a", "b", "ab", "*", "?", "**", "*b", "a*"])
pattern_lists = st.lists(
    st.builds(
        lambda negated, names: negated + "/".join(names),
        st.sampled_from(["", "!"]),
        st.lists(parts, min_size=1, max_size=3),
    ),
    max_size=5,
)
paths = st.sets(
    st.builds("/".join, st.lists(st.sampled_from(["a", "b", "ab", "ba"]), min_size=1, max_size=3)), max_size=8
).map(lambda found: {path for path in found if not any(other.startswith(path + "/") for other in found)})


@settings(max_examples=150, deadline=None)
@given(pattern_lists, paths)
def test_it_leaves_out_what_the_docker_sdk_leaves_out(patterns: list[str], files: set[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for name in files:
            path = Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        kept = exclude_paths(directory, list(patterns))
        assert files - excluded(files, "\n".join(patterns)) == {os.fspath(path) for path in kept} & files
