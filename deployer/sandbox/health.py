"""Asks the sandbox's parts over HTTP whether they are well."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def ask(
    url: str,
    *,
    authority: Path | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    body: bytes | None = None,
    timeout: float = 2.0,
) -> tuple[int, bytes]:
    """Status and body of one request; `authority` verifies an https server, None trusts it (health only).

    Raises OSError or http.client.HTTPException when there is no answer.
    """
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    connection: http.client.HTTPConnection
    if scheme == "https":
        context = ssl.create_default_context(cafile=str(authority)) if authority else _trusting()
        connection = http.client.HTTPSConnection(host, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(host, timeout=timeout)
    sent = dict(headers or {})
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, slash + path, body=body, headers=sent)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def answers(url: str, *, expected: tuple[int, ...] = (200,), timeout: float = 2.0) -> str | None:
    """None when the URL answers with an expected status, else why not."""
    try:
        status, body = ask(url, timeout=timeout)
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer: {error or type(error).__name__}"
    if status in expected:
        return None
    return f"{url} answers {status}: {body[:200].decode(errors='replace')}"


def accepts(address: str | Path) -> str | None:
    """None when the Unix socket accepts connections, else why not."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2.0)
        try:
            client.connect(str(address))
        except OSError as error:
            return f"{address}: {error.strerror or error}"
    return None


def decoded(body: bytes) -> Any:
    """A JSON body."""
    return json.loads(body)
