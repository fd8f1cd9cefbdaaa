"""What a failed build or push means, told by what Docker says about it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from deployer.errors import ConfigurationError, DeployError, DeploymentFailed, Location, UnreachableError
from deployer.model import Image

_SHOWN = 15

_ENGINE = re.compile(
    r"cannot connect to the docker daemon|failed to connect to the docker api|error during connect|"
    r"while fetching server api version|is the (docker )?daemon (is )?running",
    re.I,
)
_PERMISSION = re.compile(r"permission denied while trying to connect|dial unix .*: permission denied", re.I)
_REFUSED = re.compile(
    r"\bdenied\b|unauthorized|no basic auth credentials|authentication required|authorization (failed|token)|"
    r"\b40[13] (unauthorized|forbidden)",
    re.I,
)
_NO_ANSWER = re.compile(
    r"connection refused|no such host|i/o timeout|tls: |x509: |connection reset|network is unreachable|"
    r"deadline exceeded|server misbehaving|temporary failure|unexpected (http )?status.*: 5\d\d|"
    r"\bEOF$|request canceled|client\.timeout|broken pipe|server closed",
    re.I,
)
_DOCKERFILE = re.compile(
    r"dockerfile parse error|unknown instruction|dockerfile syntax|failed to (calculate checksum|compute cache key)|"
    r"failed to read dockerfile|COPY failed|ADD failed|parse error line|unknown flag|invalid reference format|"
    r"secret .*not found|no build stage|cannot be empty|no instructions",
    re.I,
)
_IMAGE = re.compile(
    r"failed to resolve source metadata|^ > \[internal\] load metadata for|pull access denied|"
    r"manifest( for .*)? not found|manifest unknown",
    re.I | re.M,
)
_PLATFORMS = re.compile(r"multi(ple|-)?-?platforms? .*not (currently )?supported", re.I)
_CACHE = re.compile(r"cache export is not supported", re.I)
_EMULATION = re.compile(r"exec format error", re.I)
_NO_BUILDER = re.compile(r"no builder .* found|failed to find (the )?driver|no valid drivers found", re.I)
_BEGUN = re.compile(r"^#\d+ (\d+\.\d+ |\[(?!.*internal\] (waiting for connection|booting buildkit)))")
_STEP_ERROR = re.compile(r"^(#\d+) ERROR: (.*)")
_CACHE_STEP = re.compile(r"^(#\d+) exporting cache")
_SPACE = re.compile(r"no space left on device|disk quota exceeded", re.I)
_COMMAND = re.compile(r"did not complete successfully|executor failed running|returned a non-zero code", re.I)
_TAKEN = re.compile(r"tag is immutable|cannot be overwritten|tag.* already exists", re.I)
_LINE = re.compile(r"^Dockerfile:(\d+)|parse error (?:on )?line (\d+)", re.I)
_STEP = re.compile(r"^ > \[[^\]]*\d+/\d+\] (.*?):?$|^Step \d+/\d+ : (.*)$")
_ERROR = re.compile(
    r"^(?:ERROR|error): (?:failed to (?:build|solve): |rpc error: code = \w+ desc = |"
    r"failed to solve with frontend [\w.]+: |failed to create LLB definition: )*"
)


_ANOTHER_BUILDER = "make a builder that can (`docker buildx create --name NAME`), and name it in Docker.Builder"


def build_failure(image: Image, lines: Sequence[str], dockerfile: str = "") -> DeployError:
    """The error for a build whose (masked) output ends with `lines`; `dockerfile` is the text to find the line in."""
    message = error_in(lines) or next((line for line in reversed(lines) if line.strip()), "it gave no reason")
    everything = "\n".join(lines)
    number = _line(lines, dockerfile)
    where = Location("Dockerfile", number) if number else image.reference
    log = [line for line in lines if not _ERROR.match(line)][-_SHOWN:]
    why = "\n".join((message, *(f"  {line}" for line in log)))
    if engine := engine_failure(message):
        return engine
    if _SPACE.search(message):
        return DeployError(
            "the image cannot be built: the disk is full",
            where=where,
            why=why,
            hint="`docker system prune` frees space",
        )
    if _PLATFORMS.search(everything):
        hint = _ANOTHER_BUILDER
        return ConfigurationError(
            "this builder cannot build for several platforms", where=where, why=message, hint=hint
        )
    if _CACHE.search(everything):
        return ConfigurationError("this builder cannot write a cache", where=where, why=message, hint=_ANOTHER_BUILDER)
    if _COMMAND.search(message) and _EMULATION.search(everything):
        hint = "add a node of that platform to the builder (`docker buildx create --append`), or emulation (binfmt)"
        return ConfigurationError(
            "the builder cannot run commands of one of the platforms", where=where, why=why, hint=hint
        )
    if _COMMAND.search(message):
        return DeploymentFailed("the image cannot be built: a command in its Dockerfile failed", where=where, why=why)
    if _IMAGE.search(everything) and not _NO_ANSWER.search(message):
        refused = _REFUSED.search(message) and "pull access denied" not in message
        kind = UnreachableError if refused else ConfigurationError
        return kind(
            "the base image cannot be pulled",
            where=where,
            why=message,
            hint="check FROM, and the login for its registry",
        )
    if _DOCKERFILE.search(everything):
        return ConfigurationError("the image cannot be built", where=where, why=why)
    if push := _push_failure(image, message):
        return push
    return DeploymentFailed("the image cannot be built", where=where, why=why)


def builder_failure(builder: str, known: Sequence[str], lines: Sequence[str]) -> DeployError | None:
    """The error where the builder of that name does not exist or did not come up; None where it did its work.

    `known` are the names of the builders that there are. `lines` are masked.
    """
    message, where = error_in(lines), f"Docker.Builder {builder}"
    if _NO_BUILDER.search(message):
        names = f"there are {', '.join(known)}; " if known else ""
        hint = f"{names}`docker buildx create --name {builder} --driver remote ADDRESS` makes one"
        return ConfigurationError("there is no such builder on this machine", where=where, why=message, hint=hint)
    if not any(_BEGUN.match(line) for line in lines):
        told = (match[2] for line in lines if (match := _STEP_ERROR.match(line)))
        hint = f"`docker buildx inspect {builder} --bootstrap` tells more; its address must be reachable from here"
        return UnreachableError("the builder does not answer", where=where, why=next(told, message) or None, hint=hint)
    return None


def why_no_cache(lines: Sequence[str]) -> str | None:
    """Why a build that succeeded has not written its cache; None where it has, or was not to."""
    steps = {match[1] for line in lines if (match := _CACHE_STEP.match(line))}
    found = (match for line in lines if (match := _STEP_ERROR.match(line)))
    return next((match[2] for match in found if match[1] in steps), None)


def _line(lines: Sequence[str], dockerfile: str) -> int | None:
    """Which line of the Dockerfile failed: as the builder says, or where the step stands that it names last."""
    for line in reversed(lines):
        if match := _LINE.search(line):
            return int(match[1] or match[2])
    step = next((match[1] or match[2] for line in reversed(lines) if (match := _STEP.match(line))), None)
    if step is None:
        return None
    beginning = step.partition("***")[0].split()[:6]
    for number, text in enumerate(dockerfile.splitlines(), 1):
        words = text.removesuffix("\\").split()[: len(beginning)]
        if words and [word.lower() for word in beginning[: len(words)]] == [word.lower() for word in words]:
            return number
    return None


def push_failure(image: Image, message: str) -> DeployError:
    """The error for a push that the engine reports as failed."""
    return _push_failure(image, message) or DeploymentFailed(
        "the image cannot be pushed", where=image.reference, why=message
    )


def engine_failure(message: str) -> DeployError | None:
    """The error when Docker itself could not be reached."""
    if _PERMISSION.search(message):
        return UnreachableError(
            "this user may not use Docker",
            why=message,
            hint="add the user to the group `docker` and log in again, or use rootless Docker",
        )
    if _ENGINE.search(message):
        return UnreachableError(
            "Docker does not answer", why=message, hint="start it (`systemctl start docker`), or correct DOCKER_HOST"
        )
    return None


def _push_failure(image: Image, message: str) -> DeployError | None:
    where = image.reference
    if _REFUSED.search(message):
        hint = "check the AWS profile and what it allows on this repository (docs/iam.md has the ECR policy)"
        return UnreachableError("the registry does not let us in", where=where, why=message, hint=hint)
    if _NO_ANSWER.search(message):
        hint = "check AwsEcrPrefix, the network, and that the registry runs"
        return UnreachableError("the registry does not answer", where=where, why=message, hint=hint)
    return None


def is_taken(message: str) -> bool:
    """Whether a push failed because the tag is there already and cannot be moved."""
    return bool(_TAKEN.search(message))


def error_in(lines: Sequence[str]) -> str:
    """Docker's own last word on what went wrong; empty when there is none."""
    return next((_ERROR.sub("", line) for line in reversed(lines) if _ERROR.match(line)), "")
