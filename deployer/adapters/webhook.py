"""The notifier's port for a webhook: the JSON report of a command, posted to a URL of the team's own."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deployer import __version__
from deployer.deadline import call_within
from deployer.execute.ports import Announcement
from deployer.model import Json, Secret, WebhookSettings

if TYPE_CHECKING:
    import httpx2

ALLOWANCE = 5.0
"""Seconds that a webhook may cost a command in all."""

_PAUSE = 0.5
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class WebhookNotifier:
    """Posts the report when a command has ended; an announcement without one is nothing to it.

    `X-Deploy-Event` is the command, `X-Deploy-Delivery` the deployment's id (the same when it is sent once more), and
    `X-Deploy-Signature-256` is `sha256=` and the HMAC-SHA256 of the body with `Webhook.Secret`, in hexadecimal digits.
    """

    def __init__(self, settings: WebhookSettings, *, allowance: float = ALLOWANCE) -> None:
        """`allowance` is in seconds."""
        self._url = settings.url
        self._secret = settings.secret
        self._allowance = allowance

    def announce(self, announcement: Announcement) -> str | None:
        """Post the report; None, or a warning. Never raises; the time is bounded by the allowance."""
        url, report = self._url, announcement.report
        if not url or report is None:
            return None
        try:
            why = call_within(self._allowance, lambda: self._post(url, report))
        except TimeoutError:
            why = f"it did not answer within {self._allowance:g} s"
        except Exception as error:  # noqa: BLE001 -- no failure of a webhook may fail a deployment
            why = f"the request failed ({type(error).__name__})"
        return f"the webhook was not told: {why}" if why else None

    def _post(self, url: Secret, report: Json) -> str | None:
        """None when it was taken, else why not, without what the URL says: it may be a secret."""
        import httpx2

        if why := _fault(url.reveal()):
            return why
        body = json.dumps(report).encode()
        deadline = time.monotonic() + self._allowance
        with httpx2.Client(headers=headers(report, body, self._secret)) as client:
            while True:
                why, again = _once(client, url, body, deadline)
                if why is None or not again or time.monotonic() + _PAUSE >= deadline:
                    return why
                threading.Event().wait(_PAUSE)


def headers(report: Json, body: bytes, secret: Secret | None) -> dict[str, str]:
    """The headers of one delivery."""
    found = {
        "Content-Type": "application/json",
        "User-Agent": f"deployer/{__version__}",
        "X-Deploy-Event": str(report.get("action", "")),
        "X-Deploy-Delivery": str(report.get("deployment", "")),
    }
    if secret:
        digest = hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()
        found["X-Deploy-Signature-256"] = f"sha256={digest}"
    return found


def _once(client: httpx2.Client, url: Secret, body: bytes, deadline: float) -> tuple[str | None, bool]:
    """One attempt: why it failed (None: it did not), and whether another one may do better."""
    import httpx2

    try:
        answer = client.post(url.reveal(), content=body, timeout=max(0.1, deadline - time.monotonic()))
    except httpx2.TimeoutException:
        return "it did not answer in time", True
    except httpx2.ConnectError as error:
        verified = "CERTIFICATE_VERIFY_FAILED" in str(error)
        return ("its TLS certificate is not accepted", False) if verified else ("it cannot be connected to", True)
    except httpx2.TransportError as error:
        return f"the connection failed ({type(error).__name__})", True
    if answer.is_success:
        return None, False
    return f"it answered HTTP {answer.status_code}", answer.status_code in _PASSING


def _fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    return None if fits else "Webhook.Url in group_vars is no URL"
