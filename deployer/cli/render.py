"""`deploy render STAGE REGION APP`: the Dockerfile and the manifests as they would be used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli.choosing import with_branch
from deployer.cli.options import Application, Branch, Debug, Directory, ExtraVars, Region, Stage, Version
from deployer.cli.output import print_answer, print_result
from deployer.errors import UsageError

if TYPE_CHECKING:
    from deployer.cli.masked import MaskingSink
    from deployer.config import Configuration
    from deployer.model import Json
    from deployer.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def render(
    stage: Stage,
    region: Region,
    application: Application,
    branch: Branch = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write files into this directory instead.")] = None,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Do not mask; only on a terminal.")] = False,
    version: Version = None,
    extra_vars: ExtraVars = None,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Show the Dockerfile and the Kubernetes manifests as they would be used, secrets masked.

    The image is not pinned to a digest here: no registry and no cluster is asked.
    """
    from deployer.cli.masked import masked_errors
    from deployer.cli.telling import telling
    from deployer.pipeline.command import new_deployment_id
    from deployer.wiring import Wiring

    if show_secrets and (out is not None or not sys.stdout.isatty()):
        raise UsageError("--show-secrets works on a terminal only", why="no secret is to end in a file")
    with (
        Wiring(directory, new_deployment_id()) as wiring,
        masked_errors(wiring.mask),
        telling(wiring, stage) as (_, sink),
    ):
        configurations = wiring.load(stage, region, [with_branch(application, branch)], version, extra_vars or (), sink)
        mask = (lambda text: text) if show_secrets else wiring.mask
        ascii_only = out is None and not (sys.stdout.encoding or "").lower().startswith("utf")
        files: dict[str, str] = {}
        for one in configurations:
            files |= _files(one, wiring, sink, mask, show_secrets=show_secrets, ascii_only=ascii_only)
    _write(files, out)


def _files(
    configuration: Configuration,
    wiring: Wiring,
    sink: MaskingSink,
    mask: Callable[[str], str],
    *,
    show_secrets: bool,
    ascii_only: bool,
) -> dict[str, str]:
    """Relative path → masked text, for one target."""
    from deployer.config import dumping
    from deployer.execute.observe import identify
    from deployer.masking.document import mask_texts
    from deployer.pipeline.preparing import docker_context, prepared_manifests

    context = docker_context(configuration, wiring, sink)
    identity = identify(configuration.app, configuration.settings, context)
    prepared = prepared_manifests(
        configuration, wiring, identity.image if identity else None, identity.docker_hash if identity else None
    )
    target = configuration.target
    prefix = f"{target.stage}.{target.region}.{target.application.replace('/', '-')}"
    files = {}
    if configuration.app.docker is not None:
        files[f"{prefix}/Dockerfile"] = mask(configuration.app.docker.dockerfile)
    files[f"{prefix}/manifests.yml"] = dumping.documents(mask_texts(prepared.objects, mask), ascii_only=ascii_only)
    if prepared.lifted:
        lifted = [_with_texts(one) if show_secrets else _without_texts(one) for one in prepared.lifted]
        files[f"{prefix}/secrets.yml"] = dumping.documents(lifted, ascii_only=ascii_only)
    return files


def _without_texts(secret: Json) -> Json:
    """A lifted Secret with its keys alone: also texts that are too short to be masked anywhere are none to be shown."""
    from deployer.masking import MARK

    return {**secret, "data": dict.fromkeys(secret["data"], MARK)}


def _with_texts(secret: Json) -> Json:
    """A lifted Secret as somebody would write it."""
    import base64

    texts = {name: base64.b64decode(value).decode("utf-8", "replace") for name, value in secret["data"].items()}
    return {**{name: value for name, value in secret.items() if name != "data"}, "stringData": texts}


def _write(files: dict[str, str], out: Path | None) -> None:
    for name, text in files.items():
        if out is None:
            print_answer(f"# {name}\n{text.rstrip()}\n\n")
            continue
        path = out / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as error:
            raise UsageError("the file cannot be written", where=str(path), why=error.strerror) from error
        print_result(str(path))
