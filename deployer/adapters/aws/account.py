"""The AWS account behind a region's credentials, and whether it is the one that group_vars mean."""

from __future__ import annotations

import re
import threading

from deployer.adapters.aws.session import Session
from deployer.errors import ConfigurationError

_ACCOUNT = re.compile(r"\d{12}")
_ECR_HOST = re.compile(r"\d{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com|on\.aws)(?:\.cn)?")


class StsAccount:
    """The account that STS names, asked once. Any valid credentials may ask (`sts:GetCallerIdentity`)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._number: str | None = None

    def number(self) -> str:
        """The 12-digit account number. Raises UnreachableError when STS does not answer or refuses us."""
        with self._lock:
            if self._number is None:
                with self._session.asking("sts:GetCallerIdentity"):
                    self._number = str(self._session.client("sts").get_caller_identity()["Account"])
            return self._number

    def check(self, prefix: str | None) -> None:
        """Raise ConfigurationError when the account is not the one in an `AwsEcrPrefix`; one without is not checked."""
        expected = account_in(prefix)
        if expected is None or expected == self.number():
            return
        profile = self._session.access.profile
        raise ConfigurationError(
            f"the AWS credentials belong to account {self.number()}, and AwsEcrPrefix is in account {expected}",
            where=f"AwsEcrPrefix {prefix}",
            hint=f"AwsProfile is {profile}: correct it or AwsEcrPrefix"
            if profile
            else "set AwsProfile in group_vars, or make a profile with the stage's name",
        )


def account_in(prefix: str | None) -> str | None:
    """The account number in an `AwsEcrPrefix`: 12 digits as a label of its host or as a part of its path."""
    host, _, path = (prefix or "").partition("/")
    parts = [*host.partition(":")[0].split("."), *path.split("/")]
    return next((part for part in parts if _ACCOUNT.fullmatch(part)), None)


def region_in(prefix: str | None) -> str | None:
    """The AWS region of an `AwsEcrPrefix` that is an ECR host (`123456789012.dkr.ecr.eu-west-2.amazonaws.com/…`)."""
    match = _ECR_HOST.fullmatch((prefix or "").partition("/")[0])
    return match[1] if match else None
