"""What `pip install` must bring along."""

import subprocess
import tomllib
from glob import glob
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_file_of_the_package_is_in_the_wheel() -> None:
    """setuptools silently leaves out directories without __init__.py, and files that no pattern names."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    package = ROOT / "deployer"
    patterns = settings["package-data"]["deployer"]  # of the glob module, whose `**` differs from pathlib's
    data = {package / name for pattern in patterns for name in glob(pattern, root_dir=package, recursive=True)}  # noqa: PTH207
    git = ["git", "-c", "safe.directory=*"]  # the checkout may be another user's
    listed = [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "deployer"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    files = [path for name in names if name and (path := ROOT / name).is_file()]
    assert files
    code = [path for path in files if path.suffix == ".py"]
    assert [path for path in code if not (path.parent / "__init__.py").is_file()] == []
    assert [path for path in files if path.suffix != ".py" and path not in data] == []


def test_lock_files_name_no_host_and_hash_everything() -> None:
    for lock in (
        ROOT / "requirements/runtime.txt",
        ROOT / "requirements/development.txt",
        ROOT / "requirements/telemetry.txt",
        ROOT / "deployer/sandbox/requirements.txt",
    ):
        text = lock.read_text()
        assert "://" not in text and "find-links" not in text and "index-url" not in text
        pins = text.replace("\\\n", " ").splitlines()
        pinned = [line for line in pins if line and not line.lstrip().startswith("#")]
        assert len(pinned) > 20
        assert [line for line in pinned if "==" not in line or "--hash=sha256:" not in line] == []


def test_the_lock_with_telemetry_is_the_runtime_lock_and_the_extra() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / f"requirements/{name}.txt").read_text()
        return {line.split()[0] for line in text.splitlines() if "==" in line}

    runtime, telemetry = pins("runtime"), pins("telemetry")
    assert runtime <= telemetry
    assert {line.partition("==")[0] for line in telemetry - runtime} >= {"opentelemetry-sdk", "protobuf"}
    assert not any(line.startswith("opentelemetry") for line in runtime)


def test_the_runtime_lock_has_every_dependency_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements/runtime.txt").read_text().lower()
    for dependency in project["dependencies"]:
        name = dependency.partition(">")[0].partition("[")[0].lower().replace("_", "-")
        assert f"\n{name}==" in locked, f"{name} is not locked: run `make lock`"
