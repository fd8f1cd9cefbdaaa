"""The sample artefacts in the sandbox's bucket: small static sites, the same bytes every time."""

from __future__ import annotations

import gzip
import io
import tarfile

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{app} {version}</title></head>
<body><h1>{app} {version}</h1><p id="greeting"></p>
<script>
fetch("/greeting.txt").then(answer => answer.text()).then(text => greeting.textContent = text)
</script>
</body>
</html>
"""


def samples() -> dict[str, bytes]:
    """Key in the bucket → tar.gz of a site."""
    versions = ("0.0.1", "0.0.2", "develop")
    return {
        f"{app}/{app}-{version}.tar.gz": site(app, version) for app in ("myapp", "notmyapp") for version in versions
    }


def site(app: str, version: str) -> bytes:
    """A site of three files: `index.html`, `healthcheck` and `version`."""
    files = {
        "healthcheck": "ok\n",
        "index.html": _PAGE.format(app=app, version=version),
        "version": f"{version}\n",
    }
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()
