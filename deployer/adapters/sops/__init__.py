"""SOPS: decrypts the secrets of a stage and region, in memory."""

from deployer.adapters.sops.decryptor import Sops

__all__ = ["Sops"]
