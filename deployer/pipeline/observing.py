"""Looks at every target of a command before anything is changed, and refuses with all that is wrong anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from deployer.config import Configuration, Loaded
from deployer.execute.everywhere import Failure, Question, ask_each
from deployer.execute.image_ports import DockerContext
from deployer.execute.observe import Observation, Subject, agree_on_rebuilds, observe
from deployer.pipeline.command import Command
from deployer.pipeline.origin import Promotion
from deployer.pipeline.preparing import docker_context, prepared_manifests


@dataclass(frozen=True)
class Look:
    """How targets are looked at. `rebuild` is the salt that `--rebuild` asks for.

    `promotion` gives the image, in the place of one made from a Docker context.
    With `adopt` objects of others are taken over.
    With `tell`, fields that may not change are told with the plan, and not raised.
    With `refuse_held` a lock that somebody holds is an error.
    """

    rebuild: str | None = None
    promotion: Promotion | None = None
    refuse_held: bool = False
    adopt: bool = False
    tell: bool = False


def observe_all(loaded: Loaded, look: Look, command: Command) -> tuple[list[Observation], list[Failure]]:
    """What was seen of every target, in their order, and everything that is wrong with any of them.

    That may be in its configuration or in what was asked; what is wrong with one keeps nobody from looking at the
    others.
    """
    failures: list[Failure] = list(loaded.failures)
    configurations = loaded.configurations
    if not configurations:
        return [], failures
    if look.promotion is None:
        contexts = _contexts(configurations, command, failures)
    else:
        contexts = [None] * len(configurations)
        promotable = [(one.target, partial(look.promotion.check, one.app)) for one in configurations]
        failures += ask_each(promotable).failures
    with command.phases("compare") as phase:
        subjects = [_subject(*pair, look, command) for pair in zip(configurations, contexts, strict=True)]
        looks: list[Question[Observation | None]] = [
            (subject.target, partial(observe, subject)) for subject in agree_on_rebuilds(subjects)
        ]
        checks: list[Question[Observation | None]] = [
            (one.target, partial(command.services.check_account, one.settings, one.target)) for one in configurations
        ]
        answers = ask_each([*looks, *checks])
        seen = [one for one in answers.values if one is not None]
        objects = sum(len(one.prepared.objects) for one in seen)
        phase.failed = bool(answers.failures)
        phase.detail = f"{objects} objects in {_many(seen)}"
    return seen, [*failures, *answers.failures]


def _many(seen: Sequence[Observation]) -> str:
    """`2 regions`, `100 apps in 3 regions`."""
    regions = {one.subject.target.region for one in seen}
    apps = {one.subject.target.application for one in seen}
    text = f"{len(regions)} region{'s' if len(regions) != 1 else ''}"
    return f"{len(apps)} apps in {text}" if len(apps) > 1 else text


def _contexts(
    configurations: Sequence[Configuration], command: Command, failures: list[Failure]
) -> list[DockerContext | None]:
    """The Docker context of each target, its artefacts fetched into the cache; None also where that fails."""
    if not any(one.app.docker for one in configurations):
        return [None] * len(configurations)
    with command.phases("artefacts") as phase:
        answers = ask_each(
            [(one.target, partial(docker_context, one, command.services, command.sink)) for one in configurations]
        )
        failures += answers.failures
        phase.failed = bool(answers.failures)
        sources = [one.src for each in configurations if each.app.docker for one in each.app.docker.download]
        phase.detail = "; ".join(dict.fromkeys(sources))
    return answers.values


def _subject(configuration: Configuration, context: DockerContext | None, look: Look, command: Command) -> Subject:
    settings, target, services = configuration.settings, configuration.target, command.services
    with_image = configuration.app.docker is not None
    promoted = look.promotion.image_for(target, services) if look.promotion and with_image else None
    return Subject(
        target=target,
        settings=settings,
        app=configuration.app,
        prepare=partial(prepared_manifests, configuration, services),
        ports=services.region(settings, target),
        context=context,
        registry=services.registry(settings, target) if with_image else None,
        rebuild=look.rebuild,
        promoted=promoted,
        unknown_content=with_image and context is None and promoted is None,
        refuse_held=look.refuse_held,
        adopt=look.adopt,
        tell=look.tell,
    )
