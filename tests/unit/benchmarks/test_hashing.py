"""The hashing benchmark, with few files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def benchmark(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.hashing", "--repetitions", "1", *arguments]
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}" if path else os.environ["PATH"]}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_it_prints_both_and_their_ratio(tmp_path: Path) -> None:
    result = benchmark("--files", "20", "--size", "1", "--directory", str(tmp_path))
    assert result.returncode in (0, 3), result.stderr  # so few files say nothing about the target
    assert "find, sort, xargs md5sum" in result.stdout
    assert "ours" in result.stdout
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_prints_no_number(tmp_path: Path) -> None:
    shell = tmp_path / "bash"  # the one who is compared with
    shell.write_text("#!/bin/sh\nexit 1\n")
    shell.chmod(0o755)
    result = benchmark("--files", "20", "--size", "1", "--directory", str(tmp_path), path=tmp_path)
    assert result.returncode == 1
    assert "FAILED" in result.stderr
    assert "median" not in result.stdout
