"""Announcements beside the work: in order, and with one warning for each channel."""

from __future__ import annotations

from threading import Event

from deployer.execute.announcing import Announcer
from deployer.execute.ports import Announcement

BEGUN, ENDED = Announcement("begun"), Announcement("ended")


class Channel:
    """Answers with the given warnings, one after the other."""

    def __init__(self, *warnings: str | None) -> None:
        self._warnings = iter(warnings)
        self.told: list[str] = []

    def announce(self, announcement: Announcement) -> str | None:
        self.told.append(announcement.text)
        return next(self._warnings)


def told(*channels: Channel) -> list[str]:
    announcer = Announcer(channels)
    announcer.begin(BEGUN)
    return announcer.end(ENDED)


def test_every_channel_is_told_twice_and_in_order() -> None:
    channels = Channel(None, None), Channel(None, None)
    assert told(*channels) == []
    assert [channel.told for channel in channels] == [["begun", "ended"], ["begun", "ended"]]


def test_one_warning_for_a_channel_that_fails_twice() -> None:
    assert told(Channel("not within 3 s", "not within 2 s")) == ["not within 2 s"]
    assert told(Channel("not within 3 s", None)) == ["not within 3 s"]


def test_a_channel_that_hangs_is_not_waited_for_any_longer() -> None:
    over = Event()

    class Hanging(Channel):
        def announce(self, announcement: Announcement) -> str | None:
            over.wait(30)
            return None

    announcer = Announcer([Hanging(), Hanging()])
    announcer.begin(BEGUN)
    (warning,) = announcer.end(ENDED, 0.05)
    assert "did not answer in time" in warning
    over.set()


def test_the_same_trouble_with_several_channels_is_told_once() -> None:
    assert told(Channel("down", "down"), Channel("down", "down"), Channel(None, "no such channel")) == [
        "down",
        "no such channel",
    ]
