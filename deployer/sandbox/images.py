"""Makes the base images out of the machine's static busybox and puts them into a registry."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

from deployer.errors import DeploymentFailed
from deployer.sandbox import health
from deployer.sandbox.commands import run
from deployer.sandbox.registry import PASSWORD, USER

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DIRECTORIES = ("bin", "dev", "etc", "home", "proc", "root", "run", "srv", "sys", "tmp", "usr", "usr/bin", "var")
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
    "etc/group": "root:x:0:\nnobody:x:65534:\n",
}


def push_base_images(registry: str, busybox: Path) -> None:
    """Push `base/busybox:1` (a shell and its tools) and `base/pause:1` (sleeps) unless the registry has them."""
    layer = _layer(busybox)
    _push(registry, "base/busybox", layer, {"Cmd": ["sh"]})
    _push(registry, "base/pause", layer, {"Entrypoint": ["/bin/busybox", "sleep", "2147483647"]})


def _layer(busybox: Path) -> bytes:
    """A tar archive, the same for the same busybox: directories, accounts, busybox and a link per applet."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in _DIRECTORIES:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(entry)
        for name, text in _ACCOUNTS.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = busybox.stat().st_size, 0o755
        with busybox.open("rb") as file:
            archive.addfile(entry, file)
        for applet in run([busybox, "--list"]).split():
            entry = tarfile.TarInfo(f"bin/{applet}")
            if applet != "busybox":
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(entry)
    return content.getvalue()


def _push(registry: str, repository: str, layer: bytes, configuration: dict[str, object]) -> None:
    config = json.dumps(
        {
            "architecture": _architecture(),
            "os": "linux",
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], **configuration},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            "history": [{"created_by": "deploy sandbox up"}],
            "created": "1970-01-01T00:00:00Z",
        },
        sort_keys=True,
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor("application/vnd.docker.container.image.v1+json", config),
            "layers": [_descriptor("application/vnd.docker.image.rootfs.diff.tar", layer)],
        }
    ).encode()
    url = f"http://{registry}/v2/{repository}"
    status, present = _ask("GET", f"{url}/manifests/1", headers={"Accept": _MANIFEST})
    if status == 200 and present == manifest:
        return
    for blob in (layer, config):
        _upload(url, blob)
    status, answer = _ask("PUT", f"{url}/manifests/1", manifest, {"Content-Type": _MANIFEST})
    _expect(201, status, answer, url)


def _upload(url: str, blob: bytes) -> None:
    digest = _digest(blob)
    status, _ = _ask("HEAD", f"{url}/blobs/{digest}")
    if status == 200:
        return
    # One POST with the digest uploads a whole blob where the registry supports it; ours wants POST, then PUT.
    location = _start_upload(url)
    separator = "&" if "?" in location else "?"
    status, answer = _ask(
        "PUT", f"{location}{separator}digest={digest}", blob, {"Content-Type": "application/octet-stream"}
    )
    _expect(201, status, answer, url)


def _start_upload(url: str) -> str:
    """Where to send a blob to: the registry's `Location`."""
    import http.client

    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("POST", f"/{path}/blobs/uploads/", headers=_login())
        response = connection.getresponse()
        answer = response.read()
        _expect(202, response.status, answer, url)
        location = response.headers["Location"]
    finally:
        connection.close()
    return location if location.startswith("http") else f"http://{host}{location}"


def _ask(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    return health.ask(url, method=method, body=body, headers={**_login(), **(headers or {})}, timeout=30)


def _login() -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}


def _expect(expected: int, status: int, answer: bytes, url: str) -> None:
    if status != expected:
        raise DeploymentFailed("a base image cannot be pushed", where=url, why=answer[:300].decode(errors="replace"))


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _architecture() -> str:
    import platform

    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
