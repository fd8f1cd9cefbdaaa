"""What BuildKit sends of a tree, by the text of `.dockerignore`: ours is held against it, and it against BuildKit."""

from __future__ import annotations

PATHS = (
    *("README.md", "a.log", "a+b", "ab", "ba", "x[1]", "x1", "\u00f6.txt"),
    *("app/target/a.jar", "app/target/b.class", "app/a.jar"),
    *("docs/c.md", "docs/x/a.txt", "docs/x/b.md", "docs/x/y/d.md"),
    *("src/a.log", "src/b.py", "src/deep/c.py", "src/deep/d.log", "src/deep/er/e.py", "srcs/x"),
)
"""Beside the Dockerfile and the ignore file."""

_ALL = frozenset(PATHS)
_SRC = {path for path in PATHS if path.startswith("src/")}
_DOCS = {path for path in PATHS if path.startswith("docs/")}
_LOGS = {"a.log", "src/a.log", "src/deep/d.log"}
_PYTHON = {"src/b.py", "src/deep/c.py", "src/deep/er/e.py"}

KEPT: dict[str, set[str] | frozenset[str]] = {
    "": _ALL,
    "# *.log\n\n": _ALL,
    " # *.log\n  *.log  ": _ALL - {"a.log"},
    "\ufeffa.log\r\n  srcs  \r\n": _ALL - {"a.log", "srcs/x"},
    "*.log": _ALL - {"a.log"},
    "**/*.log": _ALL - _LOGS,
    "**.log": _ALL - _LOGS,
    "**b": _ALL - {"ab", "a+b"},
    "src": _ALL - _SRC,
    "/src/": _ALL - _SRC,
    "./x/..//src/.": _ALL - _SRC,
    "../src": _ALL,
    "sr*": _ALL - _SRC - {"srcs/x"},
    "src**": _ALL - _SRC - {"srcs/x"},
    "src/**": _ALL - _SRC,
    "src/*": _ALL - _SRC,
    "src/**/*.py": _ALL - _PYTHON,
    "readme.md": _ALL,
    "SRC": _ALL,
    "a+b": _ALL - {"a+b"},
    "a?b": _ALL - {"a+b"},
    "[a-b][!b]": _ALL - {"ab"},
    "[^a]?": _ALL - {"ba", "x1"},
    "x[1]": _ALL - {"x1"},
    "x\\[1]": _ALL - {"x[1]"},
    "[[x]*": _ALL - {"x1", "x[1]"},
    "?.txt": _ALL - {"\u00f6.txt"},
    ".": _ALL,
    "*": set(),
    "**": set(),
    "src\n!src/deep": _ALL - {"src/a.log", "src/b.py"},
    "src\n!src/deep/*": _ALL - {"src/a.log", "src/b.py"},
    "src\n!src/deep\nsrc/deep/*.log": _ALL - {"src/a.log", "src/b.py", "src/deep/d.log"},
    "!src/deep\nsrc": _ALL - _SRC,
    "src/*\n! /src/deep/er": _ALL - _SRC | {"src/deep/er/e.py"},
    "*\n!**/*.py": _PYTHON,
    "*\n!src/**/*.py": _PYTHON,
    "*\n!*/target/*.jar": {"app/target/a.jar"},
    "*\n!src\n!*/target": _SRC | {"app/target/a.jar", "app/target/b.class"},
    "*\n!srcs": {"srcs/x"},
    "docs/**\n!docs/**/*.md": _ALL - {"docs/x/a.txt"},
    "docs\n!docs/x/\n": _ALL - {"docs/c.md"},
    "docs\n!docs/*/y": _ALL - _DOCS | {"docs/x/y/d.md"},
    "**/x\n!docs/**/b.md": _ALL - {"docs/x/a.txt", "docs/x/y/d.md", "srcs/x"},
    # The next one BuildKit would send, but empty.
    "docs\n!docs/c.md\ndoc*": _ALL - _DOCS,
}
"""The paths that are sent with their content, by the text of the ignore file."""

REFUSED = ("[a", "a\n[]", "a\n[a-]", "[z-a]", "a\\", "!", "! /")
"""Ignore files whose last line makes a build fail."""
