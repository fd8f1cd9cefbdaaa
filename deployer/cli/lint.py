"""`deploy lint [APP…]`: every app in every one of its environments, offline."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deployer.cli.completion import apps
from deployer.cli.options import AsJson, Debug, Directory

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Format(StrEnum):
    """How findings are written."""

    text = "text"
    json = "json"
    sarif = "sarif"
    github = "github"


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def lint(
    applications: Annotated[
        list[str] | None, typer.Argument(metavar="[APP]...", help="apps (default: all)", autocompletion=apps)
    ] = None,
    written: Annotated[Format, typer.Option("--format", help="How findings are written.")] = Format.text,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are errors.")] = False,
    disable: Annotated[
        list[str] | None, typer.Option("--disable", metavar="RULE", help="Leave a rule out (docs/lint.md).")
    ] = None,
    as_json: AsJson = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Look for mistakes in every app in each of its environments: no AWS, no cluster, no key is needed.

    What is encrypted is taken by its key and type alone.
    """
    from dataclasses import replace

    from deployer.cli.output import print_answer
    from deployer.config import Repository
    from deployer.lint.run import lint as run
    from deployer.report.lint import FORMATS

    repository = Repository.find(Path.cwd(), directory)
    findings = run(repository.root, applications or (), disable=disable or ())
    if strict:
        findings = [replace(one, severity="error") for one in findings]
    print_answer(FORMATS["json" if as_json else written.value](findings))
    if any(one.severity == "error" for one in findings):
        raise typer.Exit(2)
