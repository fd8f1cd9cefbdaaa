"""The shapes that names must have, with the documents that say so."""

from __future__ import annotations

import re

AWS_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}\Z")

REGISTRY_PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*/?\Z")
"""`HOST[:PORT][/PATH]`, as in an image reference (https://pkg.go.dev/github.com/distribution/reference)."""

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\Z")
"""An image tag of the same grammar; its length is checked apart."""

HTTP_URL = re.compile(r"https?://[^\s/?#]+(?:[/?#]\S*)?\Z")
URL_PATH = re.compile(r"/\S*\Z")

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")
_HOST_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?\Z")
_MAX_LABEL = 63
_MAX_HOST = 253

MAX_RELEASE_NAME = 53
"""Of Helm, which adds suffixes to it (https://helm.sh/docs/chart_template_guide/getting_started/)."""

MAX_TAG = 128 - 33
"""128 characters (same grammar as above), less `-` and the 32 digits of DockerHash."""


def is_label(text: str, longest: int = _MAX_LABEL) -> bool:
    """Whether it is a DNS label as Kubernetes wants it (RFC 1123, lower case)."""
    return len(text) <= longest and bool(_LABEL.match(text))


def is_host_name(text: str) -> bool:
    """Whether it is a host name: labels separated by dots, without one at the end."""
    labels = text.split(".")
    return len(text) <= _MAX_HOST and all(len(label) <= _MAX_LABEL and _HOST_LABEL.match(label) for label in labels)


def is_port(number: int) -> bool:
    """Whether it is a TCP port."""
    return 1 <= number <= 65535


def is_host_and_port(text: str) -> bool:
    """Whether it is `HOST:PORT`, with brackets around an IPv6 address."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    return (
        bool(colon) and port.isascii() and port.isdigit() and is_port(int(port)) and (bracketed or is_host_name(host))
    )


def is_inside(path: str) -> bool:
    """Whether a path of a Docker context is relative and stays inside."""
    parts = path.split("/")
    return bool(path) and not path.startswith("/") and ".." not in parts and "\0" not in path and "\\" not in path


def snake_case(name: str) -> str:
    """`AwsEcrPrefix` → `aws_ecr_prefix`, the reverse of `model.pascal_case`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
