"""`deploy jenkins`: pipelines for Jenkins, and what they make of a command's report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from deployer.cli.options import Debug, Directory
from deployer.errors import DeployError, UsageError

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_Report = Annotated[Path, typer.Argument(metavar="FILE", help="what --json printed")]


@app.callback()
def jenkins() -> None:
    """Jenkins: pipelines for this repository, with the results of deployments in its builds."""


@app.command()
def generate(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to (default: jenkins/ in the repository).")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 3 where files differ.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that were not made by this.")] = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Write a declarative pipeline for each purpose, and a Job DSL script for the jobs.

    Deploy one app to one region, or to all in waves; all apps, production after approval; roll back; look for drift.
    Settings are the block `Jenkins` of deployer.yml.
    """
    from deployer.cli.files import write_file
    from deployer.cli.output import print_answer, print_result
    from deployer.config import Repository
    from deployer.jenkins.content import content_of
    from deployer.jenkins.generate import generate as make
    from deployer.jenkins.settings import prefix_of, read_settings
    from deployer.jenkins.write import differing, write

    repository = Repository.find(Path.cwd(), directory)
    settings = read_settings(repository.root)
    prefix = _prefix(repository.root) if settings.repository.path is None else prefix_of(settings.repository.path)
    made = make(content_of(repository, settings), settings, prefix=prefix)
    target = out if out is not None else repository.root / settings.directory
    if check:
        differ = differing(target, made)
        lines = [f"{target / name}: {'differs' if (target / name).exists() else 'is missing'}" for name in differ]
        again = "`deploy jenkins generate` writes them anew"
        print_answer("\n".join([*lines, again]) if differ else f"{target}: as the repository wants it")
        raise typer.Exit(3 if differ else 0)
    changed = write(target, made, write_file, force=force)
    print_result("\n".join(f"{target / name}: {'written' if name in changed else 'unchanged'}" for name in made))


@app.command()
def report(
    file: _Report,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit's XML there.")] = None,
    debug: Debug = False,
) -> None:
    """Print a command's report in the few lines of a build's description, and write it as test results."""
    from deployer.cli.files import write_file
    from deployer.cli.output import print_answer
    from deployer.report.builds import description
    from deployer.report.junit import junit as xml

    document = _document(file, "targets", "it is what --json of deploy, plan, status … printed")
    if junit is not None:
        write_file(junit, xml(document))
    print_answer(description(document))


@app.command()
def choices(file: _Report, debug: Debug = False) -> None:
    """Print what a rollback may go back to, a line each, from the report of `deploy history --json`."""
    from deployer.cli.output import print_answer
    from deployer.report.builds import choices as choices_of

    history = _document(file, "regions", "it is what `deploy history --json` printed")
    found = choices_of(history)
    if not found and history.get("errors"):
        told = "\n".join(str(error.get("what")) for error in history["errors"])
        raise UsageError("the history could not be read", where=str(file), why=told)
    if not found:
        raise UsageError(
            "there is nothing to go back to", where=str(file), why="no revision was verified but what runs"
        )
    print_answer("\n".join(found))


def _prefix(root: Path) -> str:
    """Where the repository lies in its git checkout, which Jenkins will have, too; empty without git."""
    from deployer.adapters.git import GitFiles

    try:
        return GitFiles(root).prefix()
    except DeployError:
        return ""


def _document(file: Path, entries: str, hint: str) -> dict[str, Any]:
    """A document of `--json` that has `entries`, or says why it has none; raises UsageError for what is none."""
    wrong = UsageError("this is no report", where=str(file), hint=hint)
    try:
        content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        wrong.why = getattr(error, "strerror", None) or str(error)
        raise wrong from error
    if not isinstance(content, dict) or not (entries in content or content.get("errors")):
        raise wrong
    found = content.get(entries, [])
    lists = [found, content.get("errors", [])]
    if _are_objects(found):
        lists += [one.get("revisions") or [] for one in found]
    if not all(map(_are_objects, lists)):
        raise wrong
    return content


def _are_objects(entries: object) -> bool:
    return isinstance(entries, list) and all(isinstance(one, dict) for one in entries)
