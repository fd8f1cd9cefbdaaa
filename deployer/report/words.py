"""Small texts that every report uses: durations, counts of pods, short names of images."""

from __future__ import annotations

from collections.abc import Sequence

from deployer.model import Image, WorkloadState
from deployer.model.drain import Absence
from deployer.plan.readiness import RUNNING


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def absence_text(absence: Absence) -> str:
    """`out of DNS from 12:00:03 to 12:04:10 UTC (4 min 07 s)`, or `out of DNS since 2026-11-21 12:00:03 UTC`."""
    if absence.until is None or absence.seconds is None:
        return f"out of DNS since {absence.since:%Y-%m-%d %H:%M:%S} UTC"
    end = f"{absence.until:%H:%M:%S}"
    start = f"{absence.since:%H:%M:%S}" if absence.since.date() == absence.until.date() else str(absence.since)[:19]
    return f"out of DNS from {start} to {end} UTC ({duration(absence.seconds)})"


def age(seconds: float) -> str:
    """`40 s`, `5 min`, `3 h`, `12 d`: how long ago something was, as roughly as people say it."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length or (unit != "d" and seconds >= length):
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def worth_a_line(workload: WorkloadState) -> bool:
    """Whether a rollout's watchers want to see it: it runs pods, or something about it is not well."""
    return workload.key.kind in RUNNING or workload.verdict in ("waiting", "failed")


def pods(workloads: Sequence[WorkloadState]) -> str:
    """`2/2`: ready and desired pods of all workloads together; `-` where there are none.

    Pods that end after a scale-down are still ready for a while; they do not make up for those that another lacks.
    """
    running = [workload for workload in workloads if workload.key.kind in RUNNING]
    desired = sum(workload.desired for workload in running)
    return f"{sum(min(workload.ready, workload.desired) for workload in running)}/{desired}" if desired else "-"


def short_image(image: Image) -> str:
    """`myapp:0.0.1-5ae768241c…`: enough to recognise an image in a message."""
    name = image.repository.rsplit("/", 1)[-1]
    return f"{name}:{short_tag(image.tag)}"


def short_tag(tag: str) -> str:
    """`0.0.1-5ae768241c…`: a tag with the hash in it cut."""
    version, dash, content = tag.rpartition("-")
    return f"{version}{dash}{content[:10]}…" if len(content) == 32 else tag


def short_digest(digest: str) -> str:
    """`5ae768241cce`: enough of a `sha256:…` to tell images apart."""
    return digest.rpartition(":")[2][:12]


def printable(text: str) -> str:
    """The text without control characters, which would do things to a terminal; tabs and line ends stay."""
    return "".join(one if one.isprintable() or one in "\t\n" else ascii(one)[1:-1] for one in text)
