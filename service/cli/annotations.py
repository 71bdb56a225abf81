"""Commands about codes: files of other tools, the codebook, agreement."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service.cli.commands import AsJson, command, open_database, print_json
from service.settings import Settings

_FORMATS_HELP = "label-studio, doccano, prodigy, argilla, csv-long, csv-wide, refi-qda, corpus or refi-qdc."


@command("framing export codes.jsonl --format doccano", rich_help_panel="Codes")
def export(
    file: Annotated[Path, typer.Argument(help="File to write, or - for standard output.")],
    file_format: Annotated[str, typer.Option("--format", help=_FORMATS_HELP)],
    as_json: AsJson = False,
) -> None:
    """Write all codes in force to a file for another tool; format `refi-qdc` writes the codebook."""
    from service.coding.exchange import export_codes

    settings = Settings()
    with open_database(settings) as (database, codebook):
        content = export_codes(database, codebook, file_format)
    if str(file) == "-":
        sys.stdout.buffer.write(content)
        return
    file.write_bytes(content)
    if as_json:
        print_json({"file": str(file), "bytes": len(content)})
    else:
        typer.echo(f"Wrote {len(content):,} bytes to {file}.")


@command("framing import codes.json --format label-studio --dry-run", name="import", rich_help_panel="Codes")
def import_(
    file: Annotated[Path, typer.Argument(help="File to read.")],
    file_format: Annotated[str, typer.Option("--format", help=_FORMATS_HELP)],
    coder: Annotated[str | None, typer.Option(help="Whose codes they are, where the file does not say.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be stored.")] = False,
    as_json: AsJson = False,
) -> None:
    """Store the codes of another tool's file: all of them, or none and every bad row named."""
    from service.coding.exchange import import_codes
    from service.store.callers import COMMAND_LINE

    settings = Settings()
    data = bytes_of(file)
    with open_database(settings) as (database, codebook):
        done = import_codes(database, codebook, file_format, data, coder=coder, dry_run=dry_run, caller=COMMAND_LINE)
    if as_json:
        print_json(asdict(done))
    else:
        verb = "would be" if dry_run else "were"
        typer.echo(f"{done.codes} codes of {', '.join(done.coders) or 'nobody'} {verb} stored.")


def bytes_of(file: Path) -> bytes:
    from service.bulk.inputs import InputError

    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error


@command("framing codebook --from-qdc codes.qdc > codebook.toml", rich_help_panel="Codes")
def codebook(
    from_qdc: Annotated[
        Path | None, typer.Option(help="Print the codebook of a REFI-QDA file as TOML instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the frames and their definitions, or turn the codebook of another tool into one of ours."""
    from labels.codebook import codebook_to_toml, read_codebook
    from labels.exchange import refi_qda
    from service.cli import console

    if from_qdc is not None:
        typer.echo(codebook_to_toml(refi_qda.read_codebook(bytes_of(from_qdc), from_qdc.stem)), nl=False)
        return
    found = read_codebook(Settings().codebook)
    if as_json:
        print_json({"name": found.name, "version": found.version, "frames": [asdict(frame) for frame in found.frames]})
    else:
        console.show_codebook(found)


@command("framing agreement --stored", rich_help_panel="Codes")
def agreement(
    stored: Annotated[
        bool, typer.Option(help="Of the annotations in the database, with pairs and disagreements.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show how far coders agree on each frame: those of the corpus, or those whose codes are stored."""
    if stored:
        _stored_agreement(as_json)
        return
    from labels.agreement import agreement as measure
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service.cli import console

    settings = Settings()
    found = read_codebook(settings.codebook)
    results = measure(read_corpus(settings.corpus, found), found)
    if as_json:
        print_json([{**asdict(result), "reading": result.reading} for result in results])
    else:
        console.show_agreement(results)


def _stored_agreement(as_json: bool) -> None:
    from service.cli import console
    from service.coding.agreement import agreement_answer
    from service.store import annotations

    with open_database(Settings()) as (database, codebook), database.read() as connection:
        paragraphs = annotations.coded_paragraphs(connection, codebook.keys, adjudicated=False)
        answer = agreement_answer(paragraphs, annotations.settled_by(connection), codebook)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        console.show_stored_agreement(answer)
