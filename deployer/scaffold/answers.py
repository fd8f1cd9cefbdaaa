"""What a new repository is asked about: its app, port, environments and domain, with defaults and checks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from deployer.config import formats
from deployer.config.repository import ALL, COMMANDS
from deployer.errors import UsageError
from deployer.sandbox.layout import REGIONS, STAGE

_ENVIRONMENT = re.compile(r"([a-z0-9][a-z0-9-]*)\.([a-z0-9][a-z0-9-]*)\Z")

AWS_REGIONS = {
    "bahrain": "me-south-1",
    "canada": "ca-central-1",
    "capetown": "af-south-1",
    "frankfurt": "eu-central-1",
    "ireland": "eu-west-1",
    "jakarta": "ap-southeast-3",
    "milan": "eu-south-1",
    "mumbai": "ap-south-1",
    "ohio": "us-east-2",
    "oregon": "us-west-2",
    "osaka": "ap-northeast-3",
    "paris": "eu-west-3",
    "saopaulo": "sa-east-1",
    "singapore": "ap-southeast-1",
    "spain": "eu-south-2",
    "stockholm": "eu-north-1",
    "sydney": "ap-southeast-2",
    "tokyo": "ap-northeast-1",
    "zurich": "eu-central-2",
    **{region.name: region.aws_region for region in REGIONS},
}
"""The AWS region of regions that are called after their city or country."""


@dataclass(frozen=True)
class Question:
    """One thing that is asked. `key` is the option that answers it without asking."""

    key: str
    text: str
    default: str


QUESTIONS = (
    Question("name", "What is the first app called?", "hello"),
    Question("port", "On which port does it listen?", "8080"),
    Question("environments", "Where will it run, besides the sandbox (STAGE.REGION, …)?", "dev.london,prod.london"),
    Question("domain", "Under which domain?", "example.com"),
)


@dataclass(frozen=True)
class Answers:
    """What is known of a new repository. `environments` are (stage, region), the sandbox's not among them."""

    name: str
    port: int
    environments: tuple[tuple[str, str], ...]
    domain: str


def checked(name: str, port: str, environments: str, domain: str) -> Answers:
    """The answers, or a UsageError that says what is wrong with one."""
    if not formats.is_label(name, formats.MAX_RELEASE_NAME) or name[0].isdigit():
        _refuse("name", name, "lower-case letters, digits and dashes, a letter first")
    if name in COMMANDS:
        _refuse("name", name, "it is a command of deploy")
    if not (port.isascii() and port.isdigit() and formats.is_port(int(port))):
        _refuse("port", port, "a number from 1 to 65535")
    if not formats.is_host_name(domain) or "." not in domain:
        _refuse("domain", domain, "a domain such as example.com")
    pairs = tuple(dict.fromkeys(_environment(one.strip()) for one in environments.split(",") if one.strip()))
    if not pairs:
        _refuse("environments", environments, "at least one, such as dev.london")
    return Answers(name, int(port), pairs, domain)


def _environment(text: str) -> tuple[str, str]:
    found = _ENVIRONMENT.match(text)
    if found is None:
        _refuse("environments", text, "STAGE.REGION in lower case, such as dev.london")
    stage, region = found.groups()
    if stage in COMMANDS or ALL in (stage, region):
        _refuse("environments", text, f"{stage} has a meaning of its own")
    if stage == STAGE:
        _refuse("environments", text, f"{STAGE} is the sandbox, which is always there")
    return stage, region


def _refuse(key: str, value: str, why: str) -> NoReturn:
    raise UsageError(f"{value!r} does not do for --{key}", why=why)
