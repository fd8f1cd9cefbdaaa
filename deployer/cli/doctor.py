"""`deploy doctor [STAGE [REGION]]`: what is missing on this machine or account, and how to get it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli.completion import regions, stages
from deployer.cli.options import AsJson, Debug, Directory
from deployer.cli.output import print_answer

if TYPE_CHECKING:
    from deployer.cli.masked import Mask
    from deployer.execute.image_ports import Registry
    from deployer.tools.doctor import Finding
    from deployer.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_MARKS = {"ok": "✔", "automatic": "·", "missing": "✘"}


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def doctor(
    stage: Annotated[
        str | None, typer.Argument(metavar="STAGE", help="also look at this stage's AWS account", autocompletion=stages)
    ] = None,
    region: Annotated[
        str, typer.Argument(metavar="REGION", help="and at this region's services", autocompletion=regions)
    ] = "all",
    as_json: AsJson = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Show every tool and service: the version found and needed, and how to get what is missing.

    With a STAGE, its services are asked too: STS, KMS, ECR and the cluster. Changes nothing. Exit code 5 when
    something that a deployment needs is missing.
    """
    from deployer.tools.doctor import examine, healthy

    if stage is None:
        findings = examine()
        _show(findings, str, as_json=as_json)
    else:
        from deployer.cli.masked import masked_errors
        from deployer.pipeline.command import new_deployment_id
        from deployer.wiring import Wiring

        with Wiring(directory, new_deployment_id()) as wiring, masked_errors(wiring.mask):
            findings = examine(_account_checks(wiring, stage, region))
            _show(findings, wiring.mask, as_json=as_json)
    raise typer.Exit(0 if healthy(findings) else 5)


def _show(findings: Sequence[Finding], mask: Mask, *, as_json: bool) -> None:
    from deployer.cli.masked import masked_json
    from deployer.tools.doctor import healthy

    if as_json:
        found = [{**asdict(one), "group": one.group.value, "state": one.state.value} for one in findings]
        print_answer(masked_json({"ok": healthy(findings), "findings": found}, mask))
    else:
        print_answer(mask("\n".join(_lines(findings))))


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    """One line per finding, under the heading of what it is needed for; what to do about it below."""
    width = max(len(finding.subject) for finding in findings)
    versions = max(len(finding.found) for finding in findings if len(finding.found) < 30)
    from deployer.tools.doctor import Group

    shown = sorted(findings, key=lambda finding: list(Group).index(finding.group))
    group = None
    for finding in shown:
        if finding.group is not group:
            if group is not None:
                yield ""
            yield f"For {finding.group.value}" if finding.group.value != "optional" else "Optional"
            group = finding.group
        needed = f"(needed: {finding.needed})" if finding.needed else ""
        facts = [finding.found.ljust(versions), finding.where or finding.purpose, needed]
        yield f"  {_MARKS[finding.state.value]} {finding.subject.ljust(width)}  {'  '.join(facts)}".rstrip()
        if finding.remedy and finding.state.value != "ok":
            yield f"    {' ' * width}  {finding.remedy}"


def _user_of(registry: Registry) -> str:
    return f"user {registry.credentials()[0]}"


def _account_checks(wiring: Wiring, stage: str, region: str) -> list[Callable[[], Finding]]:
    """A check for each service of each region of a stage.

    Where the configuration cannot be read since a service is out of reach, as KMS may be, that is the one check. Raises
    what is wrong in the configuration itself.
    """
    from deployer.errors import DeployError, UnreachableError
    from deployer.tools.doctor import Finding, Group, State

    def found(subject: str, purpose: str, ask: Callable[[], str]) -> Callable[[], Finding]:
        def check() -> Finding:
            try:
                return Finding(subject, Group.ACCOUNT, State.OK, purpose, ask())
            except DeployError as error:
                return failed(subject, f"{error.what}: {error.why}" if error.why else error.what, error.hint)

        return check

    def failed(subject: str, cause: str, hint: str | None) -> Finding:
        return Finding(subject, Group.ACCOUNT, State.MISSING, cause, remedy=hint or "")

    try:
        settings_of = wiring.settings_of(stage, region)
    except DeployError as error:
        if error.exit_code != UnreachableError.exit_code:
            raise
        return [partial(failed, f"configuration ({stage})", str(one), one.hint) for one in error.leaves()]
    checks = []
    for target, settings in settings_of.items():
        place = target.environment
        registry, cluster = wiring.registry(settings, target), wiring.region(settings, target).cluster
        checks += [
            found(f"AWS ({place})", "the account that STS names", partial(wiring.account, settings)),
            found(f"ECR ({place})", "a login for its registry", partial(_user_of, registry)),
            found(f"cluster ({place})", "the API server", cluster.check),
        ]
    return checks
