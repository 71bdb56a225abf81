"""Shared by all commands: the application, help with an example, errors as sentences, JSON for programs."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from labels.errors import FramingError
from service.processes import protect_children
from service.settings import Settings

if TYPE_CHECKING:
    from labels.codebook import Codebook
    from service.store.sql.database import Database

app = typer.Typer(
    help="Find frames in news articles: train a classifier on annotated paragraphs, judge it, serve it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@contextmanager
def _errors_as_sentences() -> Iterator[None]:
    try:
        yield
    except FramingError as error:
        typer.secho(f"Error: {error}", err=True, fg="red")
        raise typer.Exit(1) from error
    except ValidationError as error:
        for fault in error.errors():
            typer.secho(
                f"Error: {_place(*map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}",
                err=True,
                fg="red",
            )
        raise typer.Exit(2) from error


def _place(setting: str = "", *inside: str) -> str:
    """The variable at fault, and the part of its value; or the settings as a whole."""
    return ": ".join([f"FRAMING_{setting.upper()}", *inside]) if setting else "Settings"


def command(
    example: str, *, of: typer.Typer = app, **options: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a command, in the group `of`: its help ends with an example, and its errors become sentences."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            protect_children()
            with _errors_as_sentences():
                function(*args, **kwargs)

        return of.command(epilog=f"Example: {example}", **options)(guarded)

    return register


def write_file(path: Path, content: str) -> None:
    """Writes a text to a file, whose folder is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8", newline="")


def print_json(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def open_database(settings: Settings) -> "Iterator[tuple[Database, Codebook]]":
    """The database and the codebook of the settings."""
    from labels.codebook import read_codebook
    from service.store.annotations import note_covered
    from service.store.sql.database import Database

    codebook = read_codebook(settings.codebook)
    with Database.opened(settings.store_url) as database:
        note_covered(database, codebook)
        yield database, codebook
