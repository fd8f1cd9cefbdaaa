"""A search for secrets in whatever it is shown, in every spelling in which they may turn up."""

from __future__ import annotations

import base64
import binascii
import gzip
import html
import io
import json
import os
import random
import re
import shlex
import stat
import tarfile
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

from ahocorasick_rs import BytesAhoCorasick

from tests.sandbox.tool import Done

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{200,}={0,2}")
_LARGEST = 64 * 1024 * 1024


def canaries() -> dict[str, str]:
    """Secrets as they come: each has something that no other text has, and something that is hard to mask."""
    random_text = "".join(random.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=1024))
    lines = "\n".join(base64.b64encode(os.urandom(48)).decode() for _ in range(6))
    mark = uuid.uuid4().hex
    other = uuid.uuid4().hex
    return {
        "PEM": f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n",
        "QUOTES": f"say \"{mark[:12]}\" or '{mark[12:20]}' \\ and `{mark[20:]}` <&>",
        "UNICODE": f"pässwörd-{mark[::-1]}-密码-🔑",
        "LONG": random_text,
        "BASE64": base64.b64encode(os.urandom(33)).decode(),
        "DOLLAR": f"%s%40$HOME$(id)${{X}}{mark[4:24]}%",
        "URL": f"psql://admin:{mark[6:26]}@db.example.test:5432/x",
        "BACKSLASHES": f"C:\\{other[:9]}\\new\\table\\{other[9:18]}\\",
        "DASH": f"--{other[::-1]}",
        "SPACES": f"correct {other[3:13]} horse {other[13:23]} battery {other[23:]}",
        "JSON": json.dumps({"type": "service_account", "private_key": f"{mark[2:]}{other[:10]}", "n": 1}),
    }


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "json": lambda text: json.dumps(text)[1:-1],
    "json, not ASCII": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json, twice": lambda text: json.dumps(json.dumps(text))[3:-3],
    "json, twice, not ASCII": lambda text: _unicode(_unicode(text)),
    "url": lambda text: quote(text, safe=""),
    "url, lower case": lambda text: re.sub("%..", lambda match: match[0].lower(), quote(text, safe="")),
    "url, a form": quote_plus,
    "shell": lambda text: shlex.quote(text)[1:-1] if shlex.quote(text) != text else text,
    "python": lambda text: repr(text)[1:-1],
    "html": html.escape,
    "html, half": lambda text: html.escape(text, quote=False),
    "yaml": lambda text: text.replace("'", "''"),
    "indented": lambda text: text.replace("\n", "\n    "),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "url-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64, one byte on": lambda text: base64.b64encode(b"\0" + text.encode()).decode()[2:-4],
    "base64, two bytes on": lambda text: base64.b64encode(b"\0\0" + text.encode()).decode()[3:-4],
    "base64, twice": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
}


def _unicode(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def forms(secrets: Mapping[str, str]) -> dict[str, bytes]:
    """What to look for: each secret, each line of one, and its middle, as it is and as it is usually written."""
    found: dict[str, bytes] = {}
    for name, secret in secrets.items():
        lines = [line for line in secret.splitlines() if not line.startswith("-----")]
        for number, part in enumerate(dict.fromkeys([secret, secret.strip(), *lines])):
            for spelling, spell in SPELLINGS.items():
                found[f"{name}, part {number}, {spelling}"] = spell(part).encode()
        # The middle of it, as a text that was cut off or wrapped would show it.
        middle = secret.strip().encode()
        found[f"{name}, its middle"] = middle[max(0, len(middle) // 2 - 12) :][:24]
    return found


class Search:
    """Looks for the secrets of a project in whatever it is shown, packed or not."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        found = {form: name for name, form in reversed(forms(secrets).items())}
        self._names = list(found.values())
        self._automaton = BytesAhoCorasick(list(found))
        self.leaks: list[str] = []
        self.looked = 0

    def look(self, where: str, content: str | bytes) -> None:
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        for part in (data, *_inside(data)):
            self.looked += len(part)
            for pattern, start, _ in self._automaton.find_matches_as_indexes(part):
                around = part[max(0, start - 60) : start]
                self.leaks.append(f"{self._names[pattern]} in {where}, after {around!r}")

    def files(self, *directories: Path, since: float = 0.0) -> None:
        """Every file below, or those only that were written since a time: its name and its content."""
        for path in _paths(directories):
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):  # others come and go in /tmp
                state = path.lstat()
                if stat.S_ISREG(state.st_mode) and state.st_mtime >= since and state.st_size <= _LARGEST:
                    self.look(str(path), str(path))
                    self.look(str(path), path.read_bytes())

    def done(self, what: str, done: Done) -> None:
        self.look(f"standard output of {what}", done.stdout)
        self.look(f"standard error of {what}", done.stderr)


def _paths(directories: Iterable[Path]) -> Iterator[Path]:
    """All files below; what other tests have among them is left out."""
    for directory in directories:
        for parent, below, names in os.walk(directory):
            below[:] = [name for name in below if not name.startswith("pytest-of-")]
            yield from (Path(parent, name) for name in names)


def _inside(data: bytes, depth: int = 3) -> Iterator[bytes]:
    """What is packed in it: a gzip or zlib stream, a tar archive, a long base64 text (as in a Secret of Helm)."""
    if not depth:
        return
    packed = []
    if data[:2] == b"\x1f\x8b":
        with suppress(OSError, EOFError, zlib.error):
            packed.append(gzip.decompress(data))
    if data[:1] == b"\x78":  # as git's objects
        with suppress(zlib.error):
            packed.append(zlib.decompress(data))
    if data[257:262] == b"ustar":
        with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(data)) as archive:
            files = [archive.extractfile(member) for member in archive.getmembers() if member.isfile()]
            packed += [file.read() for file in files if file]
    if len(data) <= 4 * 1024 * 1024:
        for match in _BASE64.findall(data):
            with suppress(binascii.Error):
                packed.append(base64.b64decode(match + b"=" * (-len(match) % 4)))
    for one in packed:
        yield one
        yield from _inside(one, depth - 1)
