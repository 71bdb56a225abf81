"""From records to rows: a row per paragraph with its scores and decisions, or a row that says what is wrong."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labels.errors import FramingError
from labels.paragraphs import SplitArticle
from labels.reading.imprint import NO_IMPRINT, Imprint
from service.articles.reading import language_of, split_article
from service.bulk.records import FACTS, Record
from service.bulk.requests import as_sent, is_empty, request_of
from service.schemas.articles import ArticleRequest
from service.settings import Settings
from service.tabular import Column
from training.scoring.article_score import scores_of_articles
from training.scoring.classification import about_of, any_paragraph, cuts_at, decide
from training.scoring.frame_model import FrameModel, Scored
from training.scoring.operating_points import OperatingPoint
from training.scoring.subject import About

_ARTICLES_AT_ONCE = 64
# Problems of which the summary tells; all are in the files.
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Options:
    """How the articles of a job are scored."""

    operating_point: OperatingPoint = "balanced"
    force_language: str | None = None
    with_text: bool = False


@dataclass(slots=True)
class Count:
    """Numbers of articles and paragraphs that were scored, and of articles that could not be scored.

    `examples` are the first problems; `encodings` counts the articles by the encoding of their file.
    """

    articles: int = 0
    paragraphs: int = 0
    problems: int = 0
    examples: list[str] = field(default_factory=list)
    encodings: Counter[str] = field(default_factory=Counter)


def columns_of(frames: Sequence[str], stances: Sequence[str], options: Options) -> list[Column]:
    """The columns of the output. `record` numbers the article within its source, from 1; offsets are code points."""
    columns = [
        Column("source", "text"),
        Column("record", "whole"),
        *(Column(fact, "text") for fact in FACTS),
        Column("language", "text"),
        Column("paragraph", "whole"),
        Column("start", "whole"),
        Column("end", "whole"),
    ]
    if options.with_text:
        columns.append(Column("text", "text"))
    for frame in frames:
        columns += [Column(f"{frame}_score", "number"), Column(f"{frame}_decision", "text")]
        columns += [Column(f"{frame}_{stance}", "number") for stance in stances]
    columns += [Column("about", "text"), Column("about_score", "number")]
    for frame in frames:
        columns += [Column(f"article_{frame}_score", "number"), Column(f"article_{frame}_decision", "text")]
    return [*columns, Column("model_version", "text"), Column("problem", "text")]


def rows_of(
    records: Iterable[Record], model: FrameModel, settings: Settings, options: Options, count: Count
) -> Iterator[list[tuple[Any, ...]]]:
    """Batches of rows, in the order of the records; adds to `count`."""
    waiting = iter(records)
    while batch := list(islice(waiting, _ARTICLES_AT_ONCE)):
        yield _rows(batch, model, settings, options, count)


def _rows(
    records: Sequence[Record], model: FrameModel, settings: Settings, options: Options, count: Count
) -> list[tuple[Any, ...]]:
    heads: list[tuple[Any, ...]] = []
    texts: list[str] = []
    sizes: list[int] = []
    failed: dict[int, tuple[Any, ...]] = {}
    for record in records:
        about = (record.source, record.number, *_facts(record.fields))
        try:
            language, article = read(record, model, settings, options)
        except FramingError as error:
            failed[len(heads)] = (*about, None, None, None, None), str(error)
            if len(count.examples) < EXAMPLES:
                count.examples.append(f"{record.name}: {error}")
            heads.append(())
            continue
        count.articles += 1
        if record.encoding is not None:
            count.encodings[record.encoding] += 1
        about = (record.source, record.number, *_facts(record.fields, article.imprint))
        sizes.append(len(article.paragraphs))
        for paragraph in article.paragraphs:
            heads.append((*about, language, paragraph.index, paragraph.start, paragraph.end))
            texts.append(paragraph.text)
    count.paragraphs += len(texts)
    count.problems += len(failed)
    score_cells = iter(_score_cells(texts, sizes, model, options))
    # Score and decision of the paragraph, each stance, and score and decision of the article.
    each = 4 + len(model.card.stances)
    version, nothing = model.card.version, (None,) * (each * len(model.card.frames) + options.with_text + 2)
    rows = []
    for place, head in enumerate(heads):
        if place in failed:
            known, problem = failed[place]
            rows.append((*known, *nothing, version, problem))
        else:
            rows.append((*head, *next(score_cells), version, None))
    return rows


def read(record: Record, model: FrameModel, settings: Settings, options: Options) -> tuple[str, SplitArticle]:
    """The language of a record and its article; raises `FramingError` if it cannot be scored."""
    request = scored_request(record, options)
    article = split_article(request, settings)
    return language_of(article, request, model), article


def scored_request(record: Record, options: Options) -> ArticleRequest:
    """The request to score a record; raises `RecordError`."""
    request = request_of(record, operating_point=options.operating_point)
    if options.force_language:
        request = request.model_copy(update={"force_language": options.force_language})
    return request


def _facts(fields: Any, imprint: Imprint = NO_IMPRINT) -> tuple[str | None, ...]:
    """The facts of an article in the order of `FACTS`, as they are sent; what is missing as the article has it."""
    given = fields if isinstance(fields, Mapping) else {}
    known = {fact: None if is_empty(given.get(fact)) else as_sent(fact, given[fact]) for fact in FACTS}
    own = {fact: getattr(imprint, fact, None) for fact in FACTS}
    return tuple(_as_text(own[fact] if known.get(fact) is None else known[fact]) for fact in FACTS)


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _score_cells(
    texts: Sequence[str], sizes: Sequence[int], model: FrameModel, options: Options
) -> Iterable[tuple[Any, ...]]:
    """The cells of scores, decisions and stances of each paragraph, after its text if the options include it.

    Then come what its article is about, and the scores and decisions of the article; `sizes` are the numbers of
    paragraphs of the articles.
    """
    if not texts:
        return ()
    scored = model.score_with_stances(texts)
    about = _about(model, scored, texts, sizes)
    off_topic = np.array([article is not None and article.other for article in about])
    cells: list[Sequence[Any]] = [texts] if options.with_text else []
    for k, frame in enumerate(model.frames):
        decisions = np.array(decide(scored.frames[:, k], model.card.cuts[options.operating_point][frame]))
        decisions[off_topic] = "absent"
        cells += [scored.frames[:, k].tolist(), decisions.tolist()]
        absent = decisions == "absent"
        stances = scored.stances[:, k].astype(object)
        stances[absent] = None
        cells += stances.T.tolist()
    cells.append([article and article.name for article in about])
    cells.append([article and article.score for article in about])
    cells += _article_cells(model, scored, [size for size in sizes if size], off_topic, options)
    return zip(*cells, strict=True)


def _article_cells(
    model: FrameModel, scored: Scored, sizes: Sequence[int], off_topic: NDArray[np.bool_], options: Options
) -> Iterator[list[Any]]:
    """Yields the columns of scores and decisions of articles, each repeated for its paragraphs."""
    begins = np.cumsum([0, *sizes[:-1]])
    facts, cuts = model.card.article, cuts_at(model, options.operating_point, {})
    of_articles = scores_of_articles(facts, scored.frames, begins)
    for k, frame in enumerate(model.frames):
        if cuts.article is None:
            of_paragraphs = decide(scored.frames[:, k], cuts.paragraphs[frame])
            own = [of_paragraphs[begin : begin + size] for begin, size in zip(begins, sizes, strict=True)]
            decisions = np.array([any_paragraph(decided) for decided in own])
        else:
            decisions = np.array(decide(of_articles[:, k], cuts.article[frame]))
        decisions[off_topic[begins]] = "absent"
        yield np.repeat(of_articles[:, k], sizes).tolist()
        yield np.repeat(decisions, sizes).tolist()


def _about(model: FrameModel, scored: Scored, texts: Sequence[str], sizes: Sequence[int]) -> list[About | None]:
    """What the article of each paragraph is about."""
    about: list[About | None] = []
    for size in filter(None, sizes):
        own = slice(len(about), len(about) + size)
        subject = None if scored.subject is None else scored.subject[own]
        about += [about_of(model, Scored(scored.frames[own], scored.stances[own], subject), texts[own])] * size
    return about
