"""The commands. Thin: each reads its options, calls the house and shows what it got."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from labels.errors import FramingError
from service.settings import Settings
from training.operating_points import OperatingPoint

if TYPE_CHECKING:
    from labels.codebook import Codebook
    from service.store.database import Database

app = typer.Typer(
    help="Find frames in news articles: train a classifier on annotated paragraphs, judge it, serve it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_FORMATS_HELP = "label-studio, doccano, prodigy, argilla, csv-long, csv-wide, refi-qda or refi-qdc."

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@contextmanager
def _errors_as_sentences() -> Iterator[None]:
    try:
        yield
    except FramingError as error:
        typer.secho(f"Error: {error}", err=True, fg="red")
        raise typer.Exit(1) from error
    except ValidationError as error:
        for fault in error.errors():
            where = "FRAMING_" + "_".join(map(str, fault["loc"])).upper() if fault["loc"] else "Settings"
            typer.secho(f"Error: {where}: {fault['msg'].removeprefix('Value error, ')}", err=True, fg="red")
        raise typer.Exit(2) from error


def _command(example: str, **options: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose help ends with an example and whose errors are sentences."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            with _errors_as_sentences():
                function(*args, **kwargs)

        return app.command(epilog=f"Example: {example}", **options)(guarded)

    return register


def _print_json(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


@_command("FRAMING_PORT=8080 framing serve")
def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on; else FRAMING_PORT.")] = None,
) -> None:
    """Serve the REST API on http://127.0.0.1:8000 (see the settings in the documentation)."""
    import uvicorn

    from service.app import create_app
    from service.supervisor import Supervisor

    settings = Settings() if port is None else Settings(port=port)
    supervisor = Supervisor()
    app_ = create_app(settings)
    # uvicorn raises SIGTERM again when it is done; unhandled, that would end us before the worker is stopped.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    if settings.worker:
        supervisor.start()
    try:
        uvicorn.run(
            app_,
            host=settings.host,
            port=settings.port,
            log_level=settings.log_level,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
    finally:
        supervisor.stop()


@_command("framing worker")
def worker(
    parent: Annotated[int | None, typer.Option(hidden=True, help="Stop when this process is gone.")] = None,
) -> None:
    """Do training runs and score stored articles anew; `framing serve` starts one by itself."""
    import logging

    from service.worker import work

    settings = Settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s: %(message)s")
    work(settings, parent=parent)


@_command("framing train --note 'after the March coding round'")
def train(
    note: Annotated[str, typer.Option(help="Kept on the model's card.")] = "",
    seed: Annotated[int | None, typer.Option(help="Same data, code and seed give the same scores.")] = None,
    if_no_champion: Annotated[bool, typer.Option(help="Do nothing where a champion exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on the corpus and register it; the first one becomes champion."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service import console
    from training.challenger import DEFAULT_SEED, train_challenger
    from training.registry import Registry

    settings = Settings()
    registry = Registry(settings.models_dir)
    if if_no_champion and registry.history():
        return
    codebook = read_codebook(settings.codebook)
    paragraphs = read_corpus(settings.corpus, codebook)
    with nullcontext(_silent) if as_json else console.progress_bar() as progress:
        challenger = train_challenger(
            paragraphs, codebook, seed=DEFAULT_SEED if seed is None else seed, note=note, progress=progress
        )
    card = registry.register(challenger)
    first = not registry.history()
    if first:
        registry.promote(card.version, by="framing train", reason="the first model")
    if as_json:
        _print_json({"version": card.version, "champion": first})
        return
    console.show_evaluation(card.left_out)
    if card.held_out:
        console.show_evaluation(card.held_out)
    step = "It is champion, being the first." if first else f"Promote it with `framing promote {card.version}`."
    console.out.print(f"Registered as {card.version}. {step}", markup=False)


def _silent(_step: str, _share: float) -> None:
    return None


@_command("framing evaluate --html reports/evaluation.html")
def evaluate(
    html: Annotated[Path | None, typer.Option(help="Also write an HTML report with plots here.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the tables as Markdown here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge the pipeline on the corpus: sources left out, held-out articles, baselines, learning curve."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service import console
    from training.report import evaluate_pipeline
    from training.report_html import report_to_html
    from training.report_markdown import report_to_markdown

    settings = Settings()
    codebook = read_codebook(settings.codebook)
    paragraphs = read_corpus(settings.corpus, codebook)
    with nullcontext(_silent) if as_json else console.progress_bar() as progress:
        report = evaluate_pipeline(paragraphs, codebook, progress=progress)
    for path, render in ((html, report_to_html), (markdown, report_to_markdown)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(report), encoding="utf-8")
    if as_json:
        _print_json(asdict(report))
    else:
        console.show_report(report)


@_command("framing score article.txt page.html articles.jsonl folder/ --json")
def score(
    files: Annotated[list[str], typer.Argument(help="Text, HTML, JSON, JSON Lines, folders of them, or - for stdin.")],
    operating_point: Annotated[OperatingPoint, typer.Option(help="Which thresholds decide.")] = "balanced",
    version: Annotated[str, typer.Option(help="A model version, or champion.")] = "champion",
    force_language: Annotated[str | None, typer.Option(help="Skip language detection, e.g. en.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find the frames of articles in files; with --json one answer a line."""
    from service import console
    from service.answers import classified
    from service.intake import read_article
    from service.submissions import read_submissions
    from training.registry import Registry

    settings = Settings()
    registry = Registry(settings.models_dir)
    model = registry.load_champion()[0] if version == "champion" else registry.load(version)
    titles = dict(model.card.frames)
    options = {"operating_point": operating_point, "force_language": force_language}
    failed = False
    with console.counter("articles", shown=as_json) as count:
        for name, submitted in read_submissions(files):
            count()
            try:
                request = submitted.model_copy(update=options)
                reading = read_article(request, model, settings)
            except FramingError as error:
                failed = True
                typer.secho(f"{name}: {error}", err=True, fg="red")
                continue
            answer = classified(request, reading, model.card, evidence_terms=settings.evidence_terms)
            if as_json:
                sys.stdout.write(
                    json.dumps({"source": name, **answer.model_dump(mode="json", exclude_none=True)}) + "\n"
                )
            else:
                console.show_classified(name, answer, titles)
    if failed:
        raise typer.Exit(1)


@_command("framing export codes.jsonl --format doccano")
def export(
    file: Annotated[Path, typer.Argument(help="File to write, or - for standard output.")],
    file_format: Annotated[str, typer.Option("--format", help=_FORMATS_HELP)],
    as_json: AsJson = False,
) -> None:
    """Write all codes in force to a file for another tool; format `refi-qdc` writes the codebook."""
    from service.exchange import export_codes

    settings = Settings()
    with _open_database(settings) as (database, codebook):
        content = export_codes(database, codebook, file_format)
    if str(file) == "-":
        sys.stdout.buffer.write(content)
        return
    file.write_bytes(content)
    if as_json:
        _print_json({"file": str(file), "bytes": len(content)})
    else:
        typer.echo(f"Wrote {len(content):,} bytes to {file}.")


@_command("framing import codes.json --format label-studio --dry-run", name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="File to read.")],
    file_format: Annotated[str, typer.Option("--format", help=_FORMATS_HELP)],
    coder: Annotated[str | None, typer.Option(help="Whose codes they are, where the file does not say.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be stored.")] = False,
    as_json: AsJson = False,
) -> None:
    """Store the codes of another tool's file: all of them, or none and every bad row named."""
    from service.exchange import import_codes

    settings = Settings()
    data = _bytes_of(file)
    with _open_database(settings) as (database, codebook):
        done = import_codes(database, codebook, file_format, data, coder=coder, dry_run=dry_run)
    if as_json:
        _print_json(asdict(done))
    else:
        verb = "would be" if dry_run else "were"
        typer.echo(f"{done.codes} codes of {', '.join(done.coders) or 'nobody'} {verb} stored.")


def _bytes_of(file: Path) -> bytes:
    from service.submissions import SubmissionError

    try:
        return file.read_bytes()
    except OSError as error:
        raise SubmissionError(f"{file} cannot be read: {error.strerror}.") from error


@contextmanager
def _open_database(settings: Settings) -> "Iterator[tuple[Database, Codebook]]":
    from labels.codebook import read_codebook
    from service.store.database import Database

    database = Database(settings.store_url)
    database.migrate()
    try:
        yield database, read_codebook(settings.codebook)
    finally:
        database.close()


@_command("FRAMING_DATA_DIR=demo-data framing demo")
def demo(as_json: AsJson = False) -> None:
    """Fill an empty data folder with made-up articles and codes, so that every page shows something."""
    from service import console
    from service import demo as demonstration
    from training.registry import Registry

    settings = Settings()
    model, promotion = Registry(settings.models_dir).load_champion()
    with _open_database(settings) as (database, codebook), console.progress_bar() as progress:
        articles, codes = demonstration.fill(
            database, codebook, model, promotion, lambda share: progress("made-up articles", share)
        )
    if as_json:
        _print_json({"articles": articles, "codes": codes})
    else:
        typer.echo(f"Stored {articles} made-up articles and {codes} codes; a training run is queued.")


@_command("framing models")
def models(as_json: AsJson = False) -> None:
    """List the model versions, their figures, and who promoted which when and why."""
    from service import console
    from service.answers import model_list
    from training.registry import Registry

    registry = Registry(Settings().models_dir)
    found, history = model_list(registry), registry.history()
    if as_json:
        _print_json({**found.model_dump(mode="json"), "history": [asdict(promotion) for promotion in history]})
    else:
        console.show_models(found, history)


Reason = Annotated[str, typer.Option(help="Why; kept in the history.")]
By = Annotated[str, typer.Option(help="Who; kept in the history.")]


@_command("framing promote v2 --reason 'better on foreign_hand' --by mira")
def promote(
    version: str,
    reason: Reason,
    by: By = "command line",
    force: Annotated[bool, typer.Option(help="Overrule a verdict against it; kept in the history.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a version champion; running services take it up within seconds."""
    from training.registry import Registry

    _show_promotion(
        asdict(Registry(Settings().models_dir).promote(version, by=by, reason=reason, force=force)), as_json
    )


@_command("framing rollback --reason 'misses denials' --by mira")
def rollback(reason: Reason, by: By = "command line", as_json: AsJson = False) -> None:
    """Make the champion before the present one champion again."""
    from training.registry import Registry

    _show_promotion(asdict(Registry(Settings().models_dir).roll_back(by=by, reason=reason)), as_json)


def _show_promotion(promotion: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(promotion)
    else:
        typer.echo(f"{promotion['version']} is champion now; before it was {promotion['previous'] or 'none'}.")


@_command("framing settings > docs/settings.md")
def settings(as_json: AsJson = False) -> None:
    """List every setting with its meaning, default and present value, as Markdown."""
    from service.settings_table import settings_rows, settings_table

    if as_json:
        _print_json(settings_rows(Settings()))
    else:
        typer.echo(settings_table())


@_command("framing codebook --from-qdc codes.qdc > codebook.toml")
def codebook(
    from_qdc: Annotated[
        Path | None, typer.Option(help="Print the codebook of a REFI-QDA file as TOML instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the frames and their definitions, or turn the codebook of another tool into one of ours."""
    from labels.codebook import codebook_to_toml, read_codebook
    from labels.exchange import refi_qda
    from service import console

    if from_qdc is not None:
        typer.echo(codebook_to_toml(refi_qda.read_codebook(_bytes_of(from_qdc), from_qdc.stem)), nl=False)
        return
    found = read_codebook(Settings().codebook)
    if as_json:
        _print_json({"name": found.name, "version": found.version, "frames": [asdict(frame) for frame in found.frames]})
    else:
        console.show_codebook(found)


@_command("framing agreement --stored")
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
    from service import console

    settings = Settings()
    found = read_codebook(settings.codebook)
    results = measure(read_corpus(settings.corpus, found), found)
    if as_json:
        _print_json([{**asdict(result), "reading": result.reading} for result in results])
    else:
        console.show_agreement(results)


def _stored_agreement(as_json: bool) -> None:
    from service import console
    from service.agreement import agreement_answer
    from service.store import annotations

    with _open_database(Settings()) as (database, codebook), database.read() as connection:
        paragraphs = annotations.coded_paragraphs(connection, codebook.keys, adjudicated=False)
        answer = agreement_answer(paragraphs, annotations.settled_by(connection), codebook)
    if as_json:
        _print_json(answer.model_dump(mode="json"))
    else:
        console.show_stored_agreement(answer)


@_command("framing doctor")
def doctor(as_json: AsJson = False) -> None:
    """Look whether codebook, corpus, database and models are sound; exit with 1 if something is not."""
    from service import console
    from service.doctor import examine

    findings = examine(Settings())
    if as_json:
        _print_json([asdict(finding) for finding in findings])
    else:
        console.show_findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
