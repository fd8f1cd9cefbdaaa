"""Which targets differ from a commit: real git, real files, no secrets."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.errors import UsageError
from deployer.model import Target
from deployer.wiring import Wiring

WEB = """\
Environments: [prod.london, prod.seoul]
Version: "1"
Docker:
  Dockerfile: |
    FROM scratch
    COPY . /
  Download: [{src: files/logo.svg}]
Helm:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: web}
    data: {greeting: "{{ Values.web.GREETING }}", image: "web:{{ DockerHash }}", commit: "{{ GitCommit }}"}
"""
PLAIN = """\
Environments: [prod.london]
Helm: [{apiVersion: v1, kind: ConfigMap, metadata: {name: plain}, data: {id: "{{ DeploymentId }}"}}]
"""
FILES = {
    "apps/web.yml": WEB,
    "apps/plain.yml": PLAIN,
    "apps/web/index.html.j2": "<h1>{{ REGION }}</h1>",
    "files/logo.svg": "<svg/>",
    "group_vars/all.yml": "AwsRegion: eu-west-2\nAwsEcrPrefix: registry.test\nDnsDomain: example.test\n",
    "group_vars/prod.yml": "Values: {web: {GREETING: Hello}}\n",
    ".gitignore": "group_vars/secrets_local*\nmachine/\n",
    "README.md": "",
}
LONDON, SEOUL, ALONE = (
    Target("prod", "london", "web"),
    Target("prod", "seoul", "web"),
    Target("prod", "london", "plain"),
)
ALL = (ALONE, LONDON, SEOUL)


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "as it was")
    return tmp_path


@pytest.fixture
def wiring(root: Path) -> Iterator[Wiring]:
    with Wiring(root, "") as wiring:
        yield wiring


def changed(wiring: Wiring, *targets: Target, version: str | None = None) -> tuple[Target, ...]:
    return wiring.changed_since("HEAD", version, ())(targets or ALL)


def test_nothing(wiring: Wiring, root: Path) -> None:
    (root / "README.md").write_text("words")
    (root / "group_vars/secrets_local.yml").write_text("ignored: 1")
    assert changed(wiring) == ()


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("group_vars/prod.yml", "Values: {web: {GREETING: Hi}}\n", (LONDON, SEOUL)),
        ("group_vars/prod.seoul.yml", "Values: {web: {GREETING: Hi}}\n", (SEOUL,)),
        ("group_vars/prod.yml", "# a comment\nValues: {web: {GREETING: Hello, unused: 1}}\n", ()),
        ("group_vars/prod.yml", "Namespace: apart\nValues: {web: {GREETING: Hello}}\n", ALL),
        ("apps/plain.yml", PLAIN.replace("name: plain", "name: plane"), (ALONE,)),
        ("apps/web.yml", WEB.replace('"1"', '"2"'), (LONDON, SEOUL)),
        ("apps/web.yml", WEB.replace("COPY . /", "COPY . /srv"), (LONDON, SEOUL)),
        ("apps/web.yml", WEB + "# a comment\n", ()),
        ("apps/web/index.html.j2", "<h1>{{ 'x' if REGION == 'seoul' else REGION }}</h1>", (SEOUL,)),
        ("apps/web/new.txt", "new", (LONDON, SEOUL)),
        ("files/logo.svg", "<svg />", (LONDON, SEOUL)),
        ("apps/web.yml", "a: [", (LONDON, SEOUL)),
        ("group_vars/prod.london.yml", "Values: {web: {GREETING: '{{ missing }}'}}\n", (LONDON,)),
    ],
)
def test_what_differs(wiring: Wiring, root: Path, file: str, text: str, expected: tuple[Target, ...]) -> None:
    (root / file).write_text(text)
    assert changed(wiring) == expected


def test_a_new_app_counts_as_changed(root: Path) -> None:
    (root / "apps/new.yml").write_text(PLAIN)
    new = Target("prod", "london", "new")
    with Wiring(root, "") as wiring:
        assert changed(wiring, new, *ALL) == (new,)


def test_an_older_commit(wiring: Wiring, root: Path) -> None:
    (root / "apps/plain.yml").write_text(PLAIN.replace("name: plain", "name: plane"))
    git(root, "commit", "-am", "changed")
    assert changed(wiring) == ()
    assert wiring.changed_since("HEAD~1", None, ())(ALL) == (ALONE,)


def test_a_file_of_this_machine_is_the_same_in_both(root: Path) -> None:
    (root / "group_vars/secrets_local.yml").write_text("not: encrypted")
    (root / "machine").mkdir()
    (root / "machine/note.txt").write_text("mine")
    (root / "apps/web.yml").write_text(WEB.replace("files/logo.svg", "machine/note.txt"))
    git(root, "commit", "-am", "uses what only this machine has")
    (root / "apps/plain.yml").write_text(PLAIN.replace("name: plain", "name: plane"))
    with Wiring(root, "") as wiring:
        assert changed(wiring) == (ALONE,)


def test_no_such_revision(wiring: Wiring) -> None:
    with pytest.raises(UsageError, match="git knows no revision nowhere"):
        wiring.changed_since("nowhere", None, ())


# --- a deployment repository in a directory of the work tree ----------------------------------------------------------


@pytest.fixture
def below(root: Path) -> Path:
    """Moved into a directory, in a commit of its own."""
    (root / "deploy/here").mkdir(parents=True)
    for name in ("apps", "files", "group_vars", "README.md"):
        (root / name).rename(root / "deploy/here" / name)
    git(root, "add", "-A")
    git(root, "commit", "-m", "moved")
    return root / "deploy/here"


def test_a_commit_from_before_the_repository(below: Path) -> None:
    with Wiring(below, "") as wiring:
        assert wiring.changed_since("HEAD~1", None, ())(ALL) == ALL
        assert changed(wiring) == ()


def test_a_repository_that_was_something_else(root: Path) -> None:
    (root / "deploy").write_text("a file")
    git(root, "add", "-A")
    git(root, "commit", "-m", "a file")
    (root / "deploy").unlink()
    for name in ("apps", "files", "group_vars"):
        (root / "deploy").mkdir(exist_ok=True)
        (root / name).rename(root / "deploy" / name)
    with Wiring(root / "deploy", "") as wiring:
        assert changed(wiring) == ALL


def test_only_what_differs_below(below: Path) -> None:
    (below / "apps/plain.yml").write_text(PLAIN.replace("name: plain", "name: plane"))
    (below / "apps/web.yml").write_text(WEB + "# a comment\n")
    index = below.parents[1] / ".git/index"
    before = index.read_bytes()
    with Wiring(below, "") as wiring:
        assert changed(wiring) == (ALONE,)
    assert index.read_bytes() == before


def test_what_git_archive_leaves_out_or_changes_is_compared(root: Path) -> None:
    (root / ".gitattributes").write_text("*.svg export-ignore\n*.j2 export-subst\n")
    (root / "apps/web/index.html.j2").write_text("<h1>{{ REGION }}</h1> $Format:%H$")
    git(root, "add", "-A")
    git(root, "commit", "-m", "attributes")
    (root / "apps/web.yml").write_text(WEB + "# a comment\n")
    with Wiring(root, "") as wiring:
        assert changed(wiring) == ()


def test_links_and_modes_are_those_of_the_commit(root: Path) -> None:
    (root / "apps/web/link").symlink_to("index.html.j2")
    (root / "apps/web/program").write_text("#!/bin/sh\n")
    (root / "apps/web/program").chmod(0o755)
    git(root, "add", "-A")
    git(root, "commit", "-m", "a link and a program")
    (root / "apps/web.yml").write_text(WEB + "# a comment\n")
    with Wiring(root, "") as wiring:
        assert changed(wiring) == ()
        (root / "apps/web/program").chmod(0o644)
        assert changed(wiring) == (LONDON, SEOUL)


def test_hooks_of_the_clone_are_not_run(root: Path) -> None:
    (root / ".git/hooks/post-index-change").write_text(f"#!/bin/sh\ntouch '{root}/ran'\n")
    (root / ".git/hooks/post-index-change").chmod(0o755)
    (root / "apps/web.yml").write_text(WEB + "# a comment\n")
    with Wiring(root, "") as wiring:
        assert changed(wiring) == ()
    assert not (root / "ran").exists()
