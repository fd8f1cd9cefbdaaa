"""The simulation as a program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from deployer.sandbox import simulation
from deployer.sandbox.layout import Layout


def test_it_is_packed_once_and_runs_by_itself(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    outdated = tmp_path / "route53-0123456789ab.pyz"
    outdated.touch()
    program = simulation.program(layout)
    assert simulation.program(layout) == program
    assert list(tmp_path.iterdir()) == [program]
    assert simulation.packed() == program.read_bytes()
    # Isolated: nothing but the archive and the environment's packages.
    run = subprocess.run([sys.executable, "-I", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert run.returncode == 2
    assert "aws ADDRESS PORT" in run.stderr
    modules = ["border", "checkers", "feed", "ledger", "server", "wire"]
    code = f"import sys; sys.path = [{str(program)!r}, *(p for p in sys.path if 'site-packages' in p or 'lib' in p)]\n"
    code += "".join(f"import deployer.sandbox.dns.{name} as m; assert 'pyz' in m.__file__\n" for name in modules)
    subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd=tmp_path)
