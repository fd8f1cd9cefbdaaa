"""Finds the tools that we call, and builds the ones that this machine lacks.

find("sops")              where it is, or None; starts nothing that takes time
require("sops", sink)     the same, but built first when it is missing
ensure(SANDBOX, sink)     several, in parallel where that helps, system packages included
"""

from deployer.tools.catalogue import DEPLOYMENT, OPTIONAL, SANDBOX, TOOLS
from deployer.tools.obtain import ensure, require
from deployer.tools.resolve import find

__all__ = ["DEPLOYMENT", "OPTIONAL", "SANDBOX", "TOOLS", "ensure", "find", "require"]
