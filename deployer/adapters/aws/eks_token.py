"""The exec plugin for EKS: prints a Kubernetes credential made of a presigned request to STS.

kubectl and Helm run this file by its path, so it imports nothing of ours. The token is what `aws eks get-token` makes:
`k8s-aws-v1.` and the base64url of a GetCallerIdentity URL that is signed together with the cluster's name. EKS takes
it for 15 minutes (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins,
https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster).
"""

from __future__ import annotations

import base64
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

LIFETIME = timedelta(minutes=14)
API_VERSION = "client.authentication.k8s.io/v1beta1"
_URL_SECONDS = 60


def presigned_token(cluster: str, region: str, endpoint: str, credentials: Any, events: Any) -> str:
    """The bearer token for a cluster. `endpoint` is STS's URL in the region, `events` the session's event emitter."""
    from botocore.model import ServiceId
    from botocore.signers import RequestSigner

    signer = RequestSigner(ServiceId("STS"), region, "sts", "v4", credentials, events)
    url = signer.generate_presigned_url(
        {
            "method": "GET",
            "url": f"{endpoint.rstrip('/')}/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {"x-k8s-aws-id": cluster},
            "context": {},
        },
        region_name=region,
        expires_in=_URL_SECONDS,
        operation_name="",
    )
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def exec_credential(token: str, expires: datetime, api_version: str = API_VERSION) -> dict[str, Any]:
    """The document that a plugin prints."""
    return {
        "apiVersion": api_version,
        "kind": "ExecCredential",
        "spec": {},
        "status": {"token": token, "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ")},
    }


def asked_version(exec_info: str | None) -> str:
    """The version that the caller wants, which it says in KUBERNETES_EXEC_INFO."""
    try:
        version = json.loads(exec_info or "{}").get("apiVersion")
    except (ValueError, AttributeError):
        version = None
    return version if isinstance(version, str) and version.startswith("client.authentication.k8s.io/") else API_VERSION


def main(arguments: list[str] | None = None) -> int:
    """Print the credential for `--cluster` in `--region`; 1 and one line on stderr when there is none to be had."""
    import argparse

    parser = argparse.ArgumentParser(prog="eks_token", description="Print a Kubernetes credential for an EKS cluster.")
    parser.add_argument("--cluster", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--profile")
    options = parser.parse_args(arguments)

    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
    from botocore.session import Session

    try:
        session = Session(profile=options.profile)
        client = session.create_client("sts", region_name=options.region)
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        token = presigned_token(
            options.cluster,
            options.region,
            client.meta.endpoint_url,
            credentials,
            session.get_component("event_emitter"),
        )
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"no credential for the EKS cluster {options.cluster}: {error}\n")
        return 1
    except Exception as error:  # noqa: BLE001 -- of whatever gives the credentials; its text may hold what that printed
        sys.stderr.write(f"no credential for the EKS cluster {options.cluster}: {type(error).__name__}\n")
        return 1
    document = exec_credential(
        token, datetime.now(UTC) + LIFETIME, asked_version(os.environ.get("KUBERNETES_EXEC_INFO"))
    )
    sys.stdout.write(json.dumps(document) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
