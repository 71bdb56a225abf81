"""`framing score`: a few articles for a person to read, or any number of them into files."""

import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from labels.errors import FramingError
from service.bulk.outputs import OutputFormat
from service.cli.commands import AsJson, command, print_json
from service.settings import Settings
from training.scoring.operating_points import OperatingPoint

if TYPE_CHECKING:
    from service.bulk.job import Executor, Job
    from service.bulk.scoring import Options
    from training.model_card import Kind
    from training.scoring.frame_model import FrameModel


@command("framing score articles.csv --column text=body --to scores/ --workers 2")
def score(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, patterns or URLs of text, HTML, JSON, JSON Lines, CSV, TSV or Parquet; - for stdin."
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
    column: Annotated[
        list[str] | None, typer.Option(help="Column of the input for a field, as in text=body; may be repeated.")
    ] = None,
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
    interruption the same command resumes where it stopped. For s3:// and other URLs, install the file system that
    fsspec names.
    """
    from service.bulk.job import Job
    from service.bulk.scoring import Options
    from training.registry.versions import Registry

    settings = Settings()
    registry = Registry(settings.models_location)
    model = registry.load_champion()[0] if version == "champion" else registry.load(version)
    options = Options(operating_point, force_language, with_text)
    columns = _columns(column or [])
    if to is None:
        _show(inputs, columns, model, options, settings, as_json)
        return
    job = Job(to, file_format, columns, options, settings, model)
    with ExitStack() as stack:
        _run(job, inputs, _executor(stack, workers, cluster, model.card.kind), as_json)


def _columns(assignments: list[str]) -> dict[str, str]:
    for assignment in assignments:
        if "=" not in assignment:
            raise typer.BadParameter(f"'{assignment}' is not of the form FIELD=COLUMN, as in text=body")
    return dict(assignment.split("=", 1) for assignment in assignments)


def _executor(stack: ExitStack, workers: int | None, address: str | None, kind: "Kind") -> "Executor":
    """The executor of the options; an encoder uses all cores by itself; another process would load it again."""
    from service.bulk.cluster import cluster
    from service.bulk.executors import Cluster, Processes, ThisProcess

    if kind == "encoder" and address in (None, "local"):
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


def _show(
    inputs: list[str],
    columns: dict[str, str],
    model: "FrameModel",
    options: "Options",
    settings: Settings,
    as_json: bool,
) -> None:
    from service.articles.answers import classified_answer
    from service.articles.reading import classify_article, read_article
    from service.bulk.records import read_records
    from service.bulk.scoring import request_of
    from service.cli import console, console_articles

    titles, failed = dict(model.card.frames), False
    with console.counter("articles", shown=as_json) as count:
        for record in read_records(inputs, columns):
            count()
            try:
                request = request_of(record, options).model_copy(update={"explain": True})
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
    if failed:
        raise typer.Exit(1)
