from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import stat
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployer.adapters.context.archive import Limits
from deployer.adapters.context.unpack import listing, unpack
from deployer.errors import ConfigurationError
from deployer.model import ContextEntry

LIMITS = Limits()
Add = Callable[[tarfile.TarFile], None]


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, io.BytesIO]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, io.BytesIO(content)


def tar_of(*members: tuple[tarfile.TarInfo, io.BytesIO]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info, content in members:
            tar.addfile(info, content)
    return buffer.getvalue()


def written(tmp_path: Path, content: bytes) -> Path:
    archive = tmp_path / "archive"
    archive.write_bytes(content)
    return archive


def entries(tmp_path: Path, content: bytes, limits: Limits = LIMITS) -> dict[str, ContextEntry]:
    listed = listing(written(tmp_path, content), "s3://b/a.tar", tmp_path / "kept/list.json", limits)
    return {entry.path: entry for entry in listed}


def refusal(tmp_path: Path, content: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(ConfigurationError) as caught:
        entries(tmp_path, content, limits)
    assert caught.value.where == "s3://b/a.tar"
    assert not (tmp_path / "kept").exists()
    return caught.value.why or ""


ORDINARY = tar_of(
    member("./top/", type=tarfile.DIRTYPE),
    member("./top/run", b"#!/bin/sh\n", mode=0o4755),
    member("top//data", b"content", mode=0o640),
    member("top/copy", type=tarfile.LNKTYPE, linkname="top/data"),
    member("top/link", type=tarfile.SYMTYPE, linkname="../top/data"),
    member("empty", type=tarfile.DIRTYPE),
)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_every_compression_is_told_by_its_content(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    found = entries(tmp_path, pack(ORDINARY))
    assert {path: (entry.kind, entry.executable, entry.target) for path, entry in found.items()} == {
        "top": ("directory", False, ""),
        "top/run": ("file", True, ""),
        "top/data": ("file", False, ""),
        "top/copy": ("file", False, ""),
        "top/link": ("link", False, "../top/data"),
        "empty": ("directory", False, ""),
    }
    assert found["top/copy"].sha256 == found["top/data"].sha256
    assert found["top/data"].size == 7


def zipped(*files: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for info, content in files:
            bundle.writestr(info, content)
    return buffer.getvalue()


def zip_member(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def test_zip(tmp_path: Path) -> None:
    content = zipped(
        (zip_member("a/run", stat.S_IFREG | 0o755), b"x"),
        (zip_member("a/link", stat.S_IFLNK | 0o777), b"run"),
        (zip_member("b/", stat.S_IFDIR | 0o755), b""),
    )
    found = entries(tmp_path, content)
    assert found["a/run"].executable
    assert (found["a/link"].kind, found["a/link"].target) == ("link", "run")
    assert found["b"].kind == "directory"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/etc/passwd", "absolute"),
        ("../outside", "leads out"),
        ("a/../../outside", "leads out"),
        ("a/b/../c", "leads out"),
    ],
)
def test_paths_that_leave_are_refused(tmp_path: Path, name: str, words: str) -> None:
    assert words in refusal(tmp_path, tar_of(member(name, b"x")))
    assert words in refusal(tmp_path, zipped((zip_member(name), b"x")))


@pytest.mark.parametrize("target", ["/etc/passwd", "../..", "../../etc/passwd", "./../../x"])
def test_links_that_leave_are_refused(tmp_path: Path, target: str) -> None:
    assert "leads out" in refusal(tmp_path, tar_of(member("a/link", type=tarfile.SYMTYPE, linkname=target)))
    assert "leads out" in refusal(tmp_path, zipped((zip_member("a/link", stat.S_IFLNK | 0o777), target.encode())))


def test_a_link_that_leaves_through_another_link_is_refused(tmp_path: Path) -> None:
    """Each is inside when read by itself; `up` is really the top, so that `up/..` is above it."""
    content = tar_of(
        member("a/b/up", type=tarfile.SYMTYPE, linkname="../.."),
        member("out", type=tarfile.SYMTYPE, linkname="a/b/up/../x"),
    )
    assert "out" in refusal(tmp_path, content)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    content = tar_of(member("dir", type=tarfile.SYMTYPE, linkname="elsewhere"), member("dir/file", b"x"))
    assert "lies below dir" in refusal(tmp_path, content)


def test_hard_links_lead_to_earlier_files_only(tmp_path: Path) -> None:
    assert "no earlier file" in refusal(tmp_path, tar_of(member("a", type=tarfile.LNKTYPE, linkname="b")))
    assert "leads out" in refusal(tmp_path, tar_of(member("a", type=tarfile.LNKTYPE, linkname="../b")))
    soft = member("s", type=tarfile.SYMTYPE, linkname="x")
    assert "no earlier file" in refusal(tmp_path, tar_of(soft, member("a", type=tarfile.LNKTYPE, linkname="s")))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    assert "device" in refusal(tmp_path, tar_of(member("dev", type=kind)))


def test_the_last_of_several_members_with_one_name_counts(tmp_path: Path) -> None:
    content = tar_of(member("a", b"first"), member("b", type=tarfile.LNKTYPE, linkname="a"), member("a", b"second!"))
    found = entries(tmp_path, content)
    assert (found["a"].size, found["b"].size) == (7, 5)
    assert unpack(tmp_path / "archive", "a", found, tmp_path / "top", LIMITS) == []
    assert (tmp_path / "top/a").read_bytes() == b"second!"
    assert (tmp_path / "top/b").read_bytes() == b"first"


def test_a_file_and_a_directory_under_one_name_are_refused(tmp_path: Path) -> None:
    assert "there twice" in refusal(tmp_path, tar_of(member("a/b", b""), member("a", b"x")))


def test_only_what_is_wanted_is_unpacked_and_hard_links_to_the_rest_work(tmp_path: Path) -> None:
    found = entries(tmp_path, gzip.compress(ORDINARY))
    unpack(tmp_path / "archive", "a", {"top/copy": found["top/copy"]}, tmp_path / "top", LIMITS)
    assert [path.name for path in sorted((tmp_path / "top").rglob("*"))] == ["top", "copy"]
    assert (tmp_path / "top/top/copy").read_bytes() == b"content"


def linked(name: str, original: str) -> tuple[tarfile.TarInfo, io.BytesIO]:
    return member(name, type=tarfile.LNKTYPE, linkname=original)


REPEATED = {
    "to itself": [member("a", b"1"), linked("a", "a")],
    "to itself, spelled otherwise": [member("d/a", b"1"), linked("./d//a", "d/./a")],
    "in a ring": [member("a", b"1"), linked("b", "a"), linked("c", "b"), linked("a", "c"), linked("c", "c")],
    "to what is replaced": [
        *(member("a", b"1"), linked("b", "a"), linked("c", "b")),
        *(member("a", b"2"), linked("d", "a"), linked("b", "a"), member("e", b"3"), linked("a", "e")),
    ],
    "to what becomes a link": [
        *(member("a", b"1"), linked("b", "a"), linked("c", "a")),
        *(member("a", type=tarfile.SYMTYPE, linkname="b"), linked("d", "b")),
    ],
    "and replaced": [member("a", b"1"), linked("b", "a"), member("c", b"3"), linked("b", "c"), member("b", b"2")],
}


@pytest.mark.parametrize("kind", REPEATED)
def test_hard_links_have_the_content_that_they_were_listed_with(tmp_path: Path, kind: str) -> None:
    """Whatever else is wanted: each file alone, all of them but one, all."""
    found = entries(tmp_path, tar_of(*REPEATED[kind]))
    files = {path: entry for path, entry in found.items() if entry.kind == "file"}
    choices = [{path} for path in files] + [files.keys() - {path} for path in files] + [set(files)]
    for number, chosen in enumerate(choices):
        top = tmp_path / str(number)
        assert unpack(tmp_path / "archive", "a", {path: files[path] for path in chosen}, top, LIMITS) == []
        made = {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}
        assert made.keys() == chosen
        for path, content in made.items():
            assert hashlib.sha256(content).hexdigest() == files[path].sha256


def test_gnu_tar_packs_a_file_that_it_is_told_twice_as_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "dist/bin").mkdir(parents=True)
    (tmp_path / "dist/bin/app").write_bytes(b"program")
    subprocess.run(["tar", "czf", "archive", "dist", "dist/bin/app"], cwd=tmp_path, check=True)
    found = entries(tmp_path, (tmp_path / "archive").read_bytes())
    wanted = {"dist/bin/app": found["dist/bin/app"]}
    assert unpack(tmp_path / "archive", "a", wanted, tmp_path / "top", LIMITS) == []
    assert (tmp_path / "top/dist/bin/app").read_bytes() == b"program"


@pytest.mark.parametrize("change", [{"size": 3}, {"sha256": "0" * 64}, {"path": "elsewhere"}])
def test_what_is_not_as_it_was_listed_is_told(tmp_path: Path, change: dict[str, Any]) -> None:
    found = entries(tmp_path, ORDINARY)
    other = replace(found["top/run"], **change)
    wanted = {other.path: other, "top/data": found["top/data"]}
    assert unpack(tmp_path / "archive", "a", wanted, tmp_path / "top", LIMITS) == [other]


def test_bombs_are_refused(tmp_path: Path) -> None:
    bomb = gzip.compress(tar_of(member("zeros", bytes(8 * 1024 * 1024))))
    assert "unpacks to more than" in refusal(tmp_path, bomb, Limits(free=1024 * 1024, ratio=100))
    assert "unpacks to more than" in refusal(tmp_path, bomb, Limits(size=1024 * 1024))
    flat = zipped((zip_member("zeros"), bytes(8 * 1024 * 1024)))
    assert "unpacks to more than" in refusal(tmp_path, flat, Limits(free=1024 * 1024, ratio=100))
    many = tar_of(*(member(str(number)) for number in range(20)))
    assert "more than 10 entries" in refusal(tmp_path, many, Limits(entries=10))


def test_a_sparse_file_cannot_grow_without_limit(tmp_path: Path) -> None:
    """A GNU sparse header claims a terabyte of holes in an archive of one block."""
    info = tarfile.TarInfo("holes")
    info.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[386 : 386 + 24] = b"%011o\0%011o\0" % (0, 0)
    block[483 : 483 + 12] = b"\x80" + struct.pack(">q", 1 << 40).rjust(11, b"\0")
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:512]))
    assert "unpacks to more than" in refusal(tmp_path, bytes(block) + bytes(1024))


def test_a_huge_header_is_not_read_into_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type = tarfile.XHDTYPE
    info.size = 64 * 1024 * 1024
    assert "header of more than 1 MiB" in refusal(tmp_path, gzip.compress(info.tobuf() + bytes(info.size)))


def test_a_long_chain_of_headers_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type = tarfile.GNUTYPE_LONGNAME
    info.size = 2
    refusal(tmp_path, (info.tobuf() + b"a\0".ljust(512, b"\0")) * 20_000)


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"this is no archive at all, but a text" * 100, id="text"),
        pytest.param(gzip.compress(b"one compressed text"), id="gzip of something else"),
        pytest.param(gzip.compress(ORDINARY)[:-20], id="gzip cut off"),
        pytest.param(bz2.compress(ORDINARY)[:-20], id="bzip2 cut off"),
        pytest.param(lzma.compress(ORDINARY)[:-20], id="xz cut off"),
        pytest.param(tar_of(member("a", bytes(100_000)))[:60_000], id="tar cut off"),
        pytest.param(tar_of(member("a", b"1"), member("b", b"2"))[:1400], id="tar cut off in a header"),
        pytest.param(tar_of(member("a", b"1"))[:1024] + b"x" + tar_of(member("b"))[1:], id="damaged header"),
        pytest.param(tar_of(member("a", b"1"))[:1024] + b"nonsense" * 64, id="no header"),
        pytest.param(tar_of(member("a", b"1" * 9, pax_headers={"size": "-3"})), id="negative size"),
        pytest.param(gzip.compress(ORDINARY)[:-8] + b"\0" * 8, id="wrong checksum"),
        pytest.param(b"\xfd7zXZ\x00" + b"\xff" * 100, id="damaged xz"),
        pytest.param(b"BZh9" + b"\xff" * 100, id="damaged bzip2"),
        pytest.param(b"PK\x03\x04" + b"\0" * 100, id="damaged zip"),
        pytest.param(zipped((zip_member("a"), b"x" * 1000))[:-30], id="zip cut off"),
        pytest.param(b"\x28\xb5\x2f\xfd" + b"\0" * 100, id="zstd"),
    ],
)
def test_damaged_archives_are_errors(tmp_path: Path, damaged: bytes) -> None:
    assert refusal(tmp_path, damaged)


def test_the_zeros_at_the_end_may_be_missing(tmp_path: Path) -> None:
    """As other programs have it, and some write it."""
    assert entries(tmp_path, tar_of(member("a", b"1"))[:1024]).keys() == {"a"}


def test_what_is_no_archive_is_called_so(tmp_path: Path) -> None:
    assert "no tar or zip archive" in refusal(tmp_path, b"<!doctype html>" * 100)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "has no name"),
        (".", "has no name"),
        ("a\0b", "zero byte"),
        ("\u00f6" * 128, "too long"),
        ("d/" * 300 + "x", "too long"),
        (f"{'d' * 250}/" * 13, "too long"),
    ],
)
def test_names_that_no_file_can_have_are_refused(tmp_path: Path, name: str, words: str) -> None:
    for kind in (tarfile.REGTYPE, tarfile.SYMTYPE):
        found = member("x", type=kind, linkname="y", pax_headers={"path": name} if name else {})
        if not name:
            found[0].name = ""
        assert words in refusal(tmp_path, tar_of(found))


@pytest.mark.parametrize("target", [b"", b"a\0b", b"a/" * 2000])
def test_links_to_what_no_file_can_be_called_are_refused(tmp_path: Path, target: bytes) -> None:
    assert refusal(tmp_path, zipped((zip_member("a", stat.S_IFLNK | 0o777), target)))


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped((zip_member("a"), b"x")))
    for start in (content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8):
        content[start] |= 1
    assert "encrypted" in refusal(tmp_path, bytes(content))


def test_a_zip_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped((zip_member("a"), b"content")))
    start = content.index(b"PK\x01\x02") + 16
    content[start] ^= 0xFF
    assert "CRC" in refusal(tmp_path, bytes(content))


def test_names_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("caf\udce9")
    buffer = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    assert "not UTF-8" in refusal(tmp_path, buffer + bytes(1024))


def test_a_list_is_made_once_per_archive(tmp_path: Path) -> None:
    first = entries(tmp_path, ORDINARY)
    (tmp_path / "archive").unlink()
    listed = listing(tmp_path / "archive", "x", tmp_path / "kept/list.json", LIMITS)
    assert {entry.path: entry for entry in listed} == first
    (tmp_path / "kept/list.json").write_text("damaged")
    assert entries(tmp_path, ORDINARY) == first
