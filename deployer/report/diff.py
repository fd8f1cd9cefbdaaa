"""A plan's changes as lines for people: object by object, and once for all regions in which they are the same."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from deployer.model import Image, Target
from deployer.model.changes import FieldChange, ImageChange, ObjectChange, PodsChange, Preview, SecretUse
from deployer.report.words import printable, short_tag

_LONGEST = 160
"""Characters of a value that are shown; JSON has all of them."""

_CONTEXT = 1
"""Lines that are shown around a changed line of a text."""

_MARKS = {"create": "+", "change": "~", "delete": "-", "keep": "-"}
_ACTIONS = {"none": "", "present": "the registry has it", "copy": "to be copied", "build": "to be built"}


class Planned(Protocol):
    """A target's plan, or its result."""

    @property
    def target(self) -> Target:
        """What it is about."""
        ...

    @property
    def image(self) -> Image | None:
        """The app's own image."""
        ...

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why there is something to do."""
        ...

    @property
    def preview(self) -> Preview | None:
        """What would change."""
        ...


class Palette:
    """Colours by what they say; none where nobody wants any."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, what: str, text: str) -> str:
        """The text in the colour of `what`: `+`, `~`, `-`, `!`, `bold` or `dim`."""
        codes = {"+": "32", "~": "33", "-": "31", "!": "1;31", "bold": "1", "dim": "2"}
        return f"\x1b[{codes[what]}m{text}\x1b[0m" if self._colour and what in codes else text


def preview_lines(targets: Sequence[Planned], *, width: int, colour: bool = False) -> Iterator[str]:
    """What the plans of these targets would change; what several regions have in common comes first, and once."""
    paint = Palette(colour=colour)
    for application in dict.fromkeys(target.target.application for target in targets):
        members = [one for one in targets if one.target.application == application and one.preview is not None]
        for regions, parts in _shared([one for one in members if one.reasons], members):
            yield ""
            yield paint("bold", f"{application} in {', '.join(regions)}")
            for part in parts:
                yield from part.lines(paint, width)


@dataclass(frozen=True)
class _Part:
    """A thing that a plan changes, which regions may have in common. `key` is equal for what looks the same."""

    key: str
    lines: Callable[[Palette, int], Iterable[str]]


def _shared(targets: Sequence[Planned], all_targets: Sequence[Planned]) -> list[tuple[tuple[str, ...], list[_Part]]]:
    """The parts by the regions that have them; those of most regions first."""
    found: dict[str, tuple[list[str], _Part]] = {}
    for target in targets:
        for part in _parts(target, all_targets):
            found.setdefault(part.key, ([], part))[0].append(target.target.region)
    groups: dict[tuple[str, ...], list[_Part]] = {}
    for regions, part in found.values():
        groups.setdefault(tuple(regions), []).append(part)
    return sorted(groups.items(), key=lambda group: -len(group[0]))


def _parts(target: Planned, all_targets: Sequence[Planned]) -> Iterator[_Part]:
    preview = target.preview
    if preview is None:  # pragma: no cover -- only those that have one are told
        return
    if target.reasons:
        yield _labelled("why", "; ".join(target.reasons))
    if preview.image is not None:
        yield _labelled("image", _image(preview.image, target))
    for line in preview.taken:
        yield _labelled("takes", line)
    pods = {one.key: one for one in preview.pods}
    for one in preview.objects:
        yield _object(_short_images(one, target), pods.get(one.key))
    if preview.unchanged:
        count = preview.unchanged
        yield _labelled("", f"= {count} object{'s' if count != 1 else ''} unchanged")
    yield from _secrets(preview, all_targets)
    if preview.objects and not any(one.restarts for one in preview.pods):
        yield _labelled("restarts", "nothing" if _leaves_pods(preview) else "nothing that runs by now")
    for line in preview.hooks:
        yield _labelled("hook", line)
    for line in preview.dns:
        yield _labelled("dns", line)


def _labelled(label: str, text: str) -> _Part:
    def lines(paint: Palette, width: int) -> Iterator[str]:
        yield f"  {paint('dim', f'{label:<8}')} {printable(text)}" if label else f"  {paint('dim', printable(text))}"

    return _Part(f"{label} {text}", lines)


def _image(image: ImageChange, target: Planned) -> str:
    name = target.image.repository.rpartition("/")[2] if target.image else ""
    tags = _arrow(short_tag(image.old) if image.old else None, short_tag(image.new))
    version = f"version {_arrow(image.old_version, image.new_version)}" if image.new_version else ""
    told = ", ".join(part for part in (version, _ACTIONS[image.action]) if part)
    return f"{name}:{tags}" + (f" ({told})" if told else "")


def _arrow(old: str | None, new: str | None) -> str:
    return f"{old} → {new}" if old is not None and old != new else str(new)


def _leaves_pods(preview: Preview) -> bool:
    """Whether pods are neither made nor ended by it."""
    return all(one.action == "change" for one in preview.objects)


def _secrets(preview: Preview, targets: Sequence[Planned]) -> Iterator[_Part]:
    """The secrets that change; of one that some regions do not have at all, that too."""
    for one in preview.secrets:
        if one.change != "same":
            yield _labelled("secret", f"{one.name} {_secret_text(one)}{_missing(one, targets)}")


def _secret_text(one: SecretUse) -> str:
    word = {"added": "is new", "removed": "is no longer used", "changed": "changes"}[one.change]
    marks = " → ".join(mark for mark in (one.before, one.after) if mark)
    return f"{word} ({marks})" if marks else word


def _missing(one: SecretUse, targets: Sequence[Planned]) -> str:
    if one.change != "added":
        return ""
    lacking = [
        target.target.region
        for target in targets
        if target.preview is not None
        and one.name not in {use.name for use in target.preview.secrets if use.change != "removed"}
    ]
    return f", missing in {', '.join(lacking)}" if lacking else ""


def _short_images(one: ObjectChange, target: Planned) -> ObjectChange:
    """Without the region's own registry before the app's image, since that is all in which regions differ there."""
    image = target.image
    if image is None:
        return one
    own = f"{image.registry}/{image.repository}"
    name = image.repository.rpartition("/")[2]

    def short(value: Any) -> Any:
        return f"{name}{value.removeprefix(own)}" if isinstance(value, str) and value.startswith(f"{own}:") else value

    fields = tuple(_cut_digest(replace(each, old=short(each.old), new=short(each.new))) for each in one.fields)
    return replace(one, fields=fields, facts=tuple(fact.replace(f"{own}:", f"{name}:") for fact in one.facts))


def _cut_digest(change: FieldChange) -> FieldChange:
    """Without the digests of an image whose tags tell the difference."""
    if not change.path.endswith("image") or not isinstance(change.old, str) or not isinstance(change.new, str):
        return change
    old, new = change.old.partition("@")[0], change.new.partition("@")[0]
    return change if old == new else replace(change, old=old, new=new)


def _object(one: ObjectChange, pods: PodsChange | None) -> _Part:
    def lines(paint: Palette, width: int) -> Iterator[str]:
        mark = _MARKS[one.action]
        told = "; ".join(one.facts)
        effect = _effect(pods) if pods is not None else ""
        head = f"{paint(mark, f'{mark} {one.key}')}"
        yield f"  {head}" + (f"  {paint('dim', printable(told or effect))}" if told or effect else "")
        refused = {each.path: each.hint for each in one.refused}
        for change in one.fields:
            yield from (f"      {line}" for line in field_lines(change, paint, width - 6))
        for path, hint in refused.items():
            yield f"      {paint('!', f'✘ {printable(path)} cannot be changed')}: {printable(hint)}"

    return _Part(repr((one, pods)), lines)


def _effect(pods: PodsChange) -> str:
    """What becomes of the pods, beside the object's name."""
    counts = f"{pods.before} → {pods.after} pods" if pods.before != pods.after else ""
    if pods.restarts:
        new = f"{pods.after} new pod{'s' if pods.after != 1 else ''}"
        return ", ".join(
            part for part in (f"restarts: {new}", f"{pods.before} before" if counts else "", pods.note) if part
        )
    return ", ".join(part for part in (counts, pods.note or "no restart") if part)


def field_lines(change: FieldChange, paint: Palette, width: int) -> Iterator[str]:
    """A field's old and new value: on one line where that fits, else below its path."""
    path = printable(change.path)
    if change.secret:
        yield f"{path}  {paint('~', f'{change.change} (secret)')}"
        return
    old, new = change.old, change.new
    if _is_text(old) or _is_text(new):
        yield path
        yield from (f"  {line}" for line in _text_lines(_lines_of(old), _lines_of(new), paint))
        return
    shown_old = paint("-", _value(old)) if old is not None else None
    shown_new = paint("+", _value(new)) if new is not None else None
    if shown_old is None or shown_new is None:
        value = _value(new if old is None else old)
        word = {"added": "+", "removed": "-", "changed": "~"}[change.change]
        text = "removed" if new is None and old is None else value
        if len(path) + len(text) + 4 <= width:
            yield f"{paint(word, word)} {path}  {paint(word, text)}"
        else:
            yield f"{paint(word, word)} {path}"
            yield from (f"    {paint(word, line)}" for line in _wrapped(text, width - 4))
        return
    if len(path) + len(_value(old)) + len(_value(new)) + 5 <= width:
        yield f"{path}  {shown_old} → {shown_new}"
    else:
        yield path
        yield f"  {paint('-', f'- {_value(old)}')}"
        yield f"  {paint('+', f'+ {_value(new)}')}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value.strip()


def _lines_of(value: Any) -> list[str]:
    return printable(value).splitlines() if isinstance(value, str) else []


def _text_lines(old: list[str], new: list[str], paint: Palette) -> Iterator[str]:
    """A unified diff; its header names no file, since the path stands above."""
    if old == new:
        yield paint("~", "only the line ends differ")
    for line in list(difflib.unified_diff(old, new, n=_CONTEXT, lineterm=""))[2:]:
        mark = line[:1]
        yield paint("dim", line) if mark == "@" else paint(mark, line) if mark in "+-" else line


def _value(value: Any) -> str:
    """A value on one line, in YAML's short form, cut where it is long."""
    text = printable(value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False))
    text = text.replace("\n", "\\n").replace("\t", "\\t")
    return f"{text[: _LONGEST - 1]}…" if len(text) > _LONGEST else text


def _wrapped(text: str, width: int) -> Iterator[str]:
    for start in range(0, len(text), max(20, width)):
        yield text[start : start + max(20, width)]
