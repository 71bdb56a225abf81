"""Commands that train a model and evaluate how it is trained."""

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service.cli.commands import AsJson, command, print_json, write_file
from service.settings import Settings

OnCluster = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler, or local: its workers train the folds.")
]


@command("framing train --note 'after the March coding round'")
def train(
    note: Annotated[str, typer.Option(help="Note on the model's card.")] = "",
    seed: Annotated[int | None, typer.Option(help="Same data, code and seed give the same scores.")] = None,
    if_no_champion: Annotated[bool, typer.Option(help="Do nothing if a champion exists.")] = False,
    cluster: OnCluster = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on the corpus and register it; the first model becomes champion."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service.bulk.cluster import folds_on
    from service.cli import console, console_models
    from service.schemas.hyperparameters import chosen
    from training.challenger import DEFAULT_SEED, train_challenger
    from training.registry.versions import Registry

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
    console_models.show_evaluation(card.left_out)
    if card.held_out:
        console_models.show_evaluation(card.held_out)
    console.show_sentences("Warning", card.warnings)
    step = "As the first model it is the champion." if first else f"Promote it with `framing promote {card.version}`."
    console.out.print(f"Registered as {card.version}. {step}", markup=False)


def _silent(_step: str, _share: float) -> None:
    """Shows no progress: the command prints JSON."""


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
    from service.bulk.cluster import folds_on
    from service.cli import console, console_models
    from service.schemas.hyperparameters import chosen
    from training.reports.evaluate import evaluate_pipeline
    from training.reports.html import report_to_html
    from training.reports.markdown import report_to_markdown

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
        console_models.show_report(report)
