"""Commands that judge a model and report on it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.commands import AsJson, command, open_database, print_json, write_file
from service.settings import Settings
from training.scoring.operating_points import OperatingPoint

if TYPE_CHECKING:
    from labels.annotations import CodedParagraph
    from labels.codebook import Codebook
    from training.scoring.frame_model import FrameModel
    from training.validation import ModelDisagreement, Validation

_CODED = {True: "present", False: "absent"}
_Version = Annotated[str | None, typer.Argument(help="Model version; default: the champion.")]


@command("framing behaviour v2", rich_help_panel="Models")
def behaviour(
    version: _Version = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the table as Markdown here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check which changes of a text (names, spelling, …) change a model's decisions; exit with 1 if a check fails."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service.cli import console
    from training.behaviour import check_behaviour
    from training.reports.tables import BEHAVIOUR_HEAD, behaviour_rows, table

    settings = Settings()
    model = _model(settings, version)
    codebook = read_codebook(settings.codebook)
    checks = check_behaviour(model, codebook, read_corpus(settings.corpus, codebook))
    if markdown is not None:
        write_file(markdown, table(BEHAVIOUR_HEAD, behaviour_rows(checks)) + "\n")
    if as_json:
        print_json([{**asdict(check), "passed": check.passed} for check in checks])
    else:
        console.show_table(f"Behaviour of model {model.card.version}", BEHAVIOUR_HEAD, behaviour_rows(checks))
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


@command("framing validate our-paragraphs.jsonl --disagreements differ.csv", rich_help_panel="Models")
def validate(
    path: Annotated[
        Path | None, typer.Argument(help="Coded paragraphs: a file or folder of JSON Lines in the form of the corpus.")
    ] = None,
    stored: Annotated[
        bool, typer.Option(help="Use the annotations of stored articles that the model was not trained on.")
    ] = False,
    version: Annotated[str | None, typer.Option(help="Model version; default: the champion.")] = None,
    operating_point: Annotated[OperatingPoint, typer.Option(help="Set of thresholds that decide.")] = "balanced",
    disagreements: Annotated[
        Path | None, typer.Option(help="Write the disagreements of coders and model here, as CSV, the surest first.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the tables as Markdown here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model on coded paragraphs that it never saw, such as paragraphs of your own outlets.

    Paragraphs that the coding queue drew as uncertain make the model look worse than it is.
    """
    from service.cli import console, console_models
    from training.reports.tables import FIGURES_HEAD, figures_rows, table
    from training.validation import validate as validate_model

    if stored == (path is not None):
        raise typer.BadParameter("name either a file of coded paragraphs or --stored")
    settings = Settings()
    model = _model(settings, version)
    result = validate_model(model, *_coded(settings, path, model), operating_point)
    if markdown is not None:
        tables = [table(FIGURES_HEAD, figures_rows(e)) for e in (result.evaluation, result.stances) if e is not None]
        write_file(markdown, "\n\n".join(tables) + "\n")
    if disagreements is not None:
        write_file(disagreements, _disagreements_csv(result.disagreements).decode())
    if as_json:
        print_json({"version": model.card.version, "notes": _notes(result), **asdict(result)})
        return
    console_models.show_evaluation(result.evaluation)
    if result.stances is not None:
        console_models.show_evaluation(result.stances)
    console.show_sentences("Note", _notes(result))


def _coded(settings: Settings, path: Path | None, model: "FrameModel") -> "tuple[Codebook, Sequence[CodedParagraph]]":
    """The codebook, and the coded paragraphs of a file or, without those that the model saw, of the database."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service.store import annotations
    from service.store.articles import stored_ids

    if path is not None:
        codebook = read_codebook(settings.codebook)
        return codebook, read_corpus(path, codebook)
    seen = set(model.card.stored_articles)
    with open_database(settings) as (database, codebook), database.read() as connection:
        coded = annotations.coded_paragraphs(connection, codebook.keys, adjudicated=True)
        stored = stored_ids(connection, {paragraph.article for paragraph in coded})
    return codebook, [paragraph for paragraph in coded if paragraph.article in stored - seen]


def _notes(result: "Validation") -> list[str]:
    """Notes for a reader of the figures."""
    notes = []
    if result.sources_known:
        names = ", ".join(result.sources_known)
        notes.append(
            f"The model was also trained on {names}, on these or other paragraphs, so the figures may be too good."
        )
    if result.unsettled:
        notes.append(f"{result.unsettled} paragraphs were left out because their coders are tied.")
    return notes


def _disagreements_csv(disagreements: "Sequence[ModelDisagreement]") -> bytes:
    from service.tabular import Column, whole

    columns = (
        Column("article", "text"),
        Column("index", "whole"),
        Column("source", "text"),
        Column("frame", "text"),
        Column("coded", "text"),
        Column("score", "number"),
        Column("words", "text"),
        Column("text", "text"),
    )
    return whole(columns, [list(map(_row, disagreements))], "csv")


def _row(entry: "ModelDisagreement") -> tuple[str | int | float, ...]:
    paragraph, words, score = entry.paragraph, " ".join(entry.words), round(entry.score, 3)
    place = (paragraph.article, paragraph.index, paragraph.source)
    return *place, entry.frame, _CODED[entry.coded], score, words, paragraph.text


@command("framing report appendix/ --coded our-paragraphs.jsonl", rich_help_panel="Models")
def report(
    folder: Annotated[Path, typer.Argument(help="Folder to write into; it is made if it is missing.")],
    coded: Annotated[
        Path | None, typer.Option(help="Coded paragraphs that the model never saw, to validate it on.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Model version; default: the champion.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a paper's appendix: methods, LaTeX and CSV tables, plots, model card, datasheet, behaviour, references."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from training.reports.report import write_report

    settings = Settings()
    codebook = read_codebook(settings.codebook)
    unseen = None if coded is None else read_corpus(coded, codebook)
    written = write_report(folder, _model(settings, version), codebook, read_corpus(settings.corpus, codebook), unseen)
    if as_json:
        print_json({"folder": str(folder), "files": [str(path.relative_to(folder)) for path in written]})
    else:
        typer.echo(f"Wrote {len(written)} files into {folder}; {folder / 'README.md'} describes each.")


def _model(settings: Settings, version: str | None) -> "FrameModel":
    from training.registry.versions import Registry

    registry = Registry(settings.models_location)
    return registry.load_champion()[0] if version is None else registry.load(version)
