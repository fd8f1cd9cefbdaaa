"""`deploy secrets hook …`: git's pre-commit hook that refuses plaintext among secrets."""

from __future__ import annotations

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def hook() -> None:
    """Git's pre-commit hook that refuses plaintext among secrets."""
