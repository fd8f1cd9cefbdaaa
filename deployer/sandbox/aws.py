"""The AWS endpoint: moto with Route 53's rules at its border, filled with what the stage's regions and apps expect."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deployer.errors import DeploymentFailed
from deployer.sandbox import artefacts, files, health, simulation
from deployer.sandbox.layout import (
    ACCOUNT,
    AWS_ENDPOINT,
    AWS_PORT,
    BUCKET,
    DNS_DOMAIN,
    KMS_ALIAS,
    REGIONS,
    SHARED_ADDRESS,
    Layout,
    Region,
)
from deployer.sandbox.processes import Daemon, Machine, ensure, read

ACCESS_KEY = "sandbox"
SECRET_KEY = "sandbox"  # noqa: S105 - moto takes any
_PROCESS = "aws"


@dataclass(frozen=True)
class Seed:
    """What was put into one moto process. `moto` names that process; `load_balancers` is region → DNS name."""

    moto: str
    load_balancers: dict[str, str]


def ensure_aws(machine: Machine, python: Path) -> bool:
    """Have the moto server running; True when it was started now. It forgets everything when it ends.

    `python` is the interpreter of the virtual environment that has moto.
    """
    program = simulation.program(machine.layout)
    command: list[str | Path] = [python, "-I", program, "aws", SHARED_ADDRESS, str(AWS_PORT)]
    environment = {"MOTO_ACCOUNT_ID": ACCOUNT, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "MOTO_PORT": str(AWS_PORT)}
    return ensure(machine, Daemon(_PROCESS, command, aws_health, environment))


def aws_health() -> str | None:
    """None when the AWS endpoint answers, else why not."""
    return health.answers(f"{AWS_ENDPOINT}/moto-api/")


def seed(layout: Layout) -> bool:
    """Fill the running moto server; False when this very process was filled before."""
    record = read(layout, _PROCESS)
    moto = record.identity if record else ""
    known = seeded(layout)
    if known is not None and known.moto == moto:
        return False
    with ThreadPoolExecutor(len(REGIONS) + 1) as pool:
        load_balancers = [pool.submit(_seed_region, region) for region in REGIONS]
        pool.submit(_seed_global).result()
        names = {region.name: found.result() for region, found in zip(REGIONS, load_balancers, strict=True)}
    files.write(layout.state / "seed.json", json.dumps(asdict(Seed(moto, names))))
    return True


def seeded(layout: Layout) -> Seed | None:
    """What was last put into a moto server."""
    try:
        return Seed(**json.loads((layout.state / "seed.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def load_balancer(layout: Layout, region: Region) -> str:
    """The DNS name of the region's load balancer, once `seed` has made it."""
    known = seeded(layout)
    if known is None:
        raise DeploymentFailed("the sandbox's AWS endpoint was not filled", hint="`deploy sandbox reset` begins afresh")
    return known.load_balancers[region.name]


def _client(session: Any, service: str, region: Region) -> Any:
    return session.client(service, region_name=region.aws_region, endpoint_url=AWS_ENDPOINT)


def _session() -> Any:
    import boto3
    from botocore.session import Session

    # A botocore session of its own: neither the user's profiles nor the environment's keys play a part.
    core = Session()
    core.set_config_variable("profile", None)
    return boto3.Session(ACCESS_KEY, SECRET_KEY, botocore_session=core)


def _seed_region(region: Region) -> str:
    """KMS key and alias, ECR repository of the base image, EKS cluster, load balancer; the latter's DNS name."""
    session = _session()
    kms = _client(session, "kms", region)
    key = kms.create_key(Description="deployer sandbox")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=KMS_ALIAS, TargetKeyId=key)
    _client(session, "ecr", region).create_repository(repositoryName="base/busybox")
    ec2 = _client(session, "ec2", region)
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
    _client(session, "eks", region).create_cluster(
        name=region.cluster,
        version="1.34",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/{region.cluster}",
        resourcesVpcConfig={"subnetIds": subnets},
    )
    balancers = _client(session, "elbv2", region).create_load_balancer(
        Name=region.load_balancer, Subnets=subnets, Scheme="internet-facing", Type="application"
    )
    name: str = balancers["LoadBalancers"][0]["DNSName"]
    return name


def _seed_global() -> None:
    """The hosted zone, and the bucket with the artefacts."""
    session = _session()
    home = REGIONS[0]
    _client(session, "route53", home).create_hosted_zone(Name=DNS_DOMAIN, CallerReference="deployer-sandbox")
    s3 = _client(session, "s3", home)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": home.aws_region})
    for key, content in artefacts.samples().items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)
