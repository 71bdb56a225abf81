"""Commands that judge a model and report on it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labels.exchange.options import DEFAULTS, ReadingOptions
from labels.wording import counted
from service.cli.commands import AsJson, command, open_database, print_json, write_file
from service.settings import Settings
from training.scoring.operating_points import OperatingPoint

if TYPE_CHECKING:
    from labels.codebook import Codebook
    from training.reports.coded_files import DescribedParagraph
    from training.reports.coded_report import CodedReport
    from training.reports.trained_on import Screen, TrainedOn
    from training.scoring.frame_model import FrameModel
    from training.validation import ModelDisagreement

TrainedOnOption = Annotated[
    Literal["refuse", "leave-out", "judge"] | None,
    typer.Option(
        help="What to do with coded paragraphs that the model learned from: refuse them (the default), leave them out, "
        "or judge on them all the same."
    ),
]
_CODED = {True: "present", False: "absent"}
# Sources that a note names; it counts the others.
_MOST_NAMES = 5
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
    paragraphs = read_corpus(settings.corpus, codebook)
    with console.progress_bar(silent=as_json) as progress:
        checks = check_behaviour(model, codebook, paragraphs, progress)
    if markdown is not None:
        write_file(markdown, table(BEHAVIOUR_HEAD, behaviour_rows(checks)) + "\n")
    if as_json:
        print_json([{**asdict(check), "passed": check.passed} for check in checks])
    else:
        console.show_table(f"Behaviour of model {model.card.version}", BEHAVIOUR_HEAD, behaviour_rows(checks))
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class CodedFiles:
    """The files that a model is judged on, of a split or all; without `coded` the annotations of stored articles.

    `trained_on` says what becomes of paragraphs that the model learned from, `reading` how to read the file of another
    tool.
    """

    coded: Path | None
    file_format: str | None
    split: str | None
    population: Path | None
    other: Path | None
    articles: Path | None
    trained_on: "TrainedOn" = "refuse"
    reading: ReadingOptions = DEFAULTS


def evaluate_model(
    files: CodedFiles,
    version: str | None,
    operating_point: OperatingPoint,
    strata: str | None,
    differing: Path | None,
    markdown: Path | None,
    *,
    as_json: bool,
) -> None:
    """Judges a model on coded paragraphs and shows or writes the figures."""
    from service.cli import console, console_models
    from training.reports.coded_files import read_articles, read_texts
    from training.reports.coded_report import evaluate_coded
    from training.reports.coded_tables import coded_markdown

    settings = Settings()
    model = _model(settings, version)
    codebook, described, about_file = _described(settings, files)
    split = files.split
    with console.progress_bar(silent=as_json) as progress:
        result = evaluate_coded(
            model,
            codebook,
            described,
            population=read_texts(files.population, split=split) if files.population else (),
            other=read_texts(files.other, split=split) if files.other else (),
            articles=read_articles(files.articles, codebook, split=split) if files.articles else (),
            strata=None if strata is None else _model(settings, strata),
            screen=_screen(settings, files, model),
            # Explaining each disagreement takes as long as scoring it.
            point=operating_point if differing or as_json else None,
            progress=progress,
        )
    if markdown is not None:
        write_file(markdown, coded_markdown(result))
    if differing is not None:
        write_file(differing, _disagreements_csv(result.disagreements).decode())
    if as_json:
        print_json({"notes": [*about_file, *_notes(result)], **asdict(result)})
        return
    console_models.show_coded_report(result)
    console.show_sentences("Note", [*about_file, *_notes(result)])


def _described(settings: Settings, files: CodedFiles) -> "tuple[Codebook, Sequence[DescribedParagraph], list[str]]":
    """The codebook, the coded paragraphs of a file or of the stored articles, and notes about the file."""
    from labels.codebook import read_codebook
    from service.store import annotations
    from service.store.articles import stored_ids
    from training.reports.coded_files import DescribedParagraph, read_coded, read_exchanged

    if files.coded is not None:
        codebook = read_codebook(settings.codebook)
        if files.file_format is None:
            return codebook, read_coded(files.coded, codebook, split=files.split), []
        described, reading = read_exchanged(files.coded, codebook, files.file_format, files.reading)
        return codebook, described, reading.sentences
    with open_database(settings) as (database, codebook), database.read() as connection:
        coded = annotations.coded_paragraphs(connection, codebook, adjudicated=True)
        stored = stored_ids(connection, {paragraph.article for paragraph in coded})
    return codebook, [DescribedParagraph(paragraph) for paragraph in coded if paragraph.article in stored], []


def _screen(settings: Settings, files: CodedFiles, model: "FrameModel") -> "Screen":
    """What the model learned from; where the annotations are those of stored articles, fold models score that."""
    from training.registry.versions import Registry
    from training.reports.trained_on import Screen

    learned = Registry(settings.models_location, settings.trust).learned(model.card.version)
    if files.coded is None:
        return Screen(learned, "cross-validate", frozenset(model.card.stored_articles))
    return Screen(learned, files.trained_on)


def _notes(result: "CodedReport") -> list[str]:
    """Notes for a reader of the figures."""
    from training.reports.trained_on import trained_on_note

    notes = []
    if result.sources_known and not result.cross_validated:
        names, more = ", ".join(result.sources_known[:_MOST_NAMES]), len(result.sources_known) - _MOST_NAMES
        names += f" and {more} more of these sources" if more > 0 else ""
        notes.append(
            f"The model was also trained on {names}, on these or other paragraphs, so the figures may be too good."
        )
    if note := trained_on_note(result.left_out, result.paragraphs_known):
        notes.append(note)
    if result.cross_validated:
        notes.append(
            f"Of these paragraphs, {result.cross_validated:,} stand in articles that were annotated when the model was "
            "trained, held-out ones among them: they were scored by fold models that have not seen their articles, and "
            "have no figures of stances."
        )
    if result.unsettled:
        notes.append(f"{counted(result.unsettled, 'paragraph')} left out, because their coders are tied.")
    notes += _names_that_matter(result)
    if result.population is not None:
        notes.append(
            f"The post-stratified figures are about {result.population_paragraphs:,} paragraphs; a coded paragraph "
            "stands for those with similar scores."
        )
    if result.enriched:
        notes.append(
            f"{', '.join(result.enriched)}: post-stratified, more paragraphs carry the frame than of those drawn at "
            "random. They were chosen by more than the scores of the strata show, so the post-stratified figures are "
            "too good; with --strata, name the model that chose them or a better model."
        )
    return notes


def _names_that_matter(result: "CodedReport") -> list[str]:
    """A note where other names change more decisions than they should, so that chance does not explain it."""
    from training.reports.renaming import MOST_CHANGED

    names = [entry.name for entry in result.renamed if (entry.changed.low or 0) > MOST_CHANGED]
    if not names:
        return []
    return [
        f"It matters to this model who is named: more than {MOST_CHANGED:.0%} of decisions change when other names are "
        f"put in the place of {'; '.join(names)}."
    ]


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
    trained_on: TrainedOnOption = None,
    as_json: AsJson = False,
) -> None:
    """Write a paper's appendix: methods, LaTeX and CSV tables, plots, model card, datasheet, behaviour, references."""
    from labels.annotations import read_corpus
    from labels.codebook import read_codebook
    from service.cli import console
    from training.registry.versions import Registry
    from training.reports.report import write_report
    from training.reports.trained_on import Screen

    settings = Settings()
    codebook = read_codebook(settings.codebook)
    if coded is None and trained_on is not None:
        raise typer.BadParameter("--trained-on is about the paragraphs of --coded")
    unseen = None if coded is None else read_corpus(coded, codebook)
    model, paragraphs = _model(settings, version), read_corpus(settings.corpus, codebook)
    learned = Registry(settings.models_location, settings.trust).learned(model.card.version)
    screen = Screen(learned, trained_on or "refuse")
    with console.progress_bar(silent=as_json) as progress:
        written = write_report(folder, model, codebook, paragraphs, unseen, progress, screen)
    if as_json:
        print_json({"folder": str(folder), "files": [str(path.relative_to(folder)) for path in written]})
    else:
        typer.echo(f"Wrote {len(written)} files into {folder}; {folder / 'README.md'} describes each.")


def _model(settings: Settings, version: str | None) -> "FrameModel":
    from training.registry.versions import Registry

    registry = Registry(settings.models_location, settings.trust)
    return registry.load_champion()[0] if version is None else registry.load(version)
