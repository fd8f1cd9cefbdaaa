"""What surrounds a deployment: artefacts in S3, hosts behind the ingress, messages in Slack."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from deployer.adapters.aws.session import Sessions
from deployer.sandbox.layout import BUCKET, REGIONS, SLACK_ENDPOINT

CHECKOUT = Path(__file__).parents[2]
ACCESS = CHECKOUT / ".sandbox"
ADDRESSES = {region.name: region for region in REGIONS}
CLOSED = "127.0.0.1:9"
"""Nothing listens there."""

Json = dict[str, Any]
Put = Callable[[str, Mapping[str, str]], str]
"""Puts an archive of some files under a name into the bucket; its address."""


def unique(prefix: str = "t") -> str:
    """A name that no other test, and no other run, uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def ask(host: str, region: str = "london", path: str = "/") -> tuple[int, str]:
    """What a host answers through its region's load balancer."""
    url = f"http://{ADDRESSES[region].ingress}{path}"
    response = httpx2.get(url, headers={"Host": host}, timeout=5, trust_env=False)
    return response.status_code, response.text


def messages(channel: str) -> list[Json]:
    """What a Slack channel was told, oldest first."""
    found = httpx2.get(f"{SLACK_ENDPOINT}/messages", timeout=10, trust_env=False).json()
    found = found["messages"] if isinstance(found, dict) else found
    wanted = ("C" + "".join(filter(str.isalnum, channel)).upper(), channel)
    return [message for message in found if message.get("channel") in wanted]


def s3() -> Any:
    return Sessions().of("eu-west-2", "local", str(ACCESS / "aws-config")).client("s3")


def tarball(files: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


@contextmanager
def artefacts(prefix: str) -> Iterator[Put]:
    """Puts archives below a prefix of the bucket; gives their `s3://` addresses. They are deleted afterwards."""
    client = s3()

    def put(name: str, files: Mapping[str, str]) -> str:
        client.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=tarball(files))
        return f"s3://{BUCKET}/{prefix}/{name}"

    yield put
    for item in client.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/").get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
