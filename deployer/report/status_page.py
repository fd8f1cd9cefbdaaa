"""How a stage stands, as one self-contained HTML page: no script, no style, font or image from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from deployer.errors import DeployError
from deployer.model.status import Health, ReleaseStatus, StageStatus
from deployer.report.status import MARKS, holder, notes_of, summary
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
class _Fact:
    """A line in a cell; `full` is what the short text is short for."""

    label: str
    text: str
    full: str = ""


@dataclass(frozen=True)
class _Cell:
    region: str
    health: Health
    mark: str
    headline: str
    state: str
    facts: tuple[_Fact, ...] = ()
    notes: tuple[str, ...] = ()


def status_page(status: StageStatus, mask: Callable[[str], str] = str, *, refresh: float | None = None) -> str:
    """The page. `mask` hides secrets in every text; `refresh`: seconds after which a browser reads the file again."""
    from jinja2 import Environment, StrictUndefined

    def text(value: object) -> str:
        return mask(printable(str(value)))

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = lambda value: (
        text(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
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
    facts = [
        _Fact("revision", str(row.revision)) if row.revision else None,
        _Fact("pods", pods(row.workloads)) if row.workloads else None,
        _Fact("tag", short_tag(row.tag), row.tag) if row.tag else None,
        _Fact("digest", short_digest(row.digest), row.digest) if row.digest else None,
        _Fact("commit", row.git_commit[:10], row.git_commit) if row.git_commit else None,
        _Fact("since", _since(row, status), _moment(row.updated)) if row.updated else None,
        _Fact("by", row.who) if row.who else None,
        _Fact("locked by", held) if (held := holder(row)) else None,
    ]
    return _Cell(
        region=row.target.region,
        health=row.health,
        mark=MARKS[row.health],
        headline=row.version or row.standing,
        state=row.standing,
        facts=tuple(fact for fact in facts if fact),
        notes=tuple(notes_of(row)),
    )


def _since(row: ReleaseStatus, status: StageStatus) -> str:
    return age((status.taken - row.updated).total_seconds()) if row.updated else ""


def _error(error: DeployError) -> dict[str, str | None]:
    return {
        "what": error.what,
        "where": str(error.where) if error.where else None,
        "why": error.why,
        "hint": error.hint,
    }


def _moment(time: datetime | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC") if time else ""
