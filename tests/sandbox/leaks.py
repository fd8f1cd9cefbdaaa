"""A search for secrets in whatever it is shown, in every spelling in which they may turn up."""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import uuid
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from tests.sandbox.tool import Done


def canaries() -> dict[str, str]:
    """Secrets as they come: each has something that no other text has, and something that is hard to mask."""
    random_text = "".join(random.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=1024))
    lines = "\n".join(base64.b64encode(os.urandom(48)).decode() for _ in range(6))
    mark = uuid.uuid4().hex
    return {
        "PEM": f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n",
        "QUOTES": f"say \"{mark[:12]}\" or '{mark[12:20]}' \\ and `{mark[20:]}` <&>",
        "UNICODE": f"pässwörd-{mark[::-1]}-密码-🔑",
        "LONG": random_text,
        "BASE64": base64.b64encode(os.urandom(33)).decode(),
        "DOLLAR": f"%s%40$HOME$(id)${{X}}{mark[4:24]}%",
        "URL": f"psql://admin:{mark[6:26]}@db.example.test:5432/x",
    }


def forms(secrets: Mapping[str, str]) -> dict[str, bytes]:
    """What to look for: each secret, and each line of one, as it is and as it is usually written elsewhere."""
    found: dict[str, bytes] = {}
    for name, secret in secrets.items():
        lines = [line for line in secret.splitlines() if not line.startswith("-----")]
        for number, part in enumerate(dict.fromkeys([secret, *lines])):
            spellings = {
                "plain": part,
                "json": json.dumps(part)[1:-1],
                "json, not ASCII": json.dumps(part, ensure_ascii=False)[1:-1],
                "url": quote(part, safe=""),
                "base64": base64.b64encode(part.encode()).decode(),
                "url-safe base64": base64.urlsafe_b64encode(part.encode()).decode(),
            }
            for spelling, text in spellings.items():
                found[f"{name}, part {number}, {spelling}"] = text.encode()
        # The middle of it, as a text that was cut off or wrapped would show it.
        middle = secret.strip().encode()
        found[f"{name}, its middle"] = middle[max(0, len(middle) // 2 - 12) :][:24]
    return found


class Search:
    """Looks for the secrets of a project in whatever it is shown."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._forms = forms(secrets)
        self.leaks: list[str] = []

    def look(self, where: str, content: str | bytes) -> None:
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        if data[:2] == b"\x1f\x8b":
            data += gzip.decompress(data)
        for name, form in self._forms.items():
            if form in data:
                position = data.index(form)
                around = data[max(0, position - 60) : position]
                self.leaks.append(f"{name} in {where}, after {around!r}")

    def files(self, *directories: Path) -> None:
        for directory in directories:
            for path in directory.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    self.look(str(path), path.read_bytes())

    def done(self, what: str, done: Done) -> None:
        self.look(f"standard output of {what}", done.stdout)
        self.look(f"standard error of {what}", done.stderr)
