"""SOPS: decrypts the secrets of a stage and region, in memory, and changes them."""

from deployer.adapters.sops.changes import SopsFile
from deployer.adapters.sops.decryptor import Sops

__all__ = ["Sops", "SopsFile"]
