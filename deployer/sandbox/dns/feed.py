"""Carries the state from the AWS endpoint to the name servers, and what the checkers observed back."""

from __future__ import annotations

import asyncio
import http.client
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from deployer.sandbox.dns.checkers import Checkers
from deployer.sandbox.dns.records import State

PREFIX = "/moto-api/sandbox/route53"
"""Where the AWS endpoint serves this: below a path that moto keeps for itself, which no bucket can have."""
WAIT = 5.0
"""Seconds that the AWS endpoint waits for a change before it says that there is none."""

_AGAIN = 0.25
_REPORT = 0.5


async def follow(endpoint: str, checkers: Checkers) -> None:
    """Have the checkers work with the newest state, for ever. An endpoint that does not answer is asked again."""
    version, known = "", State()
    while True:
        query = urlencode({"version": version, "process": known.process, "serial": known.serial})
        try:
            content = await asyncio.to_thread(_ask, endpoint, "GET", f"{PREFIX}/state?{query}")
        except (OSError, http.client.HTTPException, ValueError):
            await asyncio.sleep(_AGAIN)
            continue
        if content is not None:
            version, known = content["version"], State.of(content["state"])
            checkers.adopt(known)


async def report(endpoint: str, checkers: Checkers) -> None:
    """Tell the AWS endpoint what the checkers observe, for ever."""
    while True:
        await asyncio.sleep(_REPORT)
        failed = checkers.failed()
        if failed is not None:
            raise failed
        news = checkers.news()
        if not news:
            continue
        try:
            await asyncio.to_thread(_ask, endpoint, "POST", f"{PREFIX}/observations", news)
        except (OSError, http.client.HTTPException, ValueError):
            checkers.report_again(set(news))


def _ask(endpoint: str, method: str, path: str, body: Any = None) -> Any:
    """The JSON that the endpoint answers; None when it has nothing new."""
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=WAIT * 2)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        text = response.read()
        if response.status == http.client.NO_CONTENT:
            return None
        if response.status != http.client.OK:
            raise http.client.HTTPException(f"{path} answers {response.status}")
        return json.loads(text)
    finally:
        connection.close()
