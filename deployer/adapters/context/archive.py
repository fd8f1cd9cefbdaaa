"""Reads tar and zip archives member by member, refusing what a hostile or damaged one could do."""

from __future__ import annotations

import io
import posixpath
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

from deployer.errors import ConfigurationError, DeployError
from deployer.model import EntryKind

if TYPE_CHECKING:
    import tarfile

_CHUNK = 1024 * 1024
_LONGEST_PART, _LONGEST_PATH, _DEEPEST = 255, 3072, 256
"""What Linux can write, in bytes, with the place of a context before it; and parts of a path."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may become: bytes and entries unpacked, and how often its own size (past `free` bytes)."""

    size: int = 16 * 1024**3
    entries: int = 200_000
    ratio: int = 200
    free: int = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an archive. `path` is normalised and inside; `chunks` gives a file's content, once, at its turn.

    `same_as` is the path of an earlier file that this one is a hard link to.
    """

    path: str
    kind: EntryKind
    executable: bool = False
    target: str = ""
    same_as: str = ""
    chunks: Callable[[], Iterator[bytes]] = lambda: iter(())


def walk(archive: Path, source: str, limits: Limits) -> Iterator[Member]:
    """The members of an archive in their order; `source` names it in errors.

    The kind of archive is told by its first bytes, not by its name. Permissions are reduced to the executable bit, so
    setuid bits go. Raises ConfigurationError for absolute paths, `..`, devices, members below a link, bombs beyond
    the limits, and damaged, truncated, encrypted or unknown archives. Where links lead is for the caller to check.
    """
    meter = _Meter(archive.stat().st_size, limits, source)
    with _translated(source):
        with archive.open("rb") as raw:
            head = raw.read(8)
        members = _zip_members(archive, meter) if head.startswith(b"PK") else _tar_members(archive, head, meter, source)
        kinds: dict[str, EntryKind] = {}
        for member in members:
            meter.entry()
            _place(member, kinds, source)
            yield member


def _tar_members(archive: Path, head: bytes, meter: _Meter, source: str) -> Iterator[Member]:
    import tarfile

    with _decompressed(archive, head, source) as stream:
        guarded: Any = _Guarded(stream, meter)
        options: Any = {"encoding": "utf-8", "errors": "surrogateescape", "tarinfo": _strict()}
        try:
            opened = tarfile.open(fileobj=guarded, mode="r:", **options)  # noqa: SIM115 -- closed right below
        except tarfile.ReadError as error:
            raise _refusal(source, f"it is no tar or zip archive, or a damaged one ({error})") from error
        with opened as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # memory would grow with every member
                path = _inside(info.name, source)
                executable = bool(info.mode & stat.S_IXUSR)
                if info.isdir():
                    if path:
                        yield Member(path, "directory")
                elif info.issym():
                    yield Member(path, "link", target=_text(info.linkname, source))
                elif info.islnk():
                    yield Member(path, "file", executable, same_as=_inside(info.linkname, source))
                elif info.isfile():
                    # Holes of a sparse file are not read, so the guard does not see them.
                    extra = meter if info.issparse() else None
                    content = partial(_read, partial(tar.extractfile, info), source, extra)
                    yield Member(path, "file", executable, chunks=content)
                else:
                    raise _refusal(source, f"{info.name} is a device or another special file")
        # The checksum stands after the last member.
        while stream.read(_CHUNK):
            pass


def _strict() -> type[tarfile.TarInfo]:
    """tarfile takes a damaged header for the end of the archive, and would leave out all that follows."""
    import tarfile

    module: Any = tarfile

    class Strict(tarfile.TarInfo):
        @classmethod
        def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
            try:
                return super().fromtarfile(tarfile_)
            except (module.EOFHeaderError, module.EmptyHeaderError):
                raise
            except tarfile.HeaderError as error:
                raise tarfile.ReadError(str(error)) from error

    return Strict


def _zip_members(archive: Path, meter: _Meter) -> Iterator[Member]:
    import zipfile

    with zipfile.ZipFile(archive) as bundle:
        for info in bundle.infolist():
            mode = info.external_attr >> 16 if info.create_system == 3 else 0
            path = _inside(info.filename, meter.source)
            if info.flag_bits & 1:
                raise _refusal(meter.source, "it is encrypted")
            if info.is_dir():
                if path:
                    yield Member(path, "directory")
            elif stat.S_ISLNK(mode):
                with bundle.open(info) as content:
                    target = content.read(_LONGEST_PATH + 1).decode("utf-8", "surrogateescape")
                yield Member(path, "link", target=_text(target, meter.source))
            elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
                executable = bool(mode & stat.S_IXUSR)
                yield Member(
                    path, "file", executable, chunks=partial(_read, partial(bundle.open, info), meter.source, meter)
                )
            else:
                raise _refusal(meter.source, f"{info.filename} is a device or another special file")


def _place(member: Member, kinds: dict[str, EntryKind], source: str) -> None:
    """Keep account of what stands where, so that no member is written through a link or over a directory."""
    if not member.path:
        raise _refusal(source, f"a {member.kind} in it has no name")
    if member.kind == "link" and not 0 < len(member.target.encode()) <= _LONGEST_PATH:
        raise _refusal(source, f"the link {member.path} leads nowhere")
    parent = posixpath.dirname(member.path)
    while parent:
        if kinds.setdefault(parent, "directory") != "directory":
            raise _refusal(source, f"{member.path} lies below {parent}, which is a {kinds[parent]}")
        parent = posixpath.dirname(parent)
    before = kinds.get(member.path)
    if before is not None and (before == "directory") != (member.kind == "directory"):
        raise _refusal(source, f"{member.path} is there twice, as a {before} and as a {member.kind}")
    if member.same_as and kinds.get(member.same_as) != "file":
        raise _refusal(source, f"{member.path} is a hard link to {member.same_as}, which is no earlier file")
    kinds[member.path] = member.kind


def _inside(name: str, source: str) -> str:
    """The normalised path of a member; empty for the top itself."""
    text = _text(name, source)
    if text.startswith("/"):
        raise _refusal(source, f"{text} is an absolute path")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _refusal(source, f"{text} leads out of the archive")
    if (
        len(parts) > _DEEPEST
        or len(text.encode()) > _LONGEST_PATH
        or any(len(part.encode()) > _LONGEST_PART for part in parts)
    ):
        raise _refusal(source, f"the name {text[:60]}… is too long for a file")
    return "/".join(parts)


def _text(name: str, source: str) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise _refusal(source, f"the name {name!r} is not UTF-8") from None
    if "\0" in name:
        raise _refusal(source, f"the name {name!r} has a zero byte")
    return name


def _decompressed(archive: Path, head: bytes, source: str) -> IO[bytes]:
    if head.startswith(b"\x1f\x8b"):
        import gzip

        return cast(IO[bytes], gzip.open(archive))
    if head.startswith(b"BZh"):
        import bz2

        return cast(IO[bytes], bz2.open(archive))
    if head.startswith(b"\xfd7zXZ\x00"):
        import lzma

        return cast(IO[bytes], lzma.open(archive))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        raise _refusal(
            source, "it is compressed with zstd, which is not supported", hint="pack it as .tar.gz or .tar.xz"
        )
    return archive.open("rb")


class _Meter:
    """Counts what an archive becomes, and stops at the limits."""

    def __init__(self, packed: int, limits: Limits, source: str) -> None:
        self._limits = limits
        self._most = min(limits.size, max(limits.free, packed * limits.ratio))
        self._size = 0
        self._entries = 0
        self.source = source

    def entry(self) -> None:
        self._entries += 1
        if self._entries > self._limits.entries:
            raise _refusal(self.source, f"it has more than {self._limits.entries} entries")

    def count(self, size: int) -> None:
        self._size += size
        if self._size > self._most:
            raise _refusal(
                self.source, f"it unpacks to more than {self._most} bytes", hint="it looks like an archive bomb"
            )


class _Guarded:
    """A decompressed stream for tarfile, which reads a header of any claimed length at once into memory."""

    def __init__(self, stream: IO[bytes], meter: _Meter) -> None:
        self._stream = stream
        self._meter = meter
        self._furthest = 0

    def read(self, size: int = -1) -> bytes:
        if size > _CHUNK:
            raise _refusal(self._meter.source, "it has a header of more than 1 MiB")
        content = self._stream.read(size)
        self._count()
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        position = self._stream.tell()
        while whence == 0 and position < offset:  # in steps, so that the meter sees what is skipped
            self._stream.seek(min(offset, position + _CHUNK))
            self._count()
            if self._stream.tell() == position:
                break
            position = self._stream.tell()
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def _count(self) -> None:
        position = self._stream.tell()
        if position > self._furthest:
            self._meter.count(position - self._furthest)
            self._furthest = position


def _read(opener: Callable[[], IO[bytes] | None], source: str, meter: _Meter | None) -> Iterator[bytes]:
    with _translated(source), opener() or io.BytesIO() as stream:
        while chunk := stream.read(_CHUNK):
            if meter:
                meter.count(len(chunk))
            yield chunk


@contextmanager
def _translated(source: str) -> Iterator[None]:
    try:
        yield
    except (DeployError, MemoryError):
        raise
    except Exception as error:  # the parsers raise nearly anything on damaged input
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _refusal(source, str(error) or type(error).__name__) from error


def _refusal(source: str, why: str, *, hint: str | None = None) -> ConfigurationError:
    return ConfigurationError("the archive cannot be unpacked", where=source, why=why, hint=hint)
