"""A notifier that shows no secret, whatever it is given."""

from __future__ import annotations

from collections.abc import Callable

from deployer.execute.ports import Announcement, Notifier
from deployer.masking.document import mask_texts


class MaskedNotifier:
    """Masks what is announced: failures quote pods and events."""

    def __init__(self, notifier: Notifier, mask: Callable[[str], str]) -> None:
        self._notifier = notifier
        self._mask = mask

    def announce(self, announcement: Announcement) -> str | None:
        """Announce it masked."""
        blocks = mask_texts(announcement.blocks, self._mask)
        thread = tuple(map(self._mask, announcement.thread))
        report = mask_texts(announcement.report, self._mask) if announcement.report is not None else None
        return self._notifier.announce(Announcement(self._mask(announcement.text), tuple(blocks), thread, report))
