"""`deploy explain STAGE REGION APP [KEY]`: where each effective value comes from."""

from __future__ import annotations

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
    from deployer.cli.masked import masked_errors, masked_json
    from deployer.cli.output import print_answer
    from deployer.cli.telling import telling
    from deployer.pipeline.command import new_deployment_id
    from deployer.report.explain import explanation_document, explanation_lines
    from deployer.wiring import Wiring

    with Wiring(directory, new_deployment_id()) as wiring:
        with masked_errors(wiring.mask), telling(wiring, *([] if offline else [stage])) as (_, sink):
            explanations = wiring.explain(
                stage, region, application, key, version, extra_vars or (), sink, offline=offline
            )
        if as_json:
            print_answer(masked_json(explanation_document(explanations), wiring.mask))
            return
        lines: list[str] = []
        for one in explanations:
            if len(explanations) > 1:
                lines += [*([""] if lines else []), f"# {one.target}"]
            lines += explanation_lines(one)
        print_answer(wiring.mask("\n".join(lines)))
