"""`deploy init [DIR]`: a new deployment repository that works at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from deployer.cli.options import Debug

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def init(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="where to (default: here)")] = Path(),
    name: Annotated[str | None, typer.Option("--name", help="The first app.")] = None,
    port: Annotated[str | None, typer.Option("--port", help="Where it listens.")] = None,
    environments: Annotated[
        str | None, typer.Option("--environments", metavar="STAGE.REGION,...", help="Where it will run.")
    ] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="Under which it is served.")] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Ask nothing, take the defaults.")] = False,
    debug: Debug = False,
) -> None:
    """Make a deployment repository with one app that runs on the sandbox at once: `deploy local london NAME`.

    What its options do not say is asked. Nothing that exists is overwritten, and no secret is written.
    """
    from deployer.cli.output import print_result
    from deployer.scaffold.answers import QUESTIONS, checked
    from deployer.scaffold.files import files
    from deployer.scaffold.write import write

    given = {"name": name, "port": port, "environments": environments, "domain": domain}
    answers = {
        one.key: value if (value := given[one.key]) is not None else _asked(one.text, one.default, ask=not yes)
        for one in QUESTIONS
    }
    known = checked(**answers)
    contents = files(known)
    write(directory, contents)
    where = "" if directory == Path() else f"cd {directory} && "
    lines = [*(str(directory / file) for file in contents), "", f"next: {where}deploy local london {known.name}"]
    print_result("\n".join(lines))


def _asked(question: str, default: str, *, ask: bool) -> str:
    """The answer on standard input; its default for an empty one, and where nobody is to be asked."""
    if not ask:
        return default
    sys.stderr.write(f"{question} [{default}] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() or default
