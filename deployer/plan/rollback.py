"""Chooses what each region goes back to, and plans the way there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from deployer.errors import DeployError, UsageError
from deployer.model import DeploymentRecord, Image, Json, Revision, Target
from deployer.plan.difference import Gone, changes_between, removed_objects
from deployer.plan.history import is_copied
from deployer.plan.revisions import deployments_of, is_foreign, manifest_texts, named, same_content, version_of
from deployer.plan.steps import TargetPlan

Releases = Mapping[Target, Sequence[Revision]]
"""The revisions of one app's release in each region, newest first."""

_LONGEST_NUMBER = 7
"""Digits: a revision's number. More of them are the beginning of a deployment's id, which begins with its date."""


@dataclass(frozen=True)
class Choice:
    """What a region goes back to, and why. `stays`: it runs that already."""

    revision: Revision
    why: str
    stays: bool = False


Choices = dict[Target, Choice | DeployError]
"""What each region goes back to, or why it cannot."""


def choose(releases: Releases, to: str | None = None) -> Choices:
    """What each region of one app goes back to.

    `to` is a revision's number (for one region only), or the beginning of a deployment's id. Without it a region goes
    to its newest good revision that is not what runs; several regions leave the newest deployment that any of them
    has, and those that do not have it stay as they are. Raises UsageError for a `to` that fits nothing anywhere.
    Where the step would part regions, each is given the UsageError that asks for `to`.
    """
    if to is None:
        return _step_back(releases)
    if to.isdecimal() and len(to) <= _LONGEST_NUMBER:
        if len(releases) > 1:
            raise UsageError(
                f"revision {int(to)} is another deployment in each region",
                where="--to",
                hint=f"name the deployment: {_deployments(releases) or 'deploy history shows them'}",
            )
        return {target: _numbered(target, revisions, int(to)) for target, revisions in releases.items()}
    deployment = _deployment(releases, to)
    return {target: _deployed(target, revisions, deployment) for target, revisions in releases.items()}


def plan_rollback(
    target: Target,
    revisions: Sequence[Revision],
    choice: Choice,
    secrets: Mapping[str, Json] | None = None,
    *,
    namespace: str | None = None,
) -> TargetPlan:
    """The plan of one region. On failure it goes back to what runs now, if that was good.

    `secrets` are the Secrets that were lifted for the release, by name; `namespace` is where it lives.
    """
    current, chosen = revisions[0], choice.revision
    old, new = manifest_texts(current), manifest_texts(chosen)
    gone = Gone() if choice.stays else removed_objects(old, new, namespace)
    good = current.verified
    return TargetPlan(
        target=target,
        image=_image(chosen.record),
        release_action="none" if choice.stays else "rollback",
        current_revision=current.number,
        good_revision=current.number if good else None,
        foreign_revision=current.number if not good and is_foreign(current) else None,
        rollback_to=None if choice.stays else chosen.number,
        reasons=(choice.why,),
        changes=() if choice.stays else changes_between(old, new, secrets, namespace=namespace),
        deletions=gone.deleted,
        kept=gone.kept,
    )


# Without `--to`.


def _step_back(releases: Releases) -> Choices:
    left = {target: _left(revisions) for target, revisions in releases.items() if revisions}
    newest = max(left.values(), key=_age, default=None)
    choices: Choices = {}
    for target, revisions in releases.items():
        if revisions and revisions[0].verified and newest is not None and left[target] != newest and len(releases) > 1:
            why = f"{named(revisions[0])} stays: deployment {newest}, which is left, does not run here"
            choices[target] = Choice(revisions[0], why, stays=True)
        else:
            choices[target] = _previous(target, revisions)
    parting = _parting(choices, newest, releases)
    if parting is None:
        return choices
    return {target: parting if isinstance(one, Choice) else one for target, one in choices.items()}


def _parting(choices: Choices, newest: str | None, releases: Releases) -> UsageError | None:
    """The refusal of a step that regions would not take together; None when they do.

    Those that step must arrive at the same. Those that stay may run something else, but none is left behind: a step
    forward, to what an earlier rollback has left, is one of all regions or of none.
    """
    found = {target: one for target, one in choices.items() if isinstance(one, Choice)}
    goals = [one.revision for one in found.values() if not one.stays]
    forward = any(_age(goal.origin) > _age(newest) for goal in goals)
    ends = [one.revision for one in found.values()] if forward else goals
    if all(_same_deployment(end, goals[0]) for end in ends):
        return None
    told = [f"{target.region} {_course(releases[target][0], one)}" for target, one in found.items()]
    everywhere = _deployments(releases, everywhere=True)
    somewhere = f"no deployment was good in all of them, so roll back region by region: {_deployments(releases)}"
    return UsageError(
        "one step back would bring the regions to different deployments",
        why="; ".join(told),
        hint=f"name the deployment with --to DEPLOYMENT-ID: {everywhere}" if everywhere else somewhere,
    )


def _course(current: Revision, choice: Choice) -> str:
    return f"would stay at {named(current)}" if choice.stays else f"would go {_way(current, choice.revision)}"


def _same_deployment(one: Revision, other: Revision) -> bool:
    return same_content(one, other) or (one.origin is not None and one.origin == other.origin)


def _previous(target: Target, revisions: Sequence[Revision]) -> Choice | DeployError:
    """The newest good revision that isn't what runs; where a rollback was cut off, the one that it was to bring."""
    if not revisions:
        return _not_deployed(target)
    current, older = revisions[0], revisions[1:]
    good = [one for one in older if one.verified]
    if current.verified:
        why = f"{named(current)} is what runs"
        fitting = [one for one in good if not same_content(one, current)]
    elif _is_rollback(current, older) and any(same_content(one, current) for one in good):
        why = f"revision {current.number}, a rollback, was not finished"
        fitting = [one for one in good if same_content(one, current)]
    else:
        why, fitting = f"{named(current)} {_fault(current)}", good
    if not fitting:
        return UsageError(
            f"{target.application} has no good revision to go back to in {target.region}",
            why=f"{why}; {_others(revisions)}",
            hint=f"deploy a version that works, or name a revision with --to: {_history(target)} shows them",
        )
    way = _way(current, fitting[0])
    return Choice(fitting[0], way if current.verified else f"{why}; {way}")


def _way(current: Revision, chosen: Revision) -> str:
    forward = current.origin is not None and _age(chosen.origin) > _age(current.origin)
    return f"from {named(current)} {'forward' if forward else 'back'} to {named(chosen)}"


def _left(revisions: Sequence[Revision]) -> str | None:
    """The deployment that a step back leaves: what the newest revision is of.

    Where a rollback was cut off, it is what that one was leaving.
    """
    current, older = revisions[0], revisions[1:]
    if not current.verified and _is_rollback(current, older):
        return next((one.origin for one in older if one.verified and not same_content(one, current)), None)
    return current.origin


def _age(deployment: str | None) -> str:
    return deployment or ""  # ids begin with their date


def _is_rollback(revision: Revision, older: Sequence[Revision]) -> bool:
    """Whether a revision was made to bring an old one back, by us or by Helm alone."""
    asked = revision.record is not None and revision.record.action == "rollback"
    return asked or is_copied(revision, older) or revision.status == "pending-rollback"


# With `--to`.


def _numbered(target: Target, revisions: Sequence[Revision], number: int) -> Choice | DeployError:
    if not revisions:
        return _not_deployed(target)
    chosen = next((one for one in revisions if one.number == number), None)
    if chosen is None:
        return UsageError(
            f"{target.application} has no revision {number} in {target.region}",
            where="--to",
            why=_others(revisions),
            hint=f"{_history(target)} shows them",
        )
    if not chosen.verified and not is_foreign(chosen):
        return _never_good(target, chosen, revisions)
    return _to(chosen, revisions)


def _deployed(target: Target, revisions: Sequence[Revision], deployment: str) -> Choice | DeployError:
    if not revisions:
        return _not_deployed(target)
    of_it = [one for one in revisions if deployment in deployments_of(one, revisions)]
    good = next((one for one in of_it if one.verified), None)
    if good is not None:
        return _to(good, revisions)
    if of_it:
        return _never_good(target, of_it[0], revisions)
    return UsageError(
        f"{target.application} has no revision of {deployment} in {target.region}",
        where="--to",
        why=_others(revisions),
        hint=f"{_history(target)} shows them",
    )


def _to(chosen: Revision, revisions: Sequence[Revision]) -> Choice:
    current = revisions[0]
    if current.status == "deployed" and same_content(chosen, current) and (current.verified or not chosen.verified):
        return Choice(current, f"{named(chosen)} is what runs already", stays=True)
    return Choice(chosen, _way(current, chosen))


def _deployment(releases: Releases, prefix: str) -> str:
    """The only deployment whose id begins so, in any region."""
    known = {
        name
        for revisions in releases.values()
        for one in revisions
        for name in deployments_of(one, revisions)
        if name is not None
    }
    fitting = sorted(name for name in known if name.startswith(prefix))
    if prefix in fitting:
        return prefix
    if len(fitting) == 1:
        return fitting[0]
    hint = f"they are {_deployments(releases)}" if any(releases.values()) else None
    if fitting:
        raise UsageError(f"{len(fitting)} deployments begin with {prefix!r}", where="--to", hint=", ".join(fitting))
    raise UsageError(f"no region has a deployment {prefix!r}", where="--to", hint=hint)


# What errors say.


def _fault(revision: Revision) -> str:
    if revision.ended is not None:
        return {"failed": "failed", "interrupted": "was interrupted", "reverted": "was taken back"}[revision.ended]
    if revision.status.startswith("pending"):
        return f"was interrupted ({revision.status})"
    return "failed" if revision.status == "failed" else "was never verified"


def _never_good(target: Target, revision: Revision, revisions: Sequence[Revision]) -> UsageError:
    twin = next((one for one in revisions if one.verified and same_content(one, revision)), None)
    hint = f"revision {twin.number} consists of the same and was verified: --to {twin.number}" if twin else None
    return UsageError(
        f"{target.application} cannot go back to revision {revision.number} in {target.region}",
        where="--to",
        why=f"{named(revision)} {_fault(revision)}; {_others(revisions)}",
        hint=hint or f"{_history(target)} shows what became of each",
    )


def _not_deployed(target: Target) -> UsageError:
    return UsageError(
        f"{target.application} is not deployed in {target.region}, so there is nothing to go back to",
        hint=f"deploy it: deploy {target}",
    )


def _others(revisions: Sequence[Revision]) -> str:
    good = [str(one.number) for one in revisions if one.verified]
    return f"good are {', '.join(good)}" if good else "no revision was ever verified"


def _deployments(releases: Releases, *, everywhere: bool = False) -> str:
    """The deployments that were good in some region, or in every one, newest first."""
    good = {one.origin: one for revisions in releases.values() for one in revisions if one.verified and one.origin}
    if everywhere:
        known = [{one.origin for one in revisions if one.verified} for revisions in releases.values()]
        good = {name: one for name, one in good.items() if all(name in names for names in known)}
    newest = sorted(good, key=_age, reverse=True)[:6]
    return ", ".join(f"{name} ({version})" if (version := version_of(good[name])) else str(name) for name in newest)


def _image(record: DeploymentRecord | None) -> Image | None:
    image = Image.parse(record.image) if record and record.image else None
    return replace(image, digest=record.digest) if image and record else None


def _history(target: Target) -> str:
    return f"`deploy history {target}`"
