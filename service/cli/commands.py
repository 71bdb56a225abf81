"""Shared by all commands: the application, help with an example, errors as sentences, JSON for programs."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from labels.errors import FramingError
from labels.exchange.options import ReadingOptions, Unit, coder_map, label_map
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

# How to read the file of another tool; `import` and `evaluate` have these options.
CoderOption = Annotated[str | None, typer.Option(help="Coder of the annotations for which the file names none.")]
TextField = Annotated[str | None, typer.Option(help="Field of the text, if it is not `text`.")]
Question = Annotated[str | None, typer.Option(help="Question, control, scheme or column whose answers are frames.")]
CoderField = Annotated[str | None, typer.Option(help="Field of the coder.")]
Labels = Annotated[
    list[str],
    typer.Option(
        "--map", metavar="LABEL=FRAME", help="Frame of a label; LABEL=none if it says that no frame is present."
    ),
]
Ignored = Annotated[list[str], typer.Option(metavar="LABEL", help="Label to leave out.")]
CoderNames = Annotated[list[str], typer.Option("--coder-map", metavar="ID=NAME", help="Name of a coder in the file.")]
EmptyMeansNone = Annotated[
    bool, typer.Option("--empty-means-none", help="An empty answer means that no frame is present.")
]
UnitOption = Annotated[Unit, typer.Option(help="What a selection of REFI-QDA codes: its paragraph or itself.")]
Items = Annotated[Path | None, typer.Option(help="Second file, with the texts: the items that Potato was given.")]
FileEncoding = Annotated[str | None, typer.Option(help="Encoding of the file, if it is not to be found out.")]
FileDelimiter = Annotated[
    str | None, typer.Option(help="What separates the cells of CSV, if it is not to be found out.")
]


def reading_options(
    *,
    coder: str | None,
    text_field: str | None,
    question: str | None,
    coder_field: str | None,
    labels: Sequence[str],
    ignored: Sequence[str],
    coders: Sequence[str],
    empty_means_none: bool,
    unit: Unit,
    items: Path | None,
    encoding: str | None,
    delimiter: str | None,
) -> ReadingOptions:
    """How to read the file of another tool, as the options above say; raises `ExchangeError` and `InputError`."""
    return ReadingOptions(
        text_field=text_field,
        question=question,
        coder_field=coder_field,
        frames=label_map(labels),
        ignored=frozenset(ignored),
        coders=coder_map(coders),
        coder=coder,
        empty_means_none=empty_means_none,
        unit=unit,
        items=None if items is None else bytes_of(items),
        encoding=encoding,
        delimiter=delimiter,
    )


def bytes_of(file: Path) -> bytes:
    """The content of a file; raises `InputError` if it cannot be read."""
    from service.bulk.inputs import InputError

    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error


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
    # A setting that also has a name without our prefix is reported under its whole name.
    return ": ".join([f"FRAMING_{setting.removeprefix('framing_').upper()}", *inside]) if setting else "Settings"


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
