"""What went wrong when AWS was asked, in words that say what to do."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.masking.cutting import cut_between_words

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "UnauthorizedException"}
_SKEWED = {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"}
_REFUSED_KEY = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure"}
_REFUSED_KEY |= {
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403", "Forbidden"}
_THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown", "RequestLimitExceeded"}
_THROTTLED |= {"PriorRequestNotComplete"}
_SERVICES = {"ROUTE53": "Route 53", "ELASTICLOADBALANCING": "Elastic Load Balancing"}
_NOT_AUTHORIZED = re.compile(r"not authorized to perform: ?([a-z0-9-]+:\w+)")
_FETCHING = {"botocore.credentials", "botocore.tokens"}
_SETTING_UP = {"botocore.configprovider", "botocore.client", "botocore.args"}
"""Modules in which botocore fetches credentials, and reads settings."""

_EXPIRED_WORDS = re.compile(r"expired|re-?authenticate|invalid_grant|refresh", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Access:
    """With what AWS was asked: the place in an error's message, and whose credentials to renew."""

    region: str
    profile: str | None = None
    config_file: str | None = None

    def __str__(self) -> str:
        return f"{self.region} (profile {self.profile})" if self.profile else self.region

    @property
    def login(self) -> str:
        """What gives fresh credentials."""
        if self.profile is None:
            return "give this process fresh credentials (environment, role of the machine or pod), or set AwsProfile"
        return f"`aws sso login --profile {self.profile}`, or give the profile fresh credentials"


def translate(error: Exception, access: Access, action: str) -> DeployError:
    """An error of botocore as one of ours. `action` is the IAM action that the call needs (`ecr:DescribeRepositories`).

    Of AWS's own messages only those about permissions and conditions are repeated; those about signatures hold parts of
    the request.
    """
    from botocore.exceptions import ClientError

    if isinstance(error, DeployError):
        return error
    if isinstance(error, ClientError):
        return _answer(error.response, access, action)
    return _no_answer(error, access, action)


def fault_of_setup(error: Exception, access: Access) -> DeployError | None:
    """An error of another kind that came up in botocore while it fetched credentials or read settings, as one of ours.

    Programs and files that give credentials make it raise what Python happens to raise. Such texts may hold what a
    program has printed, so that none is repeated but that of the operating system. None for any other error.
    """
    frames = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    last = next((name for name in reversed(frames) if name.startswith("botocore.")), "")
    where = str(access)
    if isinstance(error, ValueError) and (last in _SETTING_UP or "botocore.args" in frames):
        return ConfigurationError(
            "an AWS setting has a value that it cannot have",
            where=where,
            why=f"{type(error).__name__} in {last}",
            hint="look at the numbers and URLs of the profile in the AWS config file, and of AWS_… in the environment",
        )
    if _FETCHING.isdisjoint(frames):
        return None
    if isinstance(error, EOFError):  # nobody is there to be asked
        return UnreachableError("the AWS profile asks for an MFA code", where=where, hint=access.login)
    if isinstance(error, OSError) and error.strerror:
        why = error.strerror + (f": {error.filename}" if isinstance(error.filename, str) else "")
    else:
        why = f"what gives them did not give what it should ({type(error).__name__})"
    what = "the AWS credentials could not be fetched"
    return UnreachableError(what, where=where, why=one_line(why), hint=access.login)


def _answer(response: Mapping[str, Any], access: Access, action: str) -> DeployError:
    details = response.get("Error", {})
    code, message = str(details.get("Code", "")), one_line(str(details.get("Message", "")))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    service = _service(action)
    where = str(access)
    if code in _SKEWED or (code in _REFUSED_KEY and "Signature" in message and "expired" in message):
        hint = "set this machine's clock (timedatectl)"
        return UnreachableError("AWS refused our request because our clock is wrong", where=where, why=code, hint=hint)
    if code in _EXPIRED:
        return UnreachableError("the AWS credentials have expired", where=where, why=code, hint=access.login)
    if code in _REFUSED_KEY:
        hint = "check the access key of the profile; a key of a user can be revoked or mistyped"
        return UnreachableError("AWS does not accept the credentials", where=where, why=code, hint=hint)
    if code in _DENIED or status == 403:
        named = _NOT_AUTHORIZED.search(message)
        needed = named[1] if named else action
        return UnreachableError(
            f"AWS does not allow {needed}",
            where=where,
            why=message or code,
            hint=f"allow {needed} in the IAM policy of who deploys (docs/iam.md has it)",
        )
    if code in _THROTTLED or status == 429:
        return UnreachableError(f"{service} limits our requests", where=where, why=code, hint="try again in a minute")
    if code == "OptInRequired":
        hint = "enable the region for the account, or correct AwsRegion"
        return ConfigurationError("the account does not use this AWS region", where=where, why=message, hint=hint)
    if status >= 500:
        hint = "try again; https://health.aws.amazon.com shows outages"
        return UnreachableError(f"{service} failed", where=where, why=f"{code or status} on {action}", hint=hint)
    return UnreachableError(f"{service} refused {action}", where=where, why=f"{code}: {message}" if message else code)


def _no_answer(error: Exception, access: Access, action: str) -> DeployError:
    from botocore import exceptions as aws

    service = _service(action)
    where = str(access)
    endpoint = str(getattr(error, "kwargs", {}).get("endpoint_url", "") or "")
    match error:
        case aws.ProfileNotFound():
            return ConfigurationError(
                f"there is no AWS profile {access.profile}",
                where=access.config_file,
                hint=f"`aws configure sso --profile {access.profile}` makes it; or correct AwsProfile in group_vars",
            )
        case aws.ConfigParseError():
            return ConfigurationError("the AWS config file cannot be read", where=access.config_file, why=str(error))
        case aws.NoCredentialsError() | aws.NoAuthTokenError():
            return UnreachableError("there are no AWS credentials", where=where, hint=access.login)
        case aws.PartialCredentialsError():
            return UnreachableError(
                "the AWS credentials are incomplete", where=where, why=str(error), hint=access.login
            )
        case aws.SSOError() | aws.TokenRetrievalError() | aws.LoginError():
            what = "the AWS sign-in has expired or was never made"
            return UnreachableError(what, where=where, hint=access.login)
        case aws.RefreshWithMFAUnsupportedError():
            return UnreachableError("the AWS profile asks for an MFA code", where=where, hint=access.login)
        case aws.CredentialRetrievalError() | aws.MetadataRetrievalError():
            expired = _EXPIRED_WORDS.search(str(error))
            what = "the AWS credentials have expired" if expired else "the AWS credentials could not be fetched"
            why = one_line(str(getattr(error, "kwargs", {}).get("provider", "")))
            return UnreachableError(what, where=where, why=why, hint=access.login)
        case (
            aws.InfiniteLoopConfigError()
            | aws.InvalidConfigError()
            | aws.InvalidDefaultsMode()
            | aws.InvalidSTSRegionalEndpointsConfigError()
            | aws.InvalidRetryModeError()
            | aws.MissingDependencyException()
        ):
            return ConfigurationError("the AWS profile is not set up well", where=where, why=one_line(str(error)))
        case aws.NoRegionError() | aws.InvalidRegionError() | aws.UnknownRegionError():
            return ConfigurationError("this is not an AWS region", where=access.region, hint="correct AwsRegion")
        case aws.UnknownEndpointError() | aws.ServiceNotInRegionError() | aws.EndpointProviderError():
            why, hint = one_line(str(error)), "correct AwsRegion"
            return ConfigurationError(f"{service} is not in this AWS region", where=where, why=why, hint=hint)
        case aws.ParamValidationError() | aws.ValidationError():
            return ConfigurationError(f"{service} cannot be asked this", where=where, why=one_line(str(error)))
        case aws.ProxyConnectionError():
            why = "the proxy does not answer"  # its URL may hold a password
            return UnreachableError(f"{service} could not be reached", where=where, why=why, hint="check HTTPS_PROXY")
        case aws.SSLError():
            hint = "a proxy that inspects TLS needs its certificate in AWS_CA_BUNDLE"
            why = f"the TLS certificate of {endpoint} was not accepted"
            return UnreachableError(f"{service} could not be reached", where=where, why=why, hint=hint)
        case aws.ConnectTimeoutError() | aws.ReadTimeoutError():
            why = f"{endpoint} did not answer in time"
        case aws.EndpointConnectionError() | aws.ConnectionClosedError():
            why = f"{endpoint} could not be connected to"
        case _ if type(error) is aws.HTTPClientError:  # it repeats URLs, and a proxy's may hold a password
            why = f"{type(error.kwargs.get('error')).__name__} when {endpoint or 'it'} was asked"
        case _:
            why = one_line(str(error))
    hint = "check the network, VPN or proxy, and AwsRegion"
    return UnreachableError(f"{service} could not be reached", where=where, why=why, hint=hint)


def _service(action: str) -> str:
    """The service that an action is of, as people call it."""
    name = action.partition(":")[0].upper()
    return _SERVICES.get(name, name)


def one_line(text: str, longest: int = 300) -> str:
    """A foreign text, fit for a message: printable, on one line, not too long."""
    return cut_between_words("".join(letter if letter.isprintable() else " " for letter in text), longest)
