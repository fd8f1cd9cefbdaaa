"""The table of commands: the module of each, and one line of help, so that none is imported before it is used."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """`module` lies in `deployer.cli` and has a Typer application called `app`."""

    module: str
    summary: str


DEFAULT_COMMAND = "deploy"

HOOK_ARGUMENTS = "deployer.hook_arguments"
"""Under which the words after `--` are kept for the main job, in Typer's context."""

COMMANDS: dict[str, Command] = {
    DEFAULT_COMMAND: Command("deploy", "Deploy applications."),
    "plan": Command("plan", "Show what a deployment would change, and change nothing."),
    "history": Command("history", "Show what was deployed, when, by whom, and what became of it."),
    "rollback": Command("rollback", "Bring back what ran well before."),
    "render": Command("render", "Show the Dockerfile and the manifests as they would be used."),
    "status": Command("status", "Show what runs where: each app in each region of a stage."),
    "promote": Command("promote", "Bring the very image that runs in one stage to the next."),
    "recover": Command("recover", "Repair what an interrupted run left, and say what it was."),
    "adopt": Command("adopt", "Take over a release or objects that were made by hand or by another tool."),
    "remove": Command("remove", "Take an app away; volumes that it claimed are kept."),
    "dns": Command("dns", "Lead clients to healthy regions: Route 53's health checks and records."),
    "branches": Command("branches", "Show what was deployed from branches, and take it away."),
    "unlock": Command("unlock", "Free the lock of an app, after showing who holds it."),
    "lint": Command("lint", "Look for mistakes in every app in each of its environments, offline."),
    "explain": Command("explain", "Show where each effective value comes from: file, line, layer."),
    "secrets": Command("secrets", "Change, compare, rotate and check SOPS files, without plaintext on disk."),
    "jenkins": Command("jenkins", "Pipelines for Jenkins, generated from this repository."),
    "init": Command("init", "Make a new deployment repository that works at once on the sandbox."),
    "sandbox": Command("sandbox", "The stage `local`: three regional clusters and an AWS on this machine."),
    "doctor": Command("doctor", "Show what is missing on this machine, and how to get it."),
}


def other_command(stage: str) -> str:
    """What may have been meant where a word was taken for a stage, for want of a command with its name; else empty."""
    from deployer.config.suggestions import near

    if stage == "help":
        return "did you mean `deploy --help`? "
    names = near(stage, [name for name in COMMANDS if name != DEFAULT_COMMAND])
    return f"did you mean {' or '.join(f'`deploy {name}`' for name in names)}? " if names else ""
