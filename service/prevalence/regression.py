"""A regression of a frame on facts about stored articles, with labels that annotations correct."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.prevalence.facts import Facts
from service.prevalence.labels import labelled_paragraphs
from service.prevalence.periods import first_day_of
from service.prevalence.population import ScoredPopulation
from service.store import prevalence, scores
from service.store.sql.database import Database
from service.tabular import Column
from training.errors import RegressionError
from training.estimates.prevalence import CONFIDENCE, FEWEST_ARTICLES, FEWEST_CODED
from training.estimates.regression import Coefficient, Link, Sample, regress

ESTIMATOR = "design-based supervised learning, Hajek weights, sandwich variance clustered by article"
# Variables that every article has; all others are columns of a table.
VARIABLES = ("outlet", "week", "month", "year", "day", "paragraph")
_NUMBERS = frozenset({"day", "paragraph"})
# What a row of the table says: a coefficient, then what it comes from, which is in every row.
COLUMNS = (
    Column("term", "text"),
    *(Column(name, "number") for name in ("coefficient", "standard_error", "low", "high", "raw_coefficient")),
    Column("frame", "text"),
    Column("link", "text"),
    *(Column(name, "whole") for name in ("scored", "annotated", "articles", "articles_annotated", "articles_left_out")),
    Column("annotations_not_used", "whole"),
    Column("unscored_articles", "whole"),
    Column("unit", "text"),
    Column("population", "text"),
    Column("first_day", "day"),
    Column("last_day", "day"),
    Column("model_version", "text"),
    Column("codebook_version", "whole"),
    Column("estimator", "text"),
    Column("confidence", "number"),
    Column("queried_at", "moment"),
)
_NO_OUTLET = "no outlet"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """The regression that is wanted: a frame, the variables that explain it, and how.

    `categories` are columns of numbers that are only names; `references` say with which category of a variable its
    others are compared: the first in the order of the alphabet where they say nothing.
    """

    frame: str
    variables: Sequence[str]
    link: Link
    facts: Facts | None = None
    categories: frozenset[str] = frozenset()
    references: Mapping[str, str] = field(default_factory=dict)

    @property
    def numbers(self) -> frozenset[str]:
        """The variables that are numbers; all others are categories."""
        return _NUMBERS if self.facts is None else _NUMBERS | (self.facts.numeric - self.categories)


@dataclass(frozen=True, slots=True)
class Regressed:
    """The coefficients, and what they are estimated from. The variable `day` counts from `first_day`."""

    frame: str
    link: Link
    coefficients: Sequence[Coefficient]
    scored: int
    annotated: int
    articles: int
    articles_annotated: int
    articles_left_out: int
    annotations_not_used: int
    unscored_articles: int
    unit: str
    population: str
    first_day: date
    last_day: date
    model_version: str
    codebook_version: int
    estimator: str
    confidence: float
    queried_at: datetime

    def rows(self) -> list[tuple[Any, ...]]:
        """Rows of `COLUMNS`, one per coefficient."""
        cells = [{**asdict(self), **asdict(entry)} for entry in self.coefficients]
        return [tuple(row[column.name] for column in COLUMNS) for row in cells]


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """A scored paragraph, the place of its article, and NaN for label and probability where no annotation corrects."""

    place: int
    paragraph: int
    score: float
    is_present: bool
    label: float
    probability: float


def regression(database: Database, scope: ScoredPopulation, wanted: Wanted) -> Regressed:
    """Estimates the regression; raises `RegressionError` with what is missing if it cannot be estimated."""
    _require_variables(wanted)
    queried_at = datetime.now(UTC)
    with database.read() as connection:
        days = prevalence.first_and_last_day(connection, scope.population)
        labelled = labelled_paragraphs(connection, scope.population, scope.card)
        unscored = prevalence.unscored(connection, scope.population)
    if days is None:
        raise RegressionError("No scored article passes these filters.")
    rows = scores.batches(database, scope.population, labelled, queried_at)
    reading = _Reading(wanted, days[0])
    for batch in rows:
        reading.add(batch)
    sample = reading.sample()
    return Regressed(
        frame=wanted.frame,
        link=wanted.link,
        coefficients=regress(sample, wanted.link),
        scored=len(sample.score),
        annotated=int(sample.annotated.sum()),
        articles=len(reading.articles),
        articles_annotated=len(np.unique(sample.article[sample.annotated])),
        articles_left_out=reading.left_out,
        annotations_not_used=sum(
            entry.inclusion_probability is not None and not entry.corrects for entry in labelled.values()
        ),
        unscored_articles=unscored,
        unit="paragraph",
        population=scope.population.articles,
        first_day=days[0],
        last_day=days[1],
        model_version=scope.card.version,
        codebook_version=scope.card.codebook_version,
        estimator=ESTIMATOR,
        confidence=CONFIDENCE,
        queried_at=queried_at,
    )


def _require_variables(wanted: Wanted) -> None:
    columns = tuple(wanted.facts.columns) if wanted.facts else ()
    twice = [name for name in columns if name in VARIABLES]
    if twice:
        raise RegressionError(f"The table has a column '{twice[0]}', which every article has already; rename it.")
    known = (*VARIABLES, *columns)
    for name in (*wanted.variables, *wanted.categories, *wanted.references):
        if name not in known:
            more = "" if wanted.facts else ", and with a table of facts its columns"
            raise RegressionError(f"There is no variable '{name}'; there are {', '.join(known)}{more}.")
        if name not in wanted.variables:
            raise RegressionError(f"'{name}' is not among the variables of the regression.")
    for name in (*wanted.categories, *wanted.references):
        if name in wanted.numbers:
            raise RegressionError(f"'{name}' is a number and has no categories.")
    if len(set(wanted.variables)) < len(wanted.variables):
        raise RegressionError("A variable is named twice.")


class _Reading:
    """Collects paragraphs, and the values of the variables of each of their articles."""

    def __init__(self, wanted: Wanted, first_day: date) -> None:
        self._wanted = wanted
        self._first_day = first_day
        self._places: dict[str, int | None] = {}
        self._paragraphs: list[_Paragraph] = []
        self.articles: list[Mapping[str, str | float]] = []

    @property
    def left_out(self) -> int:
        """Number of articles for which the table of facts lacks a value."""
        return sum(place is None for place in self._places.values())

    def add(self, batch: Sequence[Sequence[Any]]) -> None:
        """Adds rows of `scores.batches`."""
        names = [column.name for column in scores.COLUMNS]
        for cells in batch:
            row = dict(zip(names, cells, strict=True))
            place = self._place(row)
            if place is not None:
                self._paragraphs.append(self._paragraph(place, row))

    def _place(self, row: Mapping[str, Any]) -> int | None:
        identifier = row["article_id"]
        if identifier not in self._places:
            values = _values(row, self._wanted, self._first_day)
            self._places[identifier] = None if values is None else len(self.articles)
            self.articles += [] if values is None else [values]
        return self._places[identifier]

    @staticmethod
    def _paragraph(place: int, row: Mapping[str, Any]) -> _Paragraph:
        label, probability = (row["label"], row["inclusion_probability"]) if row["corrects"] else (np.nan, np.nan)
        is_present = row["decision"] == "present"
        return _Paragraph(place, row["paragraph"], row["left_out_score"], is_present, label, probability)

    def sample(self) -> Sample:
        """All of it as arrays; raises `RegressionError` if a category has too few annotations."""
        if not self.articles:
            raise RegressionError("No stored article has a row in the table with a value for each variable.")
        of_each = self._paragraphs
        place = np.array([paragraph.place for paragraph in of_each], dtype=np.int64)
        columns = {"intercept": np.ones(len(of_each))}
        categories = {"all paragraphs": columns["intercept"]}
        for name in self._wanted.variables:
            if name == "paragraph":
                columns[name] = np.array([paragraph.paragraph for paragraph in of_each], dtype=float)
                continue
            values = np.array([article[name] for article in self.articles])
            if name in self._wanted.numbers:
                columns[name] = values[place]
                continue
            of_name = {str(value): (values == value)[place].astype(float) for value in np.unique(values)}
            reference = _reference(name, tuple(of_name), self._wanted.references)
            categories |= {f"{name}: {value}": here for value, here in of_name.items()}
            columns |= {f"{name}: {value}": here for value, here in of_name.items() if value != reference}
        sample = Sample(
            terms=tuple(columns),
            design=np.column_stack(list(columns.values())),
            score=np.array([paragraph.score for paragraph in of_each]),
            decision=np.array([paragraph.is_present for paragraph in of_each], dtype=float),
            label=np.array([paragraph.label for paragraph in of_each]),
            probability=np.array([paragraph.probability for paragraph in of_each]),
            article=place,
        )
        _require_annotations(categories, sample)
        return sample


def _values(row: Mapping[str, Any], wanted: Wanted, first_day: date) -> Mapping[str, str | float] | None:
    """The values of the variables for an article; None if the table of facts lacks one of them."""
    day: date = row["day"]
    values: dict[str, str | float] = {
        "outlet": row["outlet"] or _NO_OUTLET,
        "week": first_day_of(day, "week").isoformat(),
        "month": f"{day:%Y-%m}",
        "year": f"{day:%Y}",
        "day": float((day - first_day).days),
    }
    if wanted.facts is None:
        return values
    facts = wanted.facts.of(row)
    for name in set(wanted.variables) - set(VARIABLES):
        if not facts.get(name):
            return None
        values[name] = float(facts[name]) if name in wanted.numbers else facts[name]
    return values


def _reference(name: str, values: Sequence[str], references: Mapping[str, str]) -> str:
    reference = references.get(name, min(values))
    if reference not in values:
        more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        raise RegressionError(
            f"No article has '{reference}' as its {name}; there are {', '.join(values[:_SHOWN])}{more}."
        )
    return reference


def _require_annotations(categories: Mapping[str, NDArray[np.float64]], sample: Sample) -> None:
    """Raises `RegressionError` with the categories whose error has too few annotations to be estimated."""
    lacking = []
    for name, here in categories.items():
        places = sample.article[(here > 0) & sample.annotated]
        articles = len(np.unique(places))
        if len(places) < FEWEST_CODED or articles < FEWEST_ARTICLES:
            lacking.append(f"{name} has {len(places)} from {articles} articles")
    if lacking:
        more = f"; and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        raise RegressionError(
            f"A category needs {FEWEST_CODED} annotations of drawn paragraphs from {FEWEST_ARTICLES} articles before "
            f"its errors can be corrected: {'; '.join(lacking[:_SHOWN])}{more}. Code more of the queue, choose wider "
            "categories (month for week, day for month), or leave articles out."
        )
