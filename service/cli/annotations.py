"""Commands about annotations: files of other tools, the codebook, agreement."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from labels.exchange import FORMATS
from service.cli.commands import (
    AsJson,
    CoderField,
    CoderNames,
    CoderOption,
    EmptyMeansNone,
    FileDelimiter,
    FileEncoding,
    Ignored,
    Items,
    Labels,
    Question,
    TextField,
    UnitOption,
    bytes_of,
    command,
    open_database,
    print_json,
    reading_options,
)
from service.settings import Settings

_FORMATS_HELP = f"{', '.join(FORMATS)} or refi-qdc."
_PANEL = "Annotations"


@command("framing export annotations.jsonl --format doccano", rich_help_panel=_PANEL)
def export(
    file: Annotated[Path, typer.Argument(help="File to write, or - for standard output.")],
    file_format: Annotated[str, typer.Option("--format", help=_FORMATS_HELP)],
    as_json: AsJson = False,
) -> None:
    """Write all annotations and adjudications to a file for another tool; format `refi-qdc` writes the codebook."""
    from service.coding.exchange import export_annotations

    settings = Settings()
    with open_database(settings) as (database, codebook):
        content = export_annotations(database, codebook, file_format)
    if str(file) == "-":
        sys.stdout.buffer.write(content)
        return
    file.write_bytes(content)
    if as_json:
        print_json({"file": str(file), "bytes": len(content)})
    else:
        typer.echo(f"Wrote {len(content):,} bytes to {file}.")


@command("framing import annotations.json --format label-studio --dry-run", name="import", rich_help_panel=_PANEL)
def import_(
    file: Annotated[Path, typer.Argument(help="File to read.")],
    file_format: Annotated[str, typer.Option("--format", help=_FORMATS_HELP)],
    coder: CoderOption = None,
    text_field: TextField = None,
    question: Question = None,
    coder_field: CoderField = None,
    map_: Labels = [],  # noqa: B006
    ignore: Ignored = [],  # noqa: B006
    coders: CoderNames = [],  # noqa: B006
    empty_means_none: EmptyMeansNone = False,
    unit: UnitOption = "paragraph",
    items: Items = None,
    encoding: FileEncoding = None,
    delimiter: FileDelimiter = None,
    dry_run: Annotated[bool, typer.Option(help="Check the file and count, without storing anything.")] = False,
    as_json: AsJson = False,
) -> None:
    """Store the annotations of another tool's file; if any row is wrong, store none and name every wrong row.

    What holds no answer of a coder is set aside, counted and named. A file without any annotation is an error.
    """
    from service.cli import console_annotations
    from service.coding.exchange import import_annotations
    from service.store.callers import COMMAND_LINE

    settings = Settings()
    data = bytes_of(file)
    options = reading_options(
        coder=coder,
        text_field=text_field,
        question=question,
        coder_field=coder_field,
        labels=map_,
        ignored=ignore,
        coders=coders,
        empty_means_none=empty_means_none,
        unit=unit,
        items=items,
        encoding=encoding,
        delimiter=delimiter,
    )
    with open_database(settings) as (database, codebook):
        imported = import_annotations(
            database, codebook, file_format, data, options=options, dry_run=dry_run, caller=COMMAND_LINE
        )
    if as_json:
        print_json(asdict(imported))
    else:
        console_annotations.show_import(imported)


@command("framing codebook --from-qdc project.qdc > codebook.toml", rich_help_panel=_PANEL)
def codebook(
    from_qdc: Annotated[
        Path | None, typer.Option(help="Print the codebook of a REFI-QDA file as TOML instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the frames and their definitions, or convert another tool's codebook."""
    from labels.codebook import codebook_to_toml, read_codebook
    from labels.exchange import refi_qda
    from service.cli import console_annotations

    if from_qdc is not None:
        typer.echo(codebook_to_toml(refi_qda.read_codebook(bytes_of(from_qdc), from_qdc.stem)), nl=False)
        return
    shown = read_codebook(Settings().codebook)
    if as_json:
        frames = [
            {**asdict(frame), "colour": colour}
            for frame, colour in zip(shown.frames, shown.colours.values(), strict=True)
        ]
        print_json({"name": shown.name, "version": shown.version, "frames": frames})
    else:
        console_annotations.show_codebook(shown)


@command("framing agreement --stored", rich_help_panel=_PANEL)
def agreement(
    stored: Annotated[
        bool, typer.Option(help="Of the annotations in the database, with pairs and disagreements.")
    ] = False,
    weeks: Annotated[
        bool,
        typer.Option(help="Of the champion with the annotations in the database, week by week: does it decline?"),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the agreement of coders on each frame, in the corpus or in the database."""
    if weeks:
        if stored:
            raise typer.BadParameter("--weeks is about the champion, --stored about the coders: choose either")
        _weeks(as_json)
        return
    if stored:
        _stored_agreement(as_json)
        return
    from labels.agreement import agreement as measure
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service.cli import console_annotations

    settings = Settings()
    codebook = read_codebook(settings.codebook)
    results = measure(read_corpus(settings.corpus, codebook), codebook)
    if as_json:
        print_json([{**asdict(result), "reading": result.reading} for result in results])
    else:
        console_annotations.show_agreement(results)


def _weeks(as_json: bool) -> None:
    from service.cli import console_annotations
    from service.prevalence.own_figures import weeks
    from training.registry.versions import Registry

    settings = Settings()
    registry = Registry(settings.models_location, settings.trust)
    card = registry.card(registry.champion().version)
    with open_database(settings) as (database, codebook), database.read() as connection:
        answer = weeks(connection, card, codebook)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        console_annotations.show_weeks(answer)


def _stored_agreement(as_json: bool) -> None:
    from service.cli import console_annotations
    from service.coding.agreement import stored_agreement

    with open_database(Settings()) as (database, codebook):
        answer = stored_agreement(database, codebook)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        console_annotations.show_stored_agreement(answer)
