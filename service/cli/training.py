"""Commands that train a model and evaluate how it is trained."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labels.exchange.options import SPELLING
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
    command,
    print_json,
    reading_options,
    write_file,
)
from service.cli.evaluation import TrainedOnOption
from service.settings import Settings
from training.hyperparameters import WantedKind
from training.scoring.operating_points import OperatingPoint

if TYPE_CHECKING:
    from labels.annotations import CodedParagraph
    from labels.codebook import Codebook
    from training.cross_validation import ReportProgress
    from training.model_card import Kind, ModelCard
    from training.registry.versions import Registry

OnCluster = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler, or local: its workers train the folds.")
]


@command("framing train --note 'after the March coding round'")
def train(
    kind: Annotated[WantedKind | None, typer.Option(help="Kind of model; default: that of the settings.")] = None,
    note: Annotated[str, typer.Option(help="Note on the model's card.")] = "",
    seed: Annotated[int | None, typer.Option(help="Same data, code and seed give the same scores.")] = None,
    if_no_champion: Annotated[bool, typer.Option(help="Do nothing if a champion exists.")] = False,
    cluster: OnCluster = None,
    finetune: Annotated[
        bool,
        typer.Option(
            "--finetune",
            help="Move the encoder too, not only the heads on its vectors. Needs the extra `finetune` of "
            "media-framing, and minutes to hours; the same command resumes.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on the corpus of the settings, not on stored annotations, and register it; the first is champion.

    With the shipped corpus the shipped model is registered as it is, once. From annotations made here a training run
    learns: the page Models, or POST /v1/training-runs.
    """
    from labels.codebook import read_codebook
    from service.cli import console, console_models
    from training.kinds.choice import has_learned_from
    from training.kinds.wanted import kind_to_train
    from training.registry.versions import Registry

    settings = Settings()
    registry = Registry(settings.models_location, settings.trust)
    if finetune and cluster:
        raise typer.BadParameter("--cluster trains folds of a model of words, and --finetune has none")
    if if_no_champion and registry.was_promoted():
        registry.champion()  # raises an error where there are promotions, and none counts
        return
    codebook = read_codebook(settings.codebook)
    champion = registry.champion_card()
    chosen_kind = kind_to_train(kind or settings.kind, champion, codebook)
    learned = not finetune and has_learned_from(chosen_kind, settings.corpus, codebook, settings.start)
    if learned and champion is not None and _is_base(champion, codebook):
        _show_nothing_to_train(champion.version, as_json=as_json)
        return
    with console.progress_bar(silent=as_json) as progress:
        if finetune:
            card = _fine_tuned(settings, chosen_kind, codebook, seed, note, progress)
        else:
            card = _trained(settings, registry, chosen_kind, codebook, seed, note, progress, cluster, learned=learned)
    first = not registry.was_promoted()
    if first:
        registry.promote(card.version, by="framing train", reason="the first model")
    if as_json:
        print_json({"version": card.version, "champion": first})
        return
    console_models.show_evaluation(card.left_out)
    if card.held_out:
        console_models.show_evaluation(card.held_out)
    console.show_sentences("Warning", card.warnings)
    if learned:
        console.out.print("Nothing was trained: with the shipped corpus the shipped model is registered as it is.")
    if card.verdict is not None:
        console.out.print(f"Verdict: {card.verdict.reason}")
        if card.verdict.base:
            console.out.print(card.verdict.base)
    step = "As the first model it is the champion." if first else f"Promote it with `framing promote {card.version}`."
    console.out.print(f"Registered as {card.version}. {step}")


def _fine_tuned(
    settings: Settings,
    kind: "Kind | None",
    codebook: "Codebook",
    seed: int | None,
    note: str,
    progress: "ReportProgress",
) -> "ModelCard":
    from service.models.fine_tuning import fine_tune
    from training.challenger import DEFAULT_SEED

    seed = DEFAULT_SEED if seed is None else seed
    return fine_tune(settings, kind, codebook, seed=seed, note=note, progress=progress)


def _trained(
    settings: Settings,
    registry: "Registry",
    kind: "Kind | None",
    codebook: "Codebook",
    seed: int | None,
    note: str,
    progress: "ReportProgress",
    cluster: str | None,
    *,
    learned: bool,
) -> "ModelCard":
    from service.bulk.cluster import folds_on
    from service.schemas.hyperparameters import chosen
    from training.challenger import DEFAULT_SEED
    from training.encoder.vectors import VectorStore
    from training.kinds.choice import train_kind

    with folds_on(cluster):
        challenger = train_kind(
            kind,
            () if learned else _annotated(settings, codebook),
            codebook,
            vectors=VectorStore(settings.vectors_dir),
            start=settings.start,
            hyperparameters=chosen(settings.hyperparameters),
            seed=DEFAULT_SEED if seed is None else seed,
            note=note,
            progress=progress,
            jobs=-1 if cluster else None,
        )
    return registry.register(challenger)


def _annotated(settings: Settings, codebook: "Codebook") -> "tuple[CodedParagraph, ...]":
    """The paragraphs of the corpus; raises `CorpusError` where it has none: the base would pass for a new model."""
    from labels.annotations import read_corpus
    from labels.errors import CorpusError

    paragraphs = read_corpus(settings.corpus, codebook)
    if not paragraphs:
        raise CorpusError(str(settings.corpus), ["it holds none"])
    return paragraphs


def _is_base(card: "ModelCard", codebook: "Codebook") -> bool:
    """Whether a registered model is the base of a codebook; a card is made together with the heads."""
    from training.registry.base import base_for

    base = base_for(codebook, card.kind)
    return base is not None and (card.encoder, card.created_at) == (base.card.encoder, base.card.created_at)


def _show_nothing_to_train(champion: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"version": champion, "champion": True})
    else:
        typer.echo(
            f"Nothing to train: the champion, {champion}, is the shipped model, and this command reads FRAMING_CORPUS. "
            "A training run learns from annotations made here (the page Models, or POST /v1/training-runs)."
        )


@command("framing evaluate --coded our-paragraphs.jsonl --disagreements differ.csv")
def evaluate(
    coded: Annotated[
        Path | None, typer.Option(help="Coded paragraphs to judge a model on: JSON Lines, a corpus, or see --format.")
    ] = None,
    stored: Annotated[
        bool,
        typer.Option(
            help="Judge a model on the annotations of stored articles; those that it learned from are scored by fold "
            "models that have not seen their articles."
        ),
    ] = False,
    model: Annotated[str | None, typer.Option(help="Model version; default: the champion.")] = None,
    file_format: Annotated[str | None, typer.Option("--format", help="Format of another tool's file.")] = None,
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
    split: Annotated[str | None, typer.Option(help="Read only the rows of the files with this `split`.")] = None,
    population: Annotated[
        Path | None,
        typer.Option(help="More paragraphs of the kind, without annotations: coded ones are weighted to it."),
    ] = None,
    strata: Annotated[
        str | None,
        typer.Option(help="Model version whose scores weight the coded paragraphs; default: the judged model."),
    ] = None,
    other: Annotated[Path | None, typer.Option(help="Paragraphs without any frame: how many get a frame?")] = None,
    articles: Annotated[Path | None, typer.Option(help="Coded whole articles, as JSON Lines.")] = None,
    trained_on: TrainedOnOption = None,
    operating_point: Annotated[
        OperatingPoint, typer.Option(help="Set of thresholds that decides the disagreements.")
    ] = "balanced",
    disagreements: Annotated[
        Path | None, typer.Option(help="Write the disagreements of coders and model here, as CSV, the surest first.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write an HTML report with plots here.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the tables as Markdown here.")] = None,
    cluster: OnCluster = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model on coded paragraphs that it never saw, such as paragraphs of your own outlets.

    Without --coded and --stored, judge the pipeline of the model of words on the corpus: sources left out, held-out
    articles, baselines, learning curve. Paragraphs that the coding queue drew as uncertain make a model look worse than
    it is.
    """
    from service.cli import evaluation

    reading = reading_options(
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
    if file_format is None and reading.chosen():
        option = SPELLING[reading.chosen()[0]]
        raise typer.BadParameter(f"--{option} is about a file of another tool: name its --format")
    if coded is None and not stored:
        if any(
            option is not None
            for option in (model, file_format, split, population, strata, other, articles, trained_on, disagreements)
        ):
            raise typer.BadParameter("name either a file of coded paragraphs with --coded or --stored")
        _evaluate_pipeline(html, markdown, cluster, as_json=as_json)
        return
    if coded is not None and stored:
        raise typer.BadParameter("name either a file of coded paragraphs with --coded or --stored")
    if stored and file_format is not None:
        raise typer.BadParameter("--format is for a file of coded paragraphs, not for --stored")
    if (stored or file_format is not None) and split is not None and not (population or other or articles):
        of_what = "--stored reads none" if stored else "--format reads a file without splits"
        raise typer.BadParameter(f"--split selects rows of files, and {of_what}")
    if stored and trained_on is not None:
        raise typer.BadParameter("--trained-on is about --coded: for --stored, fold models score what was trained on")
    if html is not None or cluster is not None:
        raise typer.BadParameter("--html and --cluster judge the pipeline, without --coded and --stored")
    files = evaluation.CodedFiles(
        coded, file_format, split, population, other, articles, trained_on or "refuse", reading
    )
    evaluation.evaluate_model(files, model, operating_point, strata, disagreements, markdown, as_json=as_json)


def _evaluate_pipeline(html: Path | None, markdown: Path | None, cluster: str | None, *, as_json: bool) -> None:
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
    with folds_on(cluster), console.progress_bar(silent=as_json) as progress:
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
