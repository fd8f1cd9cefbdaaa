"""The `deploy` command as a whole: finds the module of the command that was asked for, and runs only that one."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from deployer import __version__
from deployer.cli.commands import COMMANDS, DEFAULT_COMMAND, HOOK_ARGUMENTS, other_command
from deployer.cli.unforeseen import mask_logging, show_traceback, tell_masked
from deployer.errors import DeployError, InterruptedBySignal, Stop, UsageError, interruption

_WITH_HOOKS = ("promote", "adopt")
"""Commands that deploy as the main job does, and take arguments for ansible-playbook, too."""

_WITHOUT_HOOKS = ("plan", "render", "rollback", "remove", "recover", "status", "history")
"""Commands of apps, whose arguments are no options of ansible-playbook."""

_SOON = 0.01
"""Seconds after which a signal that came at a bad moment comes once more."""

_TWICE = 0.25
"""Seconds within which the same signal is the same wish."""


class LazyCommands(TyperGroup):
    """Knows its commands by name and imports a command's module only when that one is used.

    What does not begin with a command's name is the main job: `deploy prod london myapp`.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """All but the main job, which goes without a name."""
        return [name for name in COMMANDS if name != DEFAULT_COMMAND]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, whose module is imported now; None for a name that is none."""
        command = COMMANDS.get(cmd_name)
        if command is None:
            return None
        mask_logging()
        module = importlib.import_module(f"deployer.cli.{command.module}")
        resolved = typer.main.get_command(module.app)
        resolved.name = cmd_name
        return resolved

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Stages and commands, as the main job completes them: what Typer does would import every command."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        main = self.get_command(ctx, DEFAULT_COMMAND)
        stage = next(parameter for parameter in main.params if parameter.name == "stage")
        return stage.shell_complete(ctx, incomplete)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first word names, options before it or not; else the main job with all words."""
        first = next((argument for argument in args if not argument.startswith("-")), None)
        if first in COMMANDS and first != DEFAULT_COMMAND:
            rest = list(args)
            rest.remove(first)
            if "--" in rest and not ctx.resilient_parsing and first in _WITHOUT_HOOKS:
                raise UsageError(f"`deploy {first}` runs no hooks", why="what stands after -- goes to their playbooks")
            if first in _WITH_HOOKS:
                rest = _keep_hook_arguments(ctx, rest)
            return first, self.get_command(ctx, first), rest
        if not ctx.resilient_parsing:  # as it is while a shell completes what was typed so far
            _check_order(args)
        return "", self.get_command(ctx, DEFAULT_COMMAND), _keep_hook_arguments(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a signal becomes our error before Typer takes every one for Ctrl-C."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise interruption(stop) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands with the summaries of our table: importing them all for a help text would be slow."""
        with formatter.section("Other commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in self.list_commands(ctx)])


application = typer.Typer(
    cls=LazyCommands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
    subcommand_metavar="STAGE REGION APP... | COMMAND ...",
    context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": True},
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"deploy {__version__}")
        raise typer.Exit


@application.callback(
    no_args_is_help=True,
    epilog="`deploy STAGE REGION APP --help` shows the options of the main job.",
)
def deploy(
    tool_version: bool = typer.Option(
        False, "--tool-version", callback=_show_version, is_eager=True, help="Show the version of this tool and exit."
    ),
) -> None:
    """Deploy applications to Kubernetes in many AWS regions, with their secrets.

    deploy prod london myapp          one region

    deploy prod all myapp             every region of the app's Environments

    deploy local london myapp         the sandbox on this machine
    """


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit code. Never lets a traceback out unless `--debug` is given."""
    tell_masked(debug="--debug" in arguments)
    _raise_on_signals()
    try:
        return _run(arguments)
    except BrokenPipeError:  # our reader has gone, and Python would complain at its exit about what is left to write
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return 128 + signal.SIGPIPE


def _run(arguments: Sequence[str]) -> int:
    debug = "--debug" in arguments
    try:
        result = application(args=arguments, prog_name="deploy", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.format_message(), err=True)
            return 2
        return _fail(_usage(error, arguments), arguments)
    except DeployError as error:
        if debug:
            show_traceback()
        return _fail(error, arguments)
    except typer.Abort:
        return _fail(InterruptedBySignal(signal.SIGINT), arguments)
    except KeyboardInterrupt as stop:
        return _fail(interruption(stop), arguments)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 -- the last line of defence: no traceback reaches a user
        if debug:
            show_traceback()
        return _fail(_defect(error), arguments)


def _fail(error: DeployError, arguments: Sequence[str]) -> int:
    """Tell the error to people, and on standard output to a program that asked for JSON; its exit code."""
    from deployer.cli.messages import show_error
    from deployer.cli.output import UnwrittenError, print_result

    if "--json" in arguments and not isinstance(error, UnwrittenError):
        import json

        from deployer.report.document import error_document

        print_result(json.dumps(error_document(error), indent=2))
    show_error(error)
    return error.exit_code


def _usage(error: TyperException, arguments: Sequence[str]) -> DeployError:
    """What is wrong with the command line, and how to find out what is right."""
    message = str(getattr(error, "format_message", lambda: str(error))()).rstrip(".")
    message = message.replace(": Value error, ", ": ")  # words of a library that Typer uses
    context = getattr(error, "ctx", None)
    command = context.command_path.strip() if context is not None else "deploy"
    hint = ""
    if context is not None and context.info_name == "":
        command = "deploy STAGE REGION APP"
        first = next((argument for argument in arguments if not argument.startswith("-")), "")
        hint = other_command(first) if type(error).__name__ == "MissingParameter" else ""
    return UsageError(message, hint=f"{hint}`{command} --help` shows what it takes")


def _keep_hook_arguments(ctx: Any, args: Sequence[str]) -> list[str]:
    """The words before `--`; those behind it are for hooks' playbooks, and wait in the context."""
    words = list(args)
    if "--" not in words:
        return words
    at = words.index("--")
    ctx.meta[HOOK_ARGUMENTS] = tuple(words[at + 1 :])
    return words[:at]


def _check_order(arguments: Sequence[str]) -> None:
    """Raises UsageError when a command follows an option with its value: it would be taken for a stage."""
    words = [argument for argument in arguments if not argument.startswith("-")]
    if arguments[:1] != words[:1] and words[1:2] and words[1] in COMMANDS.keys() - {DEFAULT_COMMAND}:
        option = arguments[0].partition("=")[0]
        raise UsageError(
            f"{option} stands before the command {words[1]}",
            hint=f"options come after it: `deploy {words[1]} … {option} …`",
        )


def _defect(error: Exception) -> DeployError:
    """An error that we did not foresee; its text may hold anything, so only its type is shown."""
    return DeployError(
        "this is a defect in the tool itself",
        why=type(error).__name__,
        hint="run the same command with --debug and report what it prints: secrets are masked in it",
    )


def _raise_on_signals() -> None:
    """SIGTERM and SIGHUP end us as Ctrl-C does: as an exception, so that everything is cleaned up on the way out."""
    last: dict[int, float] = {}

    def arrived(number: int, frame: FrameType | None) -> None:
        # coreutils' timeout sends its signal to us and then to our whole process group: that is not a second one
        now = time.monotonic()
        before, last[number] = last.get(number, -_TWICE), now
        if now - before >= _TWICE:
            interrupt(number, frame)

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Python takes the lock of all imports a moment before the block that gives it back.
        if frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
            again(number)
        else:
            raise Stop(number)

    def again(number: int) -> None:
        signal.signal(signal.SIGALRM, lambda _, frame: interrupt(number, frame))
        signal.setitimer(signal.ITIMER_REAL, _SOON)

    usual = sys.unraisablehook

    def swallowed(lost: sys.UnraisableHookArgs) -> None:
        # Destructors and callbacks of weak references swallow what is raised in them, and so would this function.
        if isinstance(lost.exc_value, Stop):
            again(lost.exc_value.signal_number)
        else:
            usual(lost)

    sys.unraisablehook = swallowed
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means it
            signal.signal(number, arrived)
