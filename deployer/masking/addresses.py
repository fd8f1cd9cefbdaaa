"""What is secret in an address apart from the whole: its password, a token in the user's place, long parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus

_LONGEST = 2048
_SHORTEST_TOKEN = 16
"""A shorter user or parameter is a name."""

_AUTHORITY = re.compile(r"://([^\s/?#]*)@")
_UNESCAPED = re.compile(r"://([^:@\s/?#]*:\S*)@")
"""A password with `/`, `?` or `#`, which should have been escaped and which many programs take as it is."""

_PARAMETER = re.compile(r"[?&][^\s=&#]+=([^\s&#]+)")
_NO_PASSWORDS = ("", "x-oauth-basic")
"""What stands in the password's place where the user is the token (GitHub)."""


def credentials(value: str) -> Iterator[str]:
    """The secrets in the addresses of a text, each as it is written and as it is meant (`%21` is `!`)."""
    if "://" not in value or len(value) > _LONGEST:
        return
    for pattern in (_AUTHORITY, _UNESCAPED):
        for match in pattern.finditer(value):
            user, _, password = match[1].partition(":")
            yield from (password, unquote(password))
            if password in _NO_PASSWORDS and len(user) >= _SHORTEST_TOKEN:
                yield from (user, unquote(user))
    for match in _PARAMETER.finditer(value):
        if len(match[1]) >= _SHORTEST_TOKEN:
            yield from (match[1], unquote(match[1]), unquote_plus(match[1]))
