"""The sandbox's AWS, asked as a deployment asks it."""

from __future__ import annotations

import base64
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deployer.adapters.aws.account import StsAccount
from deployer.adapters.aws.ecr import Ecr
from deployer.adapters.aws.eks import Eks
from deployer.adapters.aws.session import Session, Sessions
from deployer.errors import ConfigurationError
from deployer.model import EcrSettings

CONFIG = str(Path(__file__).parents[2] / ".sandbox" / "aws-config")
ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def session() -> Session:
    return Sessions().of("eu-west-2", "local", CONFIG)


def test_what_a_deployment_asks_first_is_answered_in_parallel(session: Session) -> None:
    with ThreadPoolExecutor() as pool:
        head = pool.submit(
            lambda: session.client("s3").head_object(Bucket="my-artifacts", Key="myapp/myapp-0.0.1.tar.gz")
        )
        token = pool.submit(Ecr(session).authorization_token)
        account = pool.submit(StsAccount(session).number)
    assert head.result()["ContentLength"] > 0
    assert (token.result().user, account.result()) == ("AWS", ACCOUNT)


def test_the_account_of_the_sandbox_is_the_one_in_its_prefix(session: Session) -> None:
    StsAccount(session).check(f"127.0.31.1:5000/{ACCOUNT}")
    with pytest.raises(ConfigurationError, match="account 999999999999"):
        StsAccount(session).check("999999999999.dkr.ecr.eu-west-2.amazonaws.com")


def test_the_login_of_ecr_opens_the_regions_registry(session: Session) -> None:
    token = Ecr(session).authorization_token()
    login = base64.b64encode(f"{token.user}:{token.password.reveal()}".encode()).decode()
    request = urllib.request.Request("http://127.0.31.1:5000/v2/", headers={"Authorization": f"Basic {login}"})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_a_repository_is_made_once(session: Session) -> None:
    name = f"test/{uuid.uuid4().hex[:8]}"
    with pytest.raises(ConfigurationError, match=f"no ECR repository {name}"):
        Ecr(session).ensure_repository(name)
    ecr = Ecr(session, EcrSettings(create_repositories=True))
    try:
        assert ecr.ensure_repository(name)
        assert not ecr.ensure_repository(name)
        ecr.create_repository(name)
    finally:
        session.client("ecr").delete_repository(repositoryName=name)


def test_an_eks_cluster_is_described_and_its_token_is_answered_by_sts(session: Session) -> None:
    eks = Eks(session)
    assert eks.cluster("deployer-london").endpoint.startswith("https://")
    with pytest.raises(ConfigurationError, match="no EKS cluster elsewhere"):
        eks.cluster("elsewhere")
    encoded = eks.token("deployer-london")[0].reveal().partition(".")[2]
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    # moto serves every service at one address and tells them apart by the header of an ordinary signature.
    route = "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-2/sts/aws4_request, SignedHeaders=host, Signature=x"
    headers = {"x-k8s-aws-id": "deployer-london", "Authorization": route}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        assert ACCOUNT in answer.read().decode()
