"""Files that a command writes for its user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deployer.cli.files import write_file
from deployer.errors import UsageError


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("old")
    file.chmod(0o640)
    with file.open() as reader:
        write_file(file, "new: ✔")
        assert reader.read() == "old"  # who reads it keeps what was there
    assert file.read_text() == "new: ✔"
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link.html"
    link.symlink_to("page.html")
    for text in ("one", "two"):
        write_file(link, text)
        assert ((tmp_path / "page.html").read_text(), link.is_symlink()) == (text, True)


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    write_file(Path(f"/dev/fd/{writer}"), "page")
    os.close(writer)
    with os.fdopen(reader) as content:
        assert content.read() == "page"


@pytest.mark.parametrize("name", ["missing/page.html", "", "x" * 300, "loop", "a\0b"])
def test_what_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="the file cannot be written"):
        write_file(tmp_path / name, "page")
    assert [path.name for path in tmp_path.iterdir()] == ["loop"]
