"""Elastic Container Registry: its login, and its repositories."""

from __future__ import annotations

import base64
import binascii
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deployer.adapters.aws.session import Session
from deployer.errors import ConfigurationError, UnreachableError
from deployer.model import EcrSettings, Secret

_FRESH = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class EcrToken:
    """A login for every registry of the account in the region; valid for 12 hours."""

    user: str
    password: Secret
    expires: datetime


class Ecr:
    """One region's ECR. Safe to share between threads."""

    def __init__(self, session: Session, settings: EcrSettings | None = None) -> None:
        self._session = session
        self._settings = settings or EcrSettings()
        self._lock = threading.Lock()
        self._token: EcrToken | None = None

    def authorization_token(self) -> EcrToken:
        """A login that is valid for another half an hour at least. Raises UnreachableError."""
        with self._lock:
            if self._token is None or self._token.expires - datetime.now(UTC) < _FRESH:
                self._token = self._new_token()
            return self._token

    def repository_exists(self, name: str) -> bool:
        """Whether the registry has the repository (`myapp`, without host). Raises UnreachableError."""
        client = self._session.client("ecr")
        with self._session.asking("ecr:DescribeRepositories"):
            try:
                client.describe_repositories(repositoryNames=[name])
            except client.exceptions.RepositoryNotFoundException:
                return False
        return True

    def create_repository(self, name: str) -> None:
        """Make the repository, as the `Ecr` settings say. That another run made it meanwhile is no error."""
        client = self._session.client("ecr")
        with self._session.asking("ecr:CreateRepository"):
            try:
                client.create_repository(
                    repositoryName=name,
                    imageTagMutability="IMMUTABLE" if self._settings.immutable_tags else "MUTABLE",
                    imageScanningConfiguration={"scanOnPush": self._settings.scan_on_push},
                )
            except client.exceptions.RepositoryAlreadyExistsException:
                return
            except client.exceptions.InvalidParameterException as error:
                raise ConfigurationError(
                    f"ECR does not take {name} as a repository's name",
                    where=str(self._session.access),
                    hint="AppName: lower-case letters, digits and single . _ - between them, at least 2 characters",
                ) from error

    def ensure_repository(self, name: str) -> bool:
        """Make the repository if it is missing and `Ecr.CreateRepositories` is set; whether it was made.

        Raises ConfigurationError when it is missing and not to be made.
        """
        if self.repository_exists(name):
            return False
        if not self._settings.create_repositories:
            raise ConfigurationError(
                f"there is no ECR repository {name}",
                where=str(self._session.access),
                hint="set Ecr: {CreateRepositories: true} in group_vars, or make it with "
                f"`aws ecr create-repository --repository-name {name} --region {self._session.region}`",
            )
        self.create_repository(name)
        return True

    def _new_token(self) -> EcrToken:
        client = self._session.client("ecr")
        with self._session.asking("ecr:GetAuthorizationToken"):
            answer = client.get_authorization_token()
        try:
            data = answer["authorizationData"][0]
            user, colon, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
            if not (user and colon and password):
                raise ValueError
            return EcrToken(user, Secret(password), data["expiresAt"].astimezone(UTC))
        except (KeyError, IndexError, ValueError, AttributeError, binascii.Error):
            why = "its answer holds no login"  # the answer itself would show it
            raise UnreachableError("ECR gave no login", where=str(self._session.access), why=why) from None
