"""`deploy secrets lint`: plaintext, wrong recipients, and keys that are missing in a region."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deployer.cli.completion import regions, stages
from deployer.cli.options import AsJson, Debug, Directory
from deployer.cli.output import print_answer


class Format(StrEnum):
    """How findings are written."""

    text = "text"
    json = "json"
    sarif = "sarif"
    github = "github"


def lint(
    stage: Annotated[
        str | None, typer.Argument(metavar="[STAGE]", help="only this stage (default: all)", autocompletion=stages)
    ] = None,
    region: Annotated[
        str | None, typer.Argument(metavar="[REGION]", help="only this region's files", autocompletion=regions)
    ] = None,
    open_files: Annotated[
        bool, typer.Option("--open", help="Open each file, too: checks its MAC; needs the stage's key.")
    ] = False,
    written: Annotated[Format, typer.Option("--format", help="How findings are written.")] = Format.text,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are errors.")] = False,
    disable: Annotated[list[str] | None, typer.Option("--disable", metavar="RULE", help="Leave a rule out.")] = None,
    as_json: AsJson = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Look for mistakes in secrets files, offline.

    Plaintext among secrets, recipients that differ from .sops.yaml, keys that open another stage's files, and keys of
    a region that another lacks. Nothing is decrypted, unless with --open.
    """
    from dataclasses import replace

    from deployer.config import Repository
    from deployer.pipeline.secrets.checking import lint_secrets
    from deployer.report.lint import FORMATS

    if open_files:
        from deployer.adapters import process
        from deployer.wiring import Wiring

        with Wiring(directory, "") as wiring:
            findings = lint_secrets(
                wiring.repository,
                stage,
                region,
                disable=disable or (),
                open_file=wiring.encrypted_file,
                interrupt=process.stop_all,
            )
    else:
        repository = Repository.find(Path.cwd(), directory)
        findings = lint_secrets(repository, stage, region, disable=disable or ())
    if strict:
        findings = [replace(one, severity="error") for one in findings]
    print_answer(FORMATS["json" if as_json else written.value](findings))
    if any(one.severity == "error" for one in findings):
        raise typer.Exit(2)
