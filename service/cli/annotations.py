"""Commands about annotations: files of other tools, the codebook, agreement."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from labels.exchange import FORMATS, ReadingOptions
from labels.exchange.options import Unit, coder_map, label_map
from service.cli.commands import AsJson, command, open_database, print_json
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
    coder: Annotated[str | None, typer.Option(help="Coder of the annotations for which the file names none.")] = None,
    text_field: Annotated[str | None, typer.Option(help="Field of the text, if it is not `text`.")] = None,
    question: Annotated[
        str | None, typer.Option(help="Question, control, scheme or column whose answers are frames.")
    ] = None,
    coder_field: Annotated[str | None, typer.Option(help="Field of the coder.")] = None,
    map_: Annotated[
        list[str],
        typer.Option(
            "--map", metavar="LABEL=FRAME", help="Frame of a label; LABEL=none if it says that no frame is present."
        ),
    ] = [],  # noqa: B006
    ignore: Annotated[list[str], typer.Option(metavar="LABEL", help="Label to leave out.")] = [],  # noqa: B006
    coders: Annotated[
        list[str], typer.Option("--coder-map", metavar="ID=NAME", help="Name of a coder in the file.")
    ] = [],  # noqa: B006
    empty_means_none: Annotated[
        bool, typer.Option("--empty-means-none", help="An empty answer means that no frame is present.")
    ] = False,
    unit: Annotated[
        Unit, typer.Option(help="What a selection of REFI-QDA codes: its paragraph or itself.")
    ] = "paragraph",
    items: Annotated[
        Path | None, typer.Option(help="Second file, with the texts: the items that Potato was given.")
    ] = None,
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
    options = ReadingOptions(
        text_field=text_field,
        question=question,
        coder_field=coder_field,
        frames=label_map(map_),
        ignored=frozenset(ignore),
        coders=coder_map(coders),
        coder=coder,
        empty_means_none=empty_means_none,
        unit=unit,
        items=None if items is None else bytes_of(items),
    )
    with open_database(settings) as (database, codebook):
        imported = import_annotations(
            database, codebook, file_format, data, options=options, dry_run=dry_run, caller=COMMAND_LINE
        )
    if as_json:
        print_json(asdict(imported))
    else:
        console_annotations.show_import(imported)


def bytes_of(file: Path) -> bytes:
    """The content of a file; raises `InputError` if it cannot be read."""
    from service.bulk.inputs import InputError

    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error


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
        print_json({"name": shown.name, "version": shown.version, "frames": [asdict(frame) for frame in shown.frames]})
    else:
        console_annotations.show_codebook(shown)


@command("framing agreement --stored", rich_help_panel=_PANEL)
def agreement(
    stored: Annotated[
        bool, typer.Option(help="Of the annotations in the database, with pairs and disagreements.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the agreement of coders on each frame, in the corpus or in the database."""
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


def _stored_agreement(as_json: bool) -> None:
    from service.cli import console_annotations
    from service.coding.agreement import stored_agreement

    with open_database(Settings()) as (database, codebook):
        answer = stored_agreement(database, codebook)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        console_annotations.show_stored_agreement(answer)
