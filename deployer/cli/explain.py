"""`deploy explain STAGE REGION APP [KEY]`: where each effective value comes from."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from deployer.cli.options import Application, AsJson, Debug, Directory, ExtraVars, Region, Stage, Version

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def explain(
    stage: Stage,
    region: Region,
    application: Application,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="as Values.myapp or Helm[0].spec")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Decrypt nothing; needs no AWS.")] = False,
    version: Version = None,
    extra_vars: ExtraVars = None,
    as_json: AsJson = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Show each effective value, masked where it is secret: its file and line, what it overrode, what it is made of.

    A value that is wrong is shown with what is wrong about it.
    """
    from deployer.cli.display import display
    from deployer.cli.masked import MaskingSink, masked_error
    from deployer.cli.output import print_answer
    from deployer.cli.sandbox_ready import SANDBOX_STAGE, ready_sandbox
    from deployer.errors import DeployError
    from deployer.masking.document import mask_texts
    from deployer.pipeline.command import new_deployment_id
    from deployer.report.explain import explanation_document, explanation_lines
    from deployer.wiring import Wiring

    with Wiring(directory, new_deployment_id()) as wiring:
        try:
            with display() as shown:
                sink = MaskingSink(shown, wiring.mask)
                if stage == SANDBOX_STAGE and not offline:
                    ready_sandbox(sink, wiring.root)
                explanations = wiring.explain(
                    stage, region, application, key, version, extra_vars or (), sink, offline=offline
                )
        except DeployError as error:
            raise masked_error(error, wiring.mask) from None
        if as_json:
            print_answer(json.dumps(mask_texts(explanation_document(explanations), wiring.mask), indent=2))
            return
        lines: list[str] = []
        for one in explanations:
            if len(explanations) > 1:
                lines += [*([""] if lines else []), f"# {one.target}"]
            lines += explanation_lines(one)
        print_answer(wiring.mask("\n".join(lines)))
