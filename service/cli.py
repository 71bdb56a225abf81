"""The commands. Thin: each reads its options, calls the house and shows what it got."""

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service import cli_care, cli_codes, cli_judge, cli_keys, cli_models, cli_score
from service.command import AsJson, app, command, open_database, print_json, write_file
from service.settings import Settings

OnCluster = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler, or local: its workers train the folds.")
]

__all__ = ["app", "cli_care", "cli_codes", "cli_judge", "cli_keys", "cli_models", "cli_score"]


@command("framing serve --port 8080 --workers 2")
def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on; else FRAMING_PORT.")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes; else FRAMING_SERVER_PROCESSES.")] = None,
) -> None:
    """Serve the REST API on http://127.0.0.1:8000 (see the settings in the documentation)."""
    from service.server import run

    asked = {"port": port, "server_processes": workers}
    run(Settings.model_validate({name: value for name, value in asked.items() if value is not None}))


@command("framing worker")
def worker(
    parent: Annotated[int | None, typer.Option(hidden=True, help="Stop when this process is gone.")] = None,
) -> None:
    """Do training runs and score stored articles anew; `framing serve` starts one by itself."""
    import logging

    from service.worker import work

    settings = Settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s: %(message)s")
    work(settings, parent=parent)


@command("framing train --note 'after the March coding round'")
def train(
    note: Annotated[str, typer.Option(help="Kept on the model's card.")] = "",
    seed: Annotated[int | None, typer.Option(help="Same data, code and seed give the same scores.")] = None,
    if_no_champion: Annotated[bool, typer.Option(help="Do nothing where a champion exists.")] = False,
    cluster: OnCluster = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on the corpus and register it; the first one becomes champion."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service import console
    from service.cluster import folds_on
    from service.schemas.hyperparameters import chosen
    from training.challenger import DEFAULT_SEED, train_challenger
    from training.registry import Registry

    settings = Settings()
    registry = Registry(settings.models_location)
    if if_no_champion and registry.history():
        return
    codebook = read_codebook(settings.codebook)
    paragraphs = read_corpus(settings.corpus, codebook)
    with folds_on(cluster), nullcontext(_silent) if as_json else console.progress_bar() as progress:
        challenger = train_challenger(
            paragraphs,
            codebook,
            hyperparameters=chosen(settings.hyperparameters),
            seed=DEFAULT_SEED if seed is None else seed,
            note=note,
            progress=progress,
            jobs=-1 if cluster else None,
        )
    card = registry.register(challenger)
    first = not registry.history()
    if first:
        registry.promote(card.version, by="framing train", reason="the first model")
    if as_json:
        print_json({"version": card.version, "champion": first})
        return
    console.show_evaluation(card.left_out)
    if card.held_out:
        console.show_evaluation(card.held_out)
    console.show_sentences("Warning", card.warnings)
    step = "It is champion, being the first." if first else f"Promote it with `framing promote {card.version}`."
    console.out.print(f"Registered as {card.version}. {step}", markup=False)


def _silent(_step: str, _share: float) -> None:
    return None


@command("framing evaluate --html reports/evaluation.html")
def evaluate(
    html: Annotated[Path | None, typer.Option(help="Also write an HTML report with plots here.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the tables as Markdown here.")] = None,
    cluster: OnCluster = None,
    as_json: AsJson = False,
) -> None:
    """Judge the pipeline on the corpus: sources left out, held-out articles, baselines, learning curve."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service import console
    from service.cluster import folds_on
    from service.schemas.hyperparameters import chosen
    from training.report import evaluate_pipeline
    from training.report_html import report_to_html
    from training.report_markdown import report_to_markdown

    settings = Settings()
    codebook = read_codebook(settings.codebook)
    paragraphs = read_corpus(settings.corpus, codebook)
    with folds_on(cluster), nullcontext(_silent) if as_json else console.progress_bar() as progress:
        report = evaluate_pipeline(
            paragraphs,
            codebook,
            hyperparameters=chosen(settings.hyperparameters),
            progress=progress,
            jobs=-1 if cluster else None,
        )
    for path, render in ((html, report_to_html), (markdown, report_to_markdown)):
        if path is not None:
            write_file(path, render(report))
    if as_json:
        print_json(asdict(report))
    else:
        console.show_report(report)


@command("FRAMING_DATA_DIR=demo-data framing demo")
def demo(as_json: AsJson = False) -> None:
    """Fill an empty data folder with made-up articles and codes, so that every page shows something."""
    from service import console
    from service import demo as demonstration
    from training.registry import Registry

    settings = Settings()
    model, promotion = Registry(settings.models_location).load_champion()
    with open_database(settings) as (database, codebook), console.progress_bar() as progress:
        articles, codes = demonstration.fill(
            database, codebook, model, promotion, lambda share: progress("made-up articles", share)
        )
    if as_json:
        print_json({"articles": articles, "codes": codes})
    else:
        typer.echo(f"Stored {articles} made-up articles and {codes} codes; a training run is queued.")


@command("framing settings > docs/settings.md")
def settings(as_json: AsJson = False) -> None:
    """List every setting with its meaning, default and present value, as Markdown."""
    from service.settings_table import settings_rows, settings_table

    if as_json:
        print_json(settings_rows(Settings()))
    else:
        typer.echo(settings_table())


@command("framing doctor")
def doctor(as_json: AsJson = False) -> None:
    """Look whether codebook, corpus, database and models are sound; exit with 1 if something is not."""
    from service import console
    from service.doctor import examine

    findings = examine(Settings())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        console.show_findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
