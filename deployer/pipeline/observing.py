"""Looks at every target of a command before anything is changed, and refuses with all that is wrong anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from deployer.config import Configuration, Loaded
from deployer.execute.everywhere import CommandFor, Failure, Question, ask_each, refuse
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
    With `refuse_held` a lock that somebody holds is an error; `command_for` gives the command for some of the regions.
    """

    rebuild: str | None = None
    promotion: Promotion | None = None
    refuse_held: bool = False
    adopt: bool = False
    tell: bool = False
    command_for: CommandFor | None = None


def observe_all(loaded: Loaded, look: Look, command: Command) -> list[Observation]:
    """What was seen of every target, in their order.

    Raises everything that is wrong with any of them, in its configuration or in what was asked; what is wrong with one
    keeps nobody from looking at the others.
    """
    failures: list[Failure] = list(loaded.failures)
    configurations = loaded.configurations
    if not configurations:
        refuse(loaded.targets, failures, look.command_for)
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
        refuse(loaded.targets, [*failures, *answers.failures], look.command_for)
        seen = [one for one in answers.values if one is not None]
        objects = sum(len(one.prepared.objects) for one in seen)
        phase.detail = f"{objects} objects in {len(seen)} region{'s' if len(seen) != 1 else ''}"
    return seen


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
