"""Commands for papers: every score with what coders say of it, and regressions with corrected labels."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labels.errors import FramingError
from service.cli.commands import AsJson, command, open_database, print_json, write_file
from service.schemas.fields import Articles
from service.settings import Settings
from training.estimates.regression import Link
from training.scoring.operating_points import OperatingPoint

if TYPE_CHECKING:
    from labels.codebook import Codebook
    from service.prevalence.population import ScoredPopulation, Selected
    from service.prevalence.regression import Regressed
    from service.tabular import Format

_PANEL = "Prevalence"
_FORMATS: Mapping[str, "Format"] = {
    ".csv": "csv", ".parquet": "parquet", ".jsonl": "ndjson", ".ndjson": "ndjson", ".arrow": "arrow",
}  # fmt: skip
_DAY = "%Y-%m-%d"

Since = Annotated[datetime | None, typer.Option("--from", formats=[_DAY], help="First day.")]
Until = Annotated[datetime | None, typer.Option("--to", formats=[_DAY], help="Last day.")]
Outlets = Annotated[list[str] | None, typer.Option("--outlet", help="Only this outlet; may be repeated.")]
Dedup = Annotated[bool, typer.Option("--dedup", help="Count a story only once.")]
Population = Annotated[
    Articles | None,
    typer.Option(help="on_subject leaves out articles about something else; default: FRAMING_POPULATION."),
]


class OutputNameError(FramingError):
    """The name of a file does not say its format."""


@command("framing export-scores scores.parquet --from 2026-01-01", name="export-scores", rich_help_panel=_PANEL)
def export_scores(
    file: Annotated[Path, typer.Argument(help="File to write: .csv, .parquet, .jsonl or .arrow.")],
    frame: Annotated[list[str] | None, typer.Option(help="Only this frame; may be repeated.")] = None,
    since: Since = None,
    until: Until = None,
    outlet: Outlets = None,
    dedup: Dedup = False,
    population: Population = None,
    operating_point: Annotated[
        OperatingPoint | None,
        typer.Option(help="The point that decides; default: for each article the point with which it was stored."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write every score with the label of the coders and its inclusion probability, a row per paragraph and frame.

    GET /v1/scores of a server returns the same table.
    """
    from service.prevalence.labels import labelled_paragraphs
    from service.store import scores
    from service.tabular import stream

    file_format = _format(file)
    selected = _selected(frame, since, until, outlet, dedup, population, operating_point)
    with open_database(settings := Settings()) as (database, codebook):
        scope = _scope(selected, settings, codebook)
        with database.read() as connection:
            labelled = labelled_paragraphs(connection, scope.population, scope.card)
        counted, batches = 0, scores.batches(database, scope.population, labelled, datetime.now(UTC))
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            for chunk in stream(scores.COLUMNS, batches, file_format):
                counted += out.write(chunk)
    if as_json:
        print_json({"file": str(file), "bytes": counted})
    else:
        typer.echo(f"Wrote {counted:,} bytes to {file}.")


@command("framing regression foreign_hand --on outlet --on month --csv table.csv", rich_help_panel=_PANEL)
def regression(
    frame: Annotated[str, typer.Argument(help="The frame to explain: whether a paragraph carries it.")],
    on: Annotated[
        list[str],
        typer.Option(
            help="A variable, may be repeated: outlet, week, month or year (categories), day (days since the first), "
            "paragraph (its place in the article), or a column of --with."
        ),
    ],
    link: Annotated[Link, typer.Option(help="linear explains the share, logistic its log odds.")] = "linear",
    facts: Annotated[
        Path | None,
        typer.Option("--with", help="CSV of facts about articles, with a column article_id or external_id."),
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="Column of numbers that are names of categories; may be repeated.")
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Category of a variable that its others are compared with; else the first in the alphabet.",
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    outlet: Outlets = None,
    dedup: Dedup = False,
    population: Population = None,
    csv: Annotated[Path | None, typer.Option(help="Also write the table as CSV here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a frame by facts about the articles, with labels that the coders' annotations correct.

    The unit is the paragraph. A regression on the decisions of a model is biased, because its errors depend on what is
    written; it is shown beside (Raw, in files "raw_coefficient"). Standard errors are clustered by article.
    """
    from service.cli.commands import bytes_of
    from service.prevalence.facts import read_facts
    from service.prevalence.regression import COLUMNS, Wanted
    from service.prevalence.regression import regression as estimate
    from service.tabular import whole

    selected = _selected([frame], since, until, outlet, dedup, population)
    wanted = Wanted(
        frame,
        on,
        link,
        None if facts is None else read_facts(bytes_of(facts), str(facts)),
        frozenset(category or ()),
        _references(reference or ()),
    )
    with open_database(settings := Settings()) as (database, codebook):
        estimated = estimate(database, _scope(selected, settings, codebook), wanted)
    if csv is not None:
        write_file(csv, whole(COLUMNS, [estimated.rows()], "csv").decode())
    if as_json:
        dates = {name: getattr(estimated, name).isoformat() for name in ("first_day", "last_day", "queried_at")}
        print_json({**asdict(estimated), **dates})
    else:
        _show(estimated)


def _format(file: Path) -> "Format":
    try:
        return _FORMATS[file.suffix.lower()]
    except KeyError:
        raise OutputNameError(f"The name of '{file}' must end in {', '.join(_FORMATS)}.") from None


def _selected(
    frames: Sequence[str] | None,
    since: datetime | None,
    until: datetime | None,
    outlets: Sequence[str] | None,
    dedup: bool,
    articles: Articles | None,
    operating_point: OperatingPoint | None = None,
) -> "Selected":
    from service.prevalence.population import Selected

    first, last = (None if day is None else day.date() for day in (since, until))
    return Selected(frames, first, last, outlets or None, dedup, articles, operating_point)


def _scope(selected: "Selected", settings: Settings, codebook: "Codebook") -> "ScoredPopulation":
    from service.prevalence.population import scored_population
    from training.registry.versions import Registry

    registry = Registry(settings.models_location, settings.trust)
    return scored_population(selected, registry.card(registry.champion().version), codebook, settings)


def _references(assignments: Sequence[str]) -> dict[str, str]:
    references = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise typer.BadParameter(f"'{assignment}' is not of the form NAME=VALUE, as in outlet=Courier")
        references[name] = value
    return references


def _show(estimated: "Regressed") -> None:
    from service.cli import console

    head = ("Term", "Estimate", "Error", "Low", "High", "Raw")
    rows = [[entry.term, *map(_figure, astuple(entry)[1:])] for entry in estimated.coefficients]
    console.show_table(f"{estimated.frame}, {estimated.link}, model {estimated.model_version}", head, rows)
    for sentence in _sentences(estimated):
        typer.echo(sentence)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _sentences(estimated: "Regressed") -> list[str]:
    """What the coefficients are estimated from."""
    sentences = [
        f"{estimated.scored:,} scored paragraphs of {estimated.articles:,} articles, from {estimated.first_day} to "
        f"{estimated.last_day}; {estimated.annotated:,} of them, of {estimated.articles_annotated:,} articles, have "
        "annotations that correct the scores. The variable `day` counts from the first day.",
        "Low and High are the ends of the 95% interval. Raw is what the decisions of the model would give, biased by "
        "its errors.",
    ]
    if estimated.annotations_not_used:
        sentences.append(
            f"{estimated.annotations_not_used:,} drawn and annotated paragraphs are not used, because the model was "
            "trained on them."
        )
    if estimated.articles_left_out:
        sentences.append(f"{estimated.articles_left_out:,} articles are left out: the table has no value for them.")
    if estimated.unscored_articles:
        sentences.append(f"{estimated.unscored_articles:,} stored articles wait to be rescored and do not count yet.")
    return sentences
