"""Packs the simulation of Route 53 as one program, the same for every checkout with the same sources."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

from deployer.sandbox.layout import Layout

_ROOT = Path(__file__).parents[1]
_MODULES = ("__init__.py", "sandbox/__init__.py", "sandbox/layout.py")
_MAIN = "import sys\n\nfrom deployer.sandbox.dns.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"
_NAME = "route53"


def program(layout: Layout) -> Path:
    """A zip archive that Python runs: `python -I PROGRAM aws|dns …`, see `deployer.sandbox.dns.__main__`.

    Its name changes with what it does, so that a running one is never overwritten.
    """
    content = packed()
    file = layout.state / f"{_NAME}-{hashlib.sha256(content).hexdigest()[:12]}.pyz"
    if not file.exists():
        temporary = file.with_suffix(".new")
        temporary.write_bytes(content)
        temporary.replace(file)
        for outdated in layout.state.glob(f"{_NAME}-*.pyz"):
            if outdated != file:
                outdated.unlink(missing_ok=True)  # who runs it is started anew at once
    return file


def packed() -> bytes:
    """The archive's bytes: a function of the sources alone."""
    modules = [*_MODULES, *(f"sandbox/dns/{source.name}" for source in sorted((_ROOT / "sandbox/dns").glob("*.py")))]
    contents = {f"deployer/{name}": (_ROOT / name).read_text() for name in modules} | {"__main__.py": _MAIN}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in contents.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()
