"""`deploy secrets diff` and `rotate`: many files at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli.completion import regions, stages
from deployer.cli.options import AsJson, Debug, Directory
from deployer.cli.output import print_answer, print_result
from deployer.errors import UsageError, interruption

if TYPE_CHECKING:
    from deployer.model.secret_files import RotatedFile

StageOrNone = Annotated[
    str | None, typer.Argument(metavar="[STAGE]", help="dev, preprod, prod, …", autocompletion=stages)
]
RegionsOrNone = Annotated[
    str | None,
    typer.Argument(
        metavar="[REGION]", help="the stage's file and this region's (default: all of them)", autocompletion=regions
    ),
]


def diff(
    revision: Annotated[str, typer.Argument(metavar="REV", help="a git revision, or two: main..HEAD")],
    stage: StageOrNone = None,
    region: RegionsOrNone = None,
    as_json: AsJson = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when something changed.")] = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Show which keys changed since a git revision.

    Fingerprints stand in the place of values.

    They are an HMAC under the stage's FingerprintKey: the same value has the same one.
    """
    from deployer.adapters.git import GitFiles
    from deployer.cli.masked import show_errors
    from deployer.config.secret_files import all_secret_files, check_place, named_secret_file
    from deployer.pipeline.secrets.differing import Comparison
    from deployer.report.secrets import change_lines, changes_document
    from deployer.wiring import Wiring

    since, dots, until = revision.partition("..")
    with Wiring(directory, "") as wiring:
        comparison = Comparison(
            GitFiles(wiring.root), since, (until or "HEAD") if dots else None, wiring.encrypted_file
        )
        here = {file.name: file for file in all_secret_files(wiring.repository)}
        for name in comparison.names():
            here.setdefault(name, named_secret_file(wiring.root, name))
        stages = {file.stage for file in here.values()}
        if stage is not None and stage not in stages:
            wiring.repository.check_stage(stage, wiring.repository.apps)
        names = [name.strip() for name in region.split(",")] if region and region != "all" else []
        for name in names:
            if stage is not None and not any((file.stage, file.region) == (stage, name) for file in here.values()):
                check_place(wiring.repository, stage, name)
        regions = {None, *names}
        wanted = [
            file
            for _, file in sorted(here.items())
            if stage in (None, file.stage) and (region in (None, "all") or file.region in regions)
        ]
        found = comparison.compare(wanted)
    if as_json:
        print_answer(json.dumps(changes_document(found.changes, found.errors), indent=2))
    elif found.changes:
        print_answer("\n".join(change_lines(found.changes)))
    elif not found.errors:
        sys.stderr.write(f"no secret has changed since {since}\n")
    if found.errors:
        raise typer.Exit(show_errors(found.errors, wiring.mask))
    if exit_code and found.changes:
        raise typer.Exit(3)


def rotate(
    stage: StageOrNone = None,
    region: RegionsOrNone = None,
    everything: Annotated[bool, typer.Option("--all", help="The files of every stage.")] = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Also what an interrupted rotation has done within the last day.")
    ] = False,
    as_json: AsJson = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Give files new data keys.

    They also get the recipients that .sops.yaml has for them. Values stay what they are.

    Run it again after an interruption: what was done is not done twice. Who had a file's key may know its values:
    where somebody has left, change those, too.
    """
    from deployer.adapters import process
    from deployer.cli.masked import show_errors
    from deployer.cli.messages import show_warning
    from deployer.config.secret_files import all_secret_files
    from deployer.pipeline.secrets.rotation import Progress
    from deployer.pipeline.secrets.rotation import rotate as run
    from deployer.report.secrets import rotated_document, rotated_line
    from deployer.wiring import Wiring, cache_directory

    if (stage is None) != everything:
        raise UsageError("name a stage, or --all", hint="deploy secrets rotate prod")
    done: list[RotatedFile] = []

    def told(one: RotatedFile, count: int, total: int) -> None:
        done.append(one)
        sys.stderr.write(rotated_line(one, count, total) + "\n")

    with Wiring(directory, "") as wiring:
        files = all_secret_files(wiring.repository, stage, region)
        progress = Progress(_progress_file(cache_directory(), wiring.root), warn=show_warning)
        if afresh:
            progress.forget()
        try:
            errors = run(wiring.root, files, wiring.encrypted_file, progress, told, interrupt=process.stop_all)
        except KeyboardInterrupt as stop:
            rest = "goes on with the rest" if progress.kept else "begins afresh"
            sys.stderr.write(f"stopped; the same command {rest}\n")
            raise interruption(stop) from None
    if as_json:
        print_result(json.dumps(rotated_document(done, errors), indent=2))
    elif not files:
        print_result("there are no secrets files")
    else:
        print_result(f"{sum(one.state != 'failed' for one in done)} of {len(files)} files have new data keys")
    if errors:
        raise typer.Exit(show_errors(errors, wiring.mask))


def _progress_file(cache: Path, root: Path) -> Path:
    import hashlib

    return cache / "rotations" / f"{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.json"
