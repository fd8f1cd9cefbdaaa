"""Masking: the one thing that every text passes on its way out of this program."""

from deployer.masking.masker import MARK, Masker
from deployer.masking.stream import MaskingStream

__all__ = ["MARK", "Masker", "MaskingStream"]
