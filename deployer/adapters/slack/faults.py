"""Why Slack did not take an announcement, without showing what was asked: URL and headers hold secrets."""

from __future__ import annotations

import socket

_EXPLANATIONS = {
    "invalid_auth": "the token is not valid",
    "not_authed": "the token is missing",
    "not_allowed_token_type": "the token is not a bot's (xoxb-…)",
    "token_revoked": "the token was revoked",
    "token_expired": "the token has expired",
    "account_inactive": "the token's bot or workspace was removed",
    "missing_scope": "the token lacks a scope, the app needs chat:write",
    "channel_not_found": "there is no such channel, or it is private and the app was not invited; check Slack.Channel",
    "not_in_channel": "the app is not in the channel, /invite it",
    "is_archived": "the channel is archived",
    "channel_is_archived": "the channel is archived",
    "restricted_action": "the workspace does not let the app post there",
    "action_prohibited": "the workspace does not let the webhook post there",
    "posting_to_general_channel_denied": "the workspace does not let the webhook post there",
    "ratelimited": "it asks us to slow down",
    "rate_limited": "it asks us to slow down",
    "invalid_blocks": "it does not take the layout",
    "invalid_blocks_format": "it does not take the layout",
    "invalid_payload": "it does not take the layout",
    "msg_too_long": "the message is too long",
    "invalid_token": "the webhook is not valid",
    "no_service": "the webhook was removed",
    "no_service_id": "the webhook is not valid",
    "no_team": "the webhook is not valid",
    "team_disabled": "the workspace was disabled",
}


class NotConfigured(Exception):
    """The settings cannot work; the message says which and why."""


class Refused(Exception):
    """Slack's answer was no: its error code ("" when it is not Slack's), the HTTP status, the seconds to wait."""

    def __init__(self, code: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.retry_after = retry_after


def explained(refused: Refused) -> str:
    """The refusal in words, with the code to look up."""
    if refused.code in _EXPLANATIONS:
        return f"{_EXPLANATIONS[refused.code]} ({refused.code})"
    if refused.status == 429:
        return "it asks us to slow down (HTTP 429)"
    if refused.code:
        return f"it refused ({refused.code})"
    return f"it gave an answer that is not Slack's (HTTP {refused.status})"


def reason(error: Exception, seconds: float) -> str:
    """Any failure in words. Of foreign exceptions only the type is used."""
    import http.client
    import ssl

    cause = getattr(error, "reason", None)
    if isinstance(cause, Exception):  # urllib's URLError
        error = cause
    match error:
        case Refused():
            return explained(error)
        case NotConfigured():
            return str(error)
        case TimeoutError():
            return f"it did not answer within {seconds:.2g} s"
        case ConnectionRefusedError():
            return "it refused the connection"
        case ssl.SSLCertVerificationError():
            return f"its TLS certificate is not accepted ({error.verify_message})"
        case ssl.SSLError():
            return "TLS failed"
        case socket.gaierror():
            return "its name is not in DNS"
        case ConnectionError():
            return "it broke the connection off"
        case http.client.HTTPException():
            return "it did not answer in HTTP"
        case ValueError():
            return "it gave an answer that cannot be read"
        case _:
            return f"the request failed ({type(error).__name__})"
