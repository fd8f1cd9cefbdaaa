"""Finds what somebody may have meant by a misspelt name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

_CLOSE = 0.6
_AS_GOOD = 0.05
_MAX_NAMES = 5_000


def near(name: str, known: Iterable[object], *, closeness: float = _CLOSE) -> list[str]:
    """The known names most like the given one, at most three, the best first; upper and lower case count little."""
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(name.lower())
    scored: list[tuple[float, str]] = []
    for candidate in list(known)[:_MAX_NAMES]:
        if not isinstance(candidate, str) or candidate == name:
            continue
        matcher.set_seq1(candidate.lower())
        if matcher.real_quick_ratio() >= closeness and (ratio := matcher.ratio()) >= closeness:
            scored.append((ratio, candidate))
    scored.sort(key=lambda pair: (-pair[0], pair[1]))
    return [candidate for ratio, candidate in scored[:3] if ratio >= scored[0][0] - _AS_GOOD]


def did_you_mean(name: str, known: Iterable[object]) -> str | None:
    """`did you mean VALUES1?`, None when nothing is near."""
    names = near(name, known)
    return f"did you mean {' or '.join(names)}?" if names else None
