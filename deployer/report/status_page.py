"""How a stage stands, as one self-contained HTML page: no script, no style, font or image from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from deployer.errors import DeployError
from deployer.model.status import Health, ReleaseStatus, StageStatus
from deployer.report.dns import health_words
from deployer.report.status import MARKS, notes_of, summary
from deployer.report.words import age, pods, printable, short_digest, short_tag

_MEANINGS: dict[Health, str] = {
    "well": "well",
    "busy": "somebody is at work",
    "skewed": "differs from the other regions",
    "broken": "not verified, or pods not ready",
    "absent": "not deployed",
    "unknown": "could not be read",
}


@dataclass(frozen=True)
class _Cell:
    """An app in a region: `brief` and `image` are seen at once, `facts` (labels and texts) when unfolded."""

    region: str
    health: Health
    mark: str
    headline: str
    state: str
    brief: tuple[str, ...]
    image: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def status_page(status: StageStatus, mask: Callable[[str], str] = str, *, refresh: float | None = None) -> str:
    """The page. `mask` hides secrets in every text; `refresh`: seconds after which a browser reads the file again."""
    from jinja2 import Environment, StrictUndefined

    def shown(value: object) -> object:
        return mask(printable(value)) if isinstance(value, str) else value

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=shown
    )
    template = environment.from_string(files(__package__).joinpath("templates/status.html.j2").read_text("utf-8"))
    regions = sorted({row.target.region for row in status.rows if row.target.region}, key=status.regions.index)
    counts = {health: sum(row.health == health for row in status.rows) for health in MARKS}
    return template.render(
        status=status,
        summary=summary(status),
        taken=_moment(status.taken),
        regions=regions,
        apps=list(_apps(status, regions)),
        counts=[(health, MARKS[health], count, _MEANINGS[health]) for health, count in counts.items() if count],
        errors=[_error(error) for error in status.errors],
        refresh=max(1, round(refresh)) if refresh else None,
    )


def _apps(status: StageStatus, regions: list[str]) -> Iterator[tuple[str, list[_Cell | None], list[str]]]:
    """Each app with a cell for each region (None where the app is not meant for it), and notes that no cell has."""
    rows: dict[str, dict[str, ReleaseStatus]] = {}
    for row in status.rows:
        rows.setdefault(row.target.application, {})[row.target.region] = row
    for app, by_region in rows.items():
        cells = [_cell(by_region[region], status) if region in by_region else None for region in regions]
        yield app, cells, list(notes_of(by_region[""])) if "" in by_region else []


def _cell(row: ReleaseStatus, status: StageStatus) -> _Cell:
    since = f"{age((status.taken - row.updated).total_seconds())} ago" if row.updated else None
    brief = (
        f"revision {row.revision}" if row.revision else None,
        f"{pods(row.workloads)} pods" if row.workloads else None,
        f"{since} by {row.who}" if since and row.who else since,
        f"DNS: {health_words(row.traffic)}" if row.traffic else None,
    )
    image = (short_tag(row.tag) if row.tag else None, short_digest(row.digest) if row.digest else None)
    facts = (
        ("tag", row.tag),
        ("digest", row.digest),
        ("deployment", row.deployment_id),
        ("commit", row.git_commit),
        ("made", _moment(row.updated)),
        ("release", f"{row.name} in namespace {row.namespace}"),
    )
    return _Cell(
        region=row.target.region,
        health=row.health,
        mark=MARKS[row.health],
        headline=row.version or row.standing,
        state=row.standing,
        brief=tuple(text for text in brief if text),
        image=tuple(text for text in image if text) or ("details",),
        facts=tuple((label, text) for label, text in facts if text) if row.revision else (),
        notes=tuple(notes_of(row)),
    )


def _error(error: DeployError) -> dict[str, str | None]:
    return {
        "what": error.what,
        "where": str(error.where) if error.where else None,
        "why": error.why,
        "hint": error.hint,
    }


def _moment(time: datetime | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC") if time else ""
