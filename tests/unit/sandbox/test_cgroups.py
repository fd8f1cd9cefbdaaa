"""Control groups, in directories that look like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.sandbox import cgroups


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    return tmp_path


def test_makes_a_group_in_every_hierarchy_of_version_1(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [root / "cpuset", root / "memory"]
    monkeypatch.setattr(cgroups, "hierarchies", lambda: both)
    for hierarchy in both:
        hierarchy.mkdir()
    (root / "cpuset" / "cpuset.cpus").write_text("0-1\n")
    (root / "cpuset" / "cpuset.mems").write_text("0\n")
    inner = root / "cpuset" / "sandbox" / "london"
    inner.mkdir(parents=True)
    for group in (inner, inner.parent):  # the kernel makes these, empty
        (group / "cpuset.cpus").write_text("\n")
        (group / "cpuset.mems").write_text("\n")
    cgroups.ensure("sandbox/london")
    assert (inner / "cpuset.cpus").read_text() == "0-1\n"
    assert (inner / "cpuset.mems").read_text() == "0\n"
    assert (root / "memory" / "sandbox" / "london").is_dir()


def test_hands_controllers_on_with_version_2(root: Path) -> None:
    for group in (root, root / "sandbox"):
        group.mkdir(exist_ok=True)
        (group / "cgroup.controllers").write_text("cpuset cpu memory pids\n")
        (group / "cgroup.subtree_control").write_text("")
    assert cgroups.is_unified()
    assert cgroups.hierarchies() == [root]
    assert cgroups.controllers() == {"cpuset", "cpu", "memory", "pids"}
    cgroups.ensure("sandbox/london")
    assert (root / "sandbox" / "london").is_dir()
    for group in (root, root / "sandbox"):
        assert (group / "cgroup.subtree_control").read_text().startswith("+")


def test_finds_members_in_all_hierarchies_and_below(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [root / "a", root / "b"]
    monkeypatch.setattr(cgroups, "hierarchies", lambda: both)
    for hierarchy, pids in zip(both, ("1\n2\n", "2\n0\n"), strict=True):
        (hierarchy / "sandbox" / "pod").mkdir(parents=True)
        (hierarchy / "sandbox" / "pod" / "cgroup.procs").write_text(pids)
    assert cgroups.members("sandbox") == {1, 2}
    assert cgroups.members("other") == set()
    assert cgroups.exists("sandbox")


def test_removes_a_group_with_all_below_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [root])
    (root / "sandbox" / "london" / "pod").mkdir(parents=True)
    (root / "other").mkdir()
    cgroups.remove("sandbox")
    cgroups.remove("sandbox")
    assert [path.name for path in root.iterdir()] == ["other"]
