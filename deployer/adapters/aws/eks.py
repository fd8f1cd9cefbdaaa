"""Elastic Kubernetes Service: where a cluster is, and how to get in."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deployer.adapters.aws import eks_token
from deployer.adapters.aws.session import Session
from deployer.errors import ConfigurationError, UnreachableError
from deployer.model import Json, Secret

_FRESH = timedelta(minutes=2)
_USABLE = {"ACTIVE", "UPDATING"}


@dataclass(frozen=True, slots=True)
class EksCluster:
    """An EKS cluster's API server: its URL, and its certificate authority as base64 of PEM."""

    name: str
    endpoint: str
    certificate_authority: str
    version: str = ""


class Eks:
    """One region's EKS. Safe to share between threads."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._clusters: dict[str, EksCluster] = {}
        self._tokens: dict[str, tuple[Secret, datetime]] = {}

    def cluster(self, name: str) -> EksCluster:
        """The cluster called so, asked once (`eks:DescribeCluster`).

        Raises ConfigurationError when the region has none, UnreachableError when it is not usable or EKS is silent.
        """
        with self._lock:
            if name not in self._clusters:
                self._clusters[name] = self._describe(name)
            return self._clusters[name]

    def token(self, name: str) -> tuple[Secret, datetime]:
        """A bearer token for the cluster and when it expires (UTC): at least 2 minutes from now, at most 14."""
        from botocore.exceptions import NoCredentialsError

        with self._lock:
            token = self._tokens.get(name)
            if token is None or token[1] - datetime.now(UTC) < _FRESH:
                expires = datetime.now(UTC) + eks_token.LIFETIME
                sts = self._session.client("sts")
                with self._session.asking("sts:GetCallerIdentity"):
                    credentials, events = self._session.signing()
                    if credentials is None:
                        raise NoCredentialsError
                    text = eks_token.presigned_token(
                        name, self._session.region, sts.meta.endpoint_url, credentials, events
                    )
                token = self._tokens[name] = (Secret(text), expires)
            return token

    def kubeconfig(self, name: str) -> Json:
        """A kubeconfig for the cluster that holds no secret: whoever uses it runs our exec plugin for a token."""
        cluster = self.cluster(name)
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {
                        "server": cluster.endpoint,
                        "certificate-authority-data": cluster.certificate_authority,
                    },
                }
            ],
            "users": [{"name": name, "user": {"exec": self.exec_plugin(name)}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }

    def exec_plugin(self, name: str) -> Json:
        """The `exec` part of a kubeconfig's user. v1beta1 is what every kubectl and Helm in use knows."""
        access = self._session.access
        # -P: modules beside the plugin, or in the working directory, must not stand in for the standard library's.
        arguments = ["-P", eks_token.__file__, "--cluster", name, "--region", access.region]
        environment = []
        if access.profile is not None:
            arguments += ["--profile", access.profile]
        if access.config_file is not None:
            environment.append({"name": "AWS_CONFIG_FILE", "value": access.config_file})
        return {
            "apiVersion": eks_token.API_VERSION,
            "command": sys.executable,
            "args": arguments,
            "env": environment,
            "interactiveMode": "Never",
        }

    def _describe(self, name: str) -> EksCluster:
        client = self._session.client("eks")
        where = str(self._session.access)
        with self._session.asking("eks:DescribeCluster"):
            try:
                cluster = client.describe_cluster(name=name)["cluster"]
            except client.exceptions.ResourceNotFoundException as error:
                raise ConfigurationError(
                    f"there is no EKS cluster {name}",
                    where=where,
                    hint=f"correct Cluster.Name in group_vars; `aws eks list-clusters --region {self._session.region}`",
                ) from error
        endpoint, authority = cluster.get("endpoint"), cluster.get("certificateAuthority", {}).get("data")
        if cluster.get("status") not in _USABLE or not endpoint or not authority:
            raise UnreachableError(f"the EKS cluster {name} is {cluster.get('status', 'not ready')}", where=where)
        return EksCluster(name, endpoint, authority, cluster.get("version", ""))
