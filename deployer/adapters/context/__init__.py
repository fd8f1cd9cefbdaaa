"""Docker contexts: what an app's image is made of, observed first and made real only to be built."""

from deployer.adapters.context.archive import Limits
from deployer.adapters.context.hashing import scan
from deployer.adapters.context.observe import Contexts

__all__ = ["Contexts", "Limits", "scan"]
