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
    from training.validation import Disagreement, Validation

_CODED = {True: "present", False: "absent"}
_Version = Annotated[str | None, typer.Argument(help="Which version; without it the champion.")]


@command("framing behaviour v2", rich_help_panel="Models")
def behaviour(
    version: _Version = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the table as Markdown here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check what must not move a model's decisions (names, spelling, ...) and what must; exit with 1 if it fails."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service.cli import console
    from training.behaviour import check_behaviour
    from training.reports.card import table
    from training.reports.report import BEHAVIOUR_HEAD, behaviour_rows

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
        Path | None, typer.Argument(help="Coded paragraphs: a file or folder of JSON Lines, as a corpus has them.")
    ] = None,
    stored: Annotated[
        bool, typer.Option(help="Instead of a file: codes of stored articles that the model was not trained on.")
    ] = False,
    version: Annotated[str | None, typer.Option(help="Which version; without it the champion.")] = None,
    operating_point: Annotated[OperatingPoint, typer.Option(help="Which thresholds decide.")] = "balanced",
    disagreements: Annotated[
        Path | None, typer.Option(help="Write where coders and model differ here, as CSV, what it was surest of first.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the tables as Markdown here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model on paragraphs that people coded and it never saw, such as those of your own outlets.

    Paragraphs that the coding queue chose because the model was unsure make it look worse than it is.
    """
    from service.cli import console
    from training.reports.card import FIGURES_HEAD, figures_rows, table
    from training.validation import validate as validate_model

    if stored == (path is not None):
        raise typer.BadParameter("give either a file of coded paragraphs or --stored")
    settings = Settings()
    model = _model(settings, version)
    found = validate_model(model, *_coded(settings, path, model), operating_point)
    if markdown is not None:
        tables = [table(FIGURES_HEAD, figures_rows(e)) for e in (found.evaluation, found.stances) if e is not None]
        write_file(markdown, "\n\n".join(tables) + "\n")
    if disagreements is not None:
        write_file(disagreements, _disagreements_csv(found.disagreements).decode())
    if as_json:
        print_json({"version": model.card.version, "notes": _notes(found), **asdict(found)})
        return
    console.show_evaluation(found.evaluation)
    if found.stances is not None:
        console.show_evaluation(found.stances)
    console.show_sentences("Note", _notes(found))


def _coded(settings: Settings, path: Path | None, model: "FrameModel") -> "tuple[Codebook, Sequence[CodedParagraph]]":
    """The codebook and the coded paragraphs of a file, or of the database without those of the model's training."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service.store import annotations

    if path is not None:
        codebook = read_codebook(settings.codebook)
        return codebook, read_corpus(path, codebook)
    seen = set(model.card.stored_articles)
    with open_database(settings) as (database, codebook), database.read() as connection:
        coded = annotations.coded_paragraphs(connection, codebook.keys, adjudicated=True)
    unseen = [one for one in coded if annotations.is_of_stored_article(one) and one.article not in seen]
    return codebook, unseen


def _notes(found: "Validation") -> list[str]:
    """What a reader of the figures has to know."""
    notes = []
    if found.sources_known:
        names = ", ".join(found.sources_known)
        notes.append(f"The model was trained on {names} too, on these paragraphs or others: figures may be too good.")
    if found.unsettled:
        notes.append(f"{found.unsettled} paragraphs were left out because their coders are tied.")
    return notes


def _disagreements_csv(disagreements: "Sequence[Disagreement]") -> bytes:
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


def _row(one: "Disagreement") -> tuple[str | int | float, ...]:
    coded = one.paragraph
    words, score = " ".join(one.words), round(one.score, 3)
    return coded.article, coded.index, coded.source, one.frame, _CODED[one.coded], score, words, coded.text


@command("framing report appendix/ --coded our-paragraphs.jsonl", rich_help_panel="Models")
def report(
    folder: Annotated[Path, typer.Argument(help="Folder to write into; it is made where it is missing.")],
    coded: Annotated[
        Path | None, typer.Option(help="Coded paragraphs that the model never saw: it is validated on them too.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Which version; without it the champion.")] = None,
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
        typer.echo(f"Wrote {len(written)} files into {folder}; {folder / 'README.md'} says what each is.")


def _model(settings: Settings, version: str | None) -> "FrameModel":
    from training.registry.versions import Registry

    registry = Registry(settings.models_location)
    return registry.load_champion()[0] if version is None else registry.load(version)
