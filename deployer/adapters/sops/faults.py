"""Why sops did not decrypt a file.

Its messages can repeat a plaintext value, so they are never passed on: known phrases are looked for in them, and we
say in our own words what they mean. Exit codes: https://github.com/getsops/sops/blob/main/cmd/sops/codes/codes.go
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from deployer.errors import ConfigurationError, DeployError, UnreachableError

_LINE = re.compile(r"\bline (\d+)")
_FAILED_KEY = re.compile(r"^ {2}(\S.*): FAILED$")
_NOT_AUTHORIZED = re.compile(r"User: (\S+) is not authorized to perform: (kms:\w+)")
_PROFILE = re.compile(r"failed to get shared config profile, (\S+)")
_MOST_KEYS_NAMED = 6


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason why a key did not help. `phrases` is a pattern of sops' message, in any case and on one line."""

    phrases: str
    kind: type[DeployError]
    what: str
    reason: str
    hint: Callable[[str | None], str]


def _login(profile: str | None) -> str:
    if profile is None:
        return "give this process fresh AWS credentials (environment, role of the machine or pod), or set AwsProfile"
    return f"`aws sso login --profile {profile}`, or give the profile fresh credentials"


def _say(text: str) -> Callable[[str | None], str]:
    return lambda profile: text


# The first that fits any of the file's keys is the error: what the user can mend stands before what time may mend.
_CAUSES = (
    Cause(
        r"failed to get shared config profile",
        ConfigurationError,
        "there is no such AWS profile",
        "no such profile",
        lambda profile: (
            f"`aws configure sso --profile {profile}` makes it; or correct AwsProfile in group_vars"
            if profile
            else "correct AWS_PROFILE"
        ),
    ),
    Cause(
        r"signature (?:expired|not yet current)|RequestTimeTooSkewed",
        UnreachableError,
        "AWS refused our request because our clock is wrong",
        "clock is wrong",
        _say("set this machine's clock (timedatectl)"),
    ),
    Cause(
        r"cached SSO token|InvalidGrantException|SSO session|GetRoleCredentials.{0,200}UnauthorizedException",
        UnreachableError,
        "the AWS sign-in has expired or was never made",
        "not signed in",
        _login,
    ),
    Cause(
        r"ExpiredToken|token .{0,40}expired|session has expired",
        UnreachableError,
        "the AWS credentials have expired",
        "credentials have expired",
        _login,
    ),
    Cause(
        r"assume role with MFA|AssumeRoleTokenProvider",
        UnreachableError,
        "the AWS profile asks for an MFA code, which SOPS cannot ask for",
        "profile asks for an MFA code",
        _login,
    ),
    Cause(
        r"UnrecognizedClientException|InvalidClientTokenId|InvalidSignatureException|SignatureDoesNotMatch"
        r"|IncompleteSignature|security token included in the request is invalid",
        UnreachableError,
        "AWS does not accept the credentials",
        "credentials not accepted",
        _say("check the access key of the profile; a key of a user can be revoked or mistyped"),
    ),
    Cause(
        r"no EC2 IMDS role found|static credentials are empty|no valid credential|NoCredentialProviders",
        UnreachableError,
        "there are no AWS credentials",
        "no credentials",
        _login,
    ),
    Cause(
        r"process provider error|credential_process",
        UnreachableError,
        "the AWS credentials could not be fetched",
        "credential_process failed",
        _login,
    ),
    Cause(
        r"ciphertext refers to a customer master key that does not exist",
        UnreachableError,
        "KMS has no such key in this account, or does not allow kms:Decrypt with it",
        "no such key, or not allowed",
        _say(
            "the profile may be of another account; for the stage local `deploy sandbox up` makes keys and files anew"
        ),
    ),
    Cause(
        r"AccessDenied|not authorized to perform",
        UnreachableError,
        "AWS does not allow kms:Decrypt",
        "not allowed",
        _say(
            "allow kms:Decrypt for the key in the IAM policy and the key's own policy (docs/iam.md has it); for the "
            "stage local `deploy sandbox up` makes keys and files anew"
        ),
    ),
    Cause(
        r"DisabledException|KMSInvalidState|pending deletion|is disabled",
        UnreachableError,
        "the KMS key is disabled or about to be deleted",
        "key is disabled",
        _say("enable the key in KMS, or cancel its deletion"),
    ),
    Cause(
        r"InvalidCiphertext|encryption context|IncorrectKeyException",
        ConfigurationError,
        "the data key in the secrets file is not one of this KMS key",
        "does not fit the key",
        _say("the `sops` part of the file was changed by hand: restore the file from git"),
    ),
    Cause(
        r"KMS.{0,400}(?:NotFoundException|does not exist)",
        ConfigurationError,
        "the KMS key does not exist",
        "no such key",
        _say(
            "the profile may be of another account; for the stage local `deploy sandbox up` makes keys and files anew"
        ),
    ),
    Cause(
        r"Throttling|LimitExceeded|TooManyRequests",
        UnreachableError,
        "KMS limits our requests",
        "too many requests",
        _say("try again in a minute"),
    ),
    Cause(
        r"request send failed|no such host|connection refused|connection reset|timeout|deadline exceeded|unreachable"
        r"|no route to host|x509|tls:|proxyconnect|StatusCode: 5\d\d|\bEOF\b",
        UnreachableError,
        "KMS could not be reached",
        "not reached",
        _say("check the network, VPN or proxy; for the stage local `deploy sandbox up` starts its KMS"),
    ),
    Cause(
        r"age identit|identity matched|age1|GnuPG|gpg|pgp|secret key",
        UnreachableError,
        "none of the file's keys is on this machine",
        "not on this machine",
        _say("ask a colleague who can decrypt the file to add your key: `sops updatekeys FILE`"),
    ),
)
UNKNOWN = Cause(
    "",
    UnreachableError,
    "none of the file's keys could be used",
    "refused",
    _say("`sops decrypt FILE > /dev/null` with the same AWS_PROFILE shows sops' own words"),
)


def explain(
    returncode: int, message: str, *, file: str, profile: str | None = None, config_file: str | None = None
) -> DeployError:
    """The error for an exit status and standard error of `sops decrypt`. Nothing that it returns quotes a value."""
    match returncode:
        case 128:  # no key could be used
            return _no_key(message, file, profile, config_file)
        case 51:  # MAC mismatch
            return ConfigurationError(
                "the secrets file was changed without SOPS",
                where=file,
                why="its message authentication code does not match",
                hint="restore it from git, and change it with `sops FILE`",
            )
        case 25:  # a value could not be decrypted
            plain = "does not match sops' data format" in message
            return ConfigurationError(
                "the secrets file was changed without SOPS",
                where=file,
                why="a value stands in plain text" if plain else "a value was changed, moved or renamed",
                hint="restore it from git, and change it with `sops FILE`",
            )
        case 100:  # no such file
            return ConfigurationError("the secrets file does not exist", where=file)
    if returncode < 0:
        return DeployError("sops was ended from outside", where=file, why=f"signal {-returncode}")
    return unreadable(returncode, message, file)


def unreadable(returncode: int, message: str, file: str) -> DeployError:
    """The error for a file whose content sops could not read."""
    line = _LINE.search(message)
    where = f"{file}:{line[1]}" if line else file
    hint = "restore it from git, and change it with `sops FILE`"
    if "metadata not found" in message:
        why = "it has no `sops` key"
        return ConfigurationError("the secrets file is not a SOPS file", where=file, why=why, hint=hint)
    if "already defined" in message:
        return ConfigurationError("a key stands twice in the secrets file", where=where, hint=hint)
    if "yaml:" in message or "unmarshal" in message:
        return ConfigurationError("the secrets file is not valid YAML", where=where, hint=hint)
    if "parsing time" in message or "metadata" in message:
        why = "its `sops` part is incomplete"
        return ConfigurationError("the secrets file is not a SOPS file", where=file, why=why, hint=hint)
    return ConfigurationError(
        "sops could not decrypt the secrets file",
        where=file,
        why=f"exit status {returncode}",
        hint="`sops decrypt FILE > /dev/null` with the same AWS_PROFILE shows sops' own words",
    )


def _no_key(message: str, file: str, profile: str | None, config_file: str | None) -> DeployError:
    keys = _failed_keys(message)
    causes = {key: cause_of(text) for key, text in keys.items()} or {"": cause_of(" ".join(message.split()))}
    cause = min(causes.values(), key=lambda each: _CAUSES.index(each) if each in _CAUSES else len(_CAUSES))
    reasons = []
    for key, each in list(causes.items())[:_MOST_KEYS_NAMED]:
        denied = _NOT_AUTHORIZED.search(keys.get(key, ""))
        reasons.append(
            f"{key}: {f'{denied[1]} may not {denied[2]}' if denied else each.reason}" if key else each.reason
        )
    named = _PROFILE.search(" ".join(keys.values()))
    if named and named[1] != profile and cause.what == _CAUSES[0].what:
        return cause.kind(
            f"there is no AWS profile {named[1]}, which the secrets file itself asks for",
            where=file,
            why="its key has an aws_profile, which goes before every other",
            hint=f"leave aws_profile out of .sops.yaml, then `sops updatekeys {file}`",
        )
    with_profile = f" (profile {profile}{f' of {config_file}' if config_file else ''})" if profile else ""
    return cause.kind(
        cause.what,
        where=f"{file}{with_profile}",
        why="; ".join(reasons),
        hint=about(cause.hint(profile), file),
    )


def about(hint: str, file: str) -> str:
    """A hint with the file's name for the word FILE, which is no part of AWS_PROFILE."""
    return re.sub(r"\bFILE\b", lambda _: file, hint)


def cause_of(text: str) -> Cause:
    """What a key's message, on one line, is about; `UNKNOWN` when no phrase of ours is in it."""
    return next((cause for cause in _CAUSES if re.search(cause.phrases, text, re.IGNORECASE)), UNKNOWN)


def _failed_keys(message: str) -> dict[str, str]:
    """What sops says of each key, on one line: it prints `  KEY: FAILED` and then the reason in a frame of `|`."""
    keys: dict[str, str] = {}
    key = ""
    for line in message.splitlines():
        if head := _FAILED_KEY.match(line):
            key = head[1]
            keys[key] = ""
        elif key and "|" in line:
            keys[key] = f"{keys[key]} {line.partition('|')[2].strip()}".strip()
        elif not line.startswith(" "):
            key = ""
    return keys
