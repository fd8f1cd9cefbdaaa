"""`deploy secrets …`: work with SOPS files; plaintext is neither shown nor written to a disk."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli import secrets_hook, secrets_lint, secrets_many
from deployer.cli.completion import regions
from deployer.cli.options import AsJson, Debug, Directory, Stage
from deployer.cli.output import print_answer, print_result
from deployer.errors import DeployError, UsageError

if TYPE_CHECKING:
    from deployer.config.secret_files import SecretFile
    from deployer.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)
app.add_typer(secrets_hook.app, name="hook")

RegionOrNone = Annotated[
    str | None,
    typer.Argument(metavar="[REGION]", help="one region's own file (default: the stage's)", autocompletion=regions),
]
# Typer's own messages about too many or unknown words would repeat them, and one of them may be a value.
_ANY_WORDS = {"ignore_unknown_options": True, "allow_extra_args": True}
Words = Annotated[list[str] | None, typer.Argument(metavar="[REGION] KEY", help="for example Values.myapp.PASSWORD")]


class ValueType(StrEnum):
    """What is made of the text that is given."""

    text = "text"
    number = "number"
    boolean = "boolean"
    json = "json"


@app.callback()
def secrets() -> None:
    """Change, compare, rotate and check SOPS files, without plaintext on disk."""


@app.command()
def edit(stage: Stage, region: RegionOrNone = None, directory: Directory = None, debug: Debug = False) -> None:
    """Open a secrets file in your editor.

    $VISUAL or $EDITOR gets a file in memory, which is gone afterwards. Comments and the order of keys stay.
    """
    from deployer.adapters.editor import Editor
    from deployer.config.secret_files import secret_file
    from deployer.pipeline.secrets.editing import edit as run
    from deployer.wiring import Wiring

    with Wiring(directory, "") as wiring:
        file = secret_file(wiring.repository, stage, region)
        changed = run(wiring.root, file, wiring.encrypted_file(file), Editor().edit, _again)
    hint = "" if changed else " (an editor that returns at once needs an option such as `code --wait`)"
    print_result(f"{file.name}: changed" if changed else f"{file.name}: not changed{hint}")


@app.command("set", context_settings=_ANY_WORDS)
def set_(
    stage: Stage,
    words: Words = None,
    value_type: Annotated[
        ValueType, typer.Option("--type", help="text; number; boolean; json: also a mapping.")
    ] = ValueType.text,
    generate: Annotated[
        bool, typer.Option("--generate", help="Make a random value of 64 hex digits, seen by nobody.")
    ] = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Set one key.

    The value is asked for, or read from standard input; it is never an argument.

    deploy secrets set prod Values.myapp.PASSWORD

    deploy secrets set prod london Values.myapp.TLS_KEY < key.pem

    The final newline of a single line is left out; a text of several lines stays as it is.
    """
    from deployer.cli.secrets_values import read_value
    from deployer.pipeline.secrets.changing import check_set, set_value
    from deployer.pipeline.secrets.keys import parse_key, show_key
    from deployer.wiring import Wiring

    with Wiring(directory, "") as wiring:
        file, key = _file_and_key(wiring, stage, words)
        path = parse_key(key)
        check_set(wiring.root, file, path, branch=value_type is ValueType.json)
        made = set_value(
            wiring.root,
            file,
            wiring.encrypted_file(file),
            path,
            lambda: read_value(show_key(path), file.place, value_type.value, generate=generate),
        )
    print_result(f"{file.name}: {show_key(path)} set{' (the file was made)' if made else ''}")


@app.command(context_settings=_ANY_WORDS)
def unset(stage: Stage, words: Words = None, directory: Directory = None, debug: Debug = False) -> None:
    """Take a key out, with all below it."""
    from deployer.pipeline.secrets.changing import unset_value
    from deployer.pipeline.secrets.keys import parse_key, show_key
    from deployer.wiring import Wiring

    with Wiring(directory, "") as wiring:
        file, key = _file_and_key(wiring, stage, words)
        path = parse_key(key)
        unset_value(file, wiring.encrypted_file(file), path)
    print_result(f"{file.name}: {show_key(path)} removed")


@app.command()
def keys(
    stage: Stage,
    region: Annotated[
        str | None,
        typer.Argument(metavar="[REGION]", help="only the stage's file and this region's", autocompletion=regions),
    ] = None,
    as_json: AsJson = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """List the keys and their types.

    Never a value: nothing is decrypted.
    """
    from deployer.config import Repository
    from deployer.config.secret_files import all_secret_files
    from deployer.pipeline.secrets.listing import list_keys
    from deployer.report.secrets import key_lines, keys_document

    repository = Repository.find(Path.cwd(), directory)
    found = list_keys(all_secret_files(repository, stage, region))
    if as_json:
        print_answer(json.dumps(keys_document(found), indent=2))
    elif found:
        print_answer("\n".join(key_lines(found)))
    else:
        sys.stderr.write(f"{stage} has no secrets files\n")


app.command("diff")(secrets_many.diff)
app.command("rotate")(secrets_many.rotate)
app.command("lint")(secrets_lint.lint)


def _file_and_key(wiring: Wiring, stage: str, words: list[str] | None) -> tuple[SecretFile, str]:
    """What `[REGION] KEY` names. No error repeats a word which may be a value."""
    from deployer.config.secret_files import secret_file

    given = words or []
    if not given:
        raise UsageError("the key is missing", hint="deploy secrets set STAGE [REGION] KEY")
    known = wiring.repository.regions(stage, wiring.repository.apps)
    if len(given) > 2 or (len(given) == 2 and given[0] not in known):
        wiring.repository.check_stage(stage, wiring.repository.apps)
        regions = f"the regions of {stage} are {', '.join(known)}" if known else f"{stage} has no regions"
        raise UsageError(
            "this is not STAGE [REGION] KEY",
            why=f"{regions}; a value is never an argument: other users, the shell's history and CI logs would have it",
            hint="leave the value out: it is asked for, or comes from standard input. A value that was typed here is "
            "in the shell's history: change it",
        )
    return secret_file(wiring.repository, stage, given[0] if len(given) == 2 else None), given[-1]


def _again(error: DeployError) -> bool:
    """Show what is wrong with what was saved, and ask whether to edit on."""
    from deployer.cli.messages import show_error

    if not sys.stdin.isatty():
        return False
    show_error(error)
    sys.stderr.write("Edit again? Your text is kept; `n` gives it up. [Y/n] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")
