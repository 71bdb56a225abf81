"""Commands that read files of articles: `framing score` scores them, `framing ingest` stores them too."""

import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from labels.errors import FramingError
from service.bulk.outputs import OutputFormat
from service.cli.commands import AsJson, command, open_database, print_json
from service.settings import Settings
from training.scoring.operating_points import OperatingPoint

Columns = Annotated[
    list[str] | None,
    typer.Option(
        help="Column of the input for a field, as in text=body; may be repeated. Where a file has no such column, the "
        "column with the field's own name is read."
    ),
]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of all text files, e.g. windows-1252, instead of what each file says.")
]
Delimiter = Annotated[
    str | None, typer.Option(help="What separates the cells of all tables: a character, tab or semicolon.")
]

if TYPE_CHECKING:
    from service.bulk.ingest import Ingested, Reading, Store
    from service.bulk.inputs import Dialect
    from service.bulk.job import Executor, Job
    from service.bulk.scoring import Options
    from training.model_card import Kind
    from training.scoring.frame_model import FrameModel


@command("framing score articles.csv --column text=body --to scores/ --workers 2")
def score(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, zip files, patterns or URLs of text, HTML, PDF, Word (.docx), JSON, JSON Lines, CSV, "
            "TSV or Parquet; - for stdin."
        ),
    ],
    to: Annotated[
        str | None, typer.Option(help="Folder or URL for files of scores, a row per paragraph; else they are shown.")
    ] = None,
    file_format: Annotated[OutputFormat, typer.Option("--format", help="Format of those files.")] = "parquet",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Scoring processes, with --to; default 1, with a local cluster the number of cores. An encoder scores "
            "in a single process, on all cores.",
        ),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, or local: its workers score, with --to.")
    ] = None,
    column: Columns = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    with_text: Annotated[bool, typer.Option(help="Also write the text of the paragraphs into the files.")] = False,
    operating_point: Annotated[OperatingPoint, typer.Option(help="Set of thresholds that decide.")] = "balanced",
    version: Annotated[str, typer.Option(help="A model version, or champion.")] = "champion",
    force_language: Annotated[
        str | None, typer.Option(help="Language of all articles, e.g. en, instead of detecting it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the frames of articles; with --json, print an answer per line.

    With --to, any number of articles become Parquet, JSON Lines or CSV; the time is estimated before. After an
    interruption the same command resumes where it stopped. For s3:// and https:// URLs, install the extra `s3`.
    """
    from service.bulk.job import Job
    from service.bulk.scoring import Options
    from training.registry.versions import Registry

    settings = Settings()
    registry = Registry(settings.models_location, settings.trust)
    model = registry.load_champion()[0] if version == "champion" else registry.load(version)
    options = Options(operating_point, force_language, with_text)
    columns, dialect = columns_named(column), dialect_named(encoding, delimiter)
    if to is None:
        _show(inputs, columns, dialect, model, options, settings, as_json)
        return
    job = Job(to, file_format, columns, options, settings, model, dialect)
    with ExitStack() as stack:
        _run(job, inputs, _executor(stack, workers, cluster, model.card.kind), as_json)


def columns_named(assignments: list[str] | None) -> dict[str, str]:
    """The column of each field, from options such as `text=body`."""
    from service.bulk.records import FIELDS

    for assignment in assignments or []:
        if "=" not in assignment:
            raise typer.BadParameter(f"'{assignment}' is not of the form FIELD=COLUMN, as in text=body")
        if (field := assignment.split("=", 1)[0]) not in FIELDS:
            raise typer.BadParameter(f"'{field}' is no field of an article; there are {', '.join(FIELDS)}")
    return dict(assignment.split("=", 1) for assignment in assignments or [])


def dialect_named(encoding: str | None, delimiter: str | None) -> "Dialect":
    """How the options say that files are to be read."""
    from labels.files.encodings import encoding_named
    from labels.files.tables import delimiter_named
    from service.bulk.inputs import Dialect

    return Dialect(
        None if encoding is None else encoding_named(encoding),
        None if delimiter is None else delimiter_named(delimiter),
    )


def _executor(stack: ExitStack, workers: int | None, address: str | None, kind: "Kind") -> "Executor":
    """The executor of the options; an encoder uses all cores by itself; another process would load it again."""
    from service.bulk.cluster import cluster
    from service.bulk.executors import Cluster, Processes, ThisProcess

    if kind != "words" and address in (None, "local"):
        workers = 1
    if address is None:
        return Processes(workers) if workers and workers > 1 else ThisProcess()
    return Cluster(stack.enter_context(cluster(address, workers)))


def _run(job: "Job", inputs: list[str], executor: "Executor", as_json: bool) -> None:
    from service.bulk.job import run
    from service.cli import console, console_articles

    with console.bulk_progress() as progress:
        summary = run(job, inputs, executor, progress, console.announce)
    if as_json:
        print_json(asdict(summary))
    else:
        console_articles.show_bulk(summary)
    if summary.is_in_vain:
        raise FramingError(f"Nothing could be scored. {' '.join(summary.examples[:1]) or 'There is no article.'}")


def _show(
    inputs: list[str],
    columns: dict[str, str],
    dialect: "Dialect",
    model: "FrameModel",
    options: "Options",
    settings: Settings,
    as_json: bool,
) -> None:
    from service.articles.answers import classified_answer
    from service.articles.reading import classify_article, read_article
    from service.bulk.records import read_records
    from service.bulk.scoring import scored_request
    from service.cli import console, console_articles

    titles, is_empty, failed = dict(model.card.frames), True, False
    with console.counter("articles", shown=as_json) as count:
        for record in read_records(inputs, columns, dialect, console.announce, settings.outbound_hosts):
            count()
            is_empty = False
            if record.encoding not in (None, "utf-8"):
                console.announce(f"{record.name} is read as {record.encoding}.")
            try:
                request = scored_request(record, options).model_copy(update={"explain": True})
                article = read_article(request, model, settings)
            except FramingError as error:
                failed = True
                typer.secho(f"{record.name}: {error}", err=True, fg="red")
                continue
            classification = classify_article(article, request, model)
            answer = classified_answer(request, article, classification, model, evidence_terms=settings.evidence_terms)
            if as_json:
                line = {"source": record.name, **answer.model_dump(mode="json", exclude_none=True)}
                sys.stdout.write(json.dumps(line) + "\n")
            else:
                console_articles.show_classified(record.name, answer, titles)
    if is_empty:
        raise FramingError("Nothing could be scored. There is no article.")
    if failed:
        raise typer.Exit(1)


@command("framing ingest articles.csv --column text=body --outlet Courier")
def ingest(
    inputs: Annotated[
        list[str],
        typer.Argument(help="Files, folders, zip files, patterns or URLs, of the kinds that `framing score` reads."),
    ],
    outlet: Annotated[str | None, typer.Option(help="Outlet of the articles that name none.")] = None,
    column: Columns = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    replace: Annotated[
        bool,
        typer.Option(
            help="Replace the text of stored articles that have the same external_id or url and another text; the old "
            "text stays as a former version."
        ),
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(help="Address of a running server that scores and stores; else the database of the settings."),
    ] = None,
    key: Annotated[str | None, typer.Option(envvar="FRAMING_KEY", help="Key for the server, if it needs any.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score articles and store them, so that charts and coders see them.

    Give the same command again after an interruption: articles that are stored are recognised.
    """
    from service.bulk.ingest import IntoServer, Reading

    settings = Settings()
    reading = Reading(columns_named(column), dialect_named(encoding, delimiter), outlet, settings.outbound_hosts)
    if server is not None:
        _ingest(inputs, reading, IntoServer(server, key, replace=replace), as_json)
        return
    from service.bulk.ingest import IntoDatabase
    from training.registry.versions import Registry

    model = Registry(settings.models_location, settings.trust).load_champion()[0]
    with open_database(settings) as (database, _):
        _ingest(inputs, reading, IntoDatabase(database, model, settings, replace=replace), as_json)


def _ingest(inputs: list[str], reading: "Reading", store: "Store", as_json: bool) -> None:
    from service.bulk.ingest import ingest as ingest_files
    from service.cli import console, console_articles

    with console.progress_bar(silent=as_json) as progress:
        ingested = ingest_files(inputs, reading, store, lambda _done, share: progress("articles", share))
    if as_json:
        print_json(asdict(ingested))
    else:
        encodings = console_articles.encodings_other(ingested.encodings)
        for sentence in (*ingested.delimiters, *encodings, *ingested.examples):
            console.announce(sentence)
        typer.echo(_sentence(ingested))
    if ingested.is_in_vain:
        raise FramingError("No article could be stored.")


def _sentence(ingested: "Ingested") -> str:
    counts = (
        (ingested.stored, "stored"),
        (ingested.same, "stored before"),
        (ingested.replaced, "replaced"),
        (ingested.conflict, "in conflict with a stored article"),
        (ingested.problem, "not readable as an article"),
    )
    counted = ", ".join(f"{number:,} {what}" for number, what in counts if number or what == "stored")
    files = ingested.files_passed_over
    return f"Articles: {counted}.{f' Files passed over: {files:,}.' if files else ''}"
