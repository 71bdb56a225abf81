"""Stored articles: adding, finding, listing, deleting."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, func, insert, or_, select, update

from labels.duplicates import ArticleSketch
from labels.paragraphs import Paragraph, Skipped, SplitArticle
from service.store import daily, stories
from service.store.decisions import article_frame, frame_decision, stance_columns
from service.store.tables import article_scores, articles, paragraph_scores, paragraphs, scorings, skipped
from training.classification import ArticleFrame, Classification, FrameDecision
from training.operating_points import Decision, OperatingPoint


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a submitter says of an article. `content_sha256` identifies its outlet and text."""

    title: str | None = None
    url: str | None = None
    outlet: str | None = None
    author: str | None = None
    published_at: datetime | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Scoring:
    """One model's reading of an article."""

    model_version: str
    codebook_version: int
    operating_point: OperatingPoint
    classification: Classification


@dataclass(frozen=True, slots=True)
class StoredArticle:
    """An article with its newest scoring."""

    id: str
    created_at: datetime
    metadata: Metadata
    language: str
    split: SplitArticle
    scoring: Scoring


@dataclass(frozen=True, slots=True)
class ListedArticle:
    """An article in a list: its facts and the frames of the whole."""

    id: str
    created_at: datetime
    metadata: Metadata
    language: str
    model_version: str
    codebook_version: int
    frames: Mapping[str, ArticleFrame]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place after an article in the order newest first."""

    dated_at: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Filters:
    """Which articles to list; `until` is exclusive, `frame` means articles with `decision` on it."""

    outlet: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    frame: str | None = None
    decision: Decision | None = None
    words: str | None = None


def content_digest(outlet: str | None, split: SplitArticle) -> str:
    """Identifies an article by outlet and text: the same wire copy in two outlets is two articles."""
    return hashlib.sha256(f"{outlet or ''}\0{split.text.strip()}".encode()).hexdigest()


def find_same(connection: Connection, metadata: Metadata, digest: str) -> str | None:
    """The id of an article with the same external id, address or content, looked for in this order."""
    for column, value in (
        (articles.c.external_id, metadata.external_id),
        (articles.c.url, metadata.url),
        (articles.c.content_sha256, digest),
    ):
        if value is not None:
            found = connection.scalar(select(articles.c.id).where(column == value))
            if found is not None:
                return str(found)
    return None


def add(
    connection: Connection,
    metadata: Metadata,
    language: str,
    split: SplitArticle,
    scoring: Scoring,
    sketch: ArticleSketch,
) -> StoredArticle:
    """Stores an article, its paragraphs and its scores; raises SQLAlchemy's IntegrityError if it is there already."""
    now = datetime.now(UTC)
    story = stories.first_copy_of(connection, sketch)
    identifier = uuid.uuid4().hex
    number = connection.execute(
        insert(articles).returning(articles.c.number),
        {
            "id": identifier,
            "content_sha256": content_digest(metadata.outlet, split),
            "created_at": now,
            "dated_at": metadata.published_at or now,
            "language": language,
            "text": split.text,
            "title": metadata.title,
            "url": metadata.url,
            "outlet": metadata.outlet,
            "author": metadata.author,
            "published_at": metadata.published_at,
            "external_id": metadata.external_id,
            "story": story or 0,
        },
    ).scalar_one()
    if story is None:
        connection.execute(update(articles).where(articles.c.number == number).values(story=number))
    stories.remember(connection, number, sketch, first=story is None)
    connection.execute(
        insert(paragraphs),
        [
            {"article_number": number, "paragraph": p.index, "start_offset": p.start, "end_offset": p.end}
            for p in split.paragraphs
        ],
    )
    if split.skipped:
        connection.execute(
            insert(skipped),
            [
                {"article_number": number, "start_offset": s.start, "end_offset": s.end, "reason": s.reason}
                for s in split.skipped
            ],
        )
    day = (metadata.published_at or now).astimezone(UTC).date()
    place = daily.Place(scoring.model_version, day, metadata.outlet or "", story is None)
    _add_scoring(connection, number, split, scoring, now, place)
    return StoredArticle(identifier, now, metadata, language, split, scoring)


def _add_scoring(
    connection: Connection, number: int, split: SplitArticle, scoring: Scoring, now: datetime, place: daily.Place
) -> None:
    scoring_number = connection.execute(
        insert(scorings).returning(scorings.c.number),
        {
            "article_number": number,
            "model_version": scoring.model_version,
            "codebook_version": scoring.codebook_version,
            "operating_point": scoring.operating_point,
            "scored_at": now,
            "paragraphs": len(split.paragraphs),
        },
    ).scalar_one()
    connection.execute(
        insert(paragraph_scores),
        [
            {
                "scoring_number": scoring_number,
                "paragraph": paragraph.index,
                "frame": frame,
                "score": found.score,
                "decision": found.decision,
                **stance_columns(found.stances),
            }
            for paragraph, frames in zip(split.paragraphs, scoring.classification.paragraphs, strict=True)
            for frame, found in frames.items()
        ],
    )
    connection.execute(
        insert(article_scores),
        [
            {
                "scoring_number": scoring_number,
                "frame": frame,
                "score": found.score,
                "decision": found.decision,
                "share": found.share,
                "paragraphs": found.paragraphs,
                "uncertain": found.uncertain,
                "mean_score": found.mean_score,
                **stance_columns(found.stances),
            }
            for frame, found in scoring.classification.article.items()
        ],
    )
    found = scoring.classification
    together = [[f for f, one in frames.items() if one.decision == "present"] for frames in found.paragraphs]
    daily.count_scoring(connection, place, len(split.paragraphs), found.article, together)


def get(connection: Connection, identifier: str, model_version: str | None = None) -> StoredArticle | None:
    """The article of that id as `model_version` scored it, else as it was scored last; None where there is none."""
    row = connection.execute(
        select(articles, scorings.c.number.label("scoring_number"), *_SCORING)
        .select_from(articles)
        .join(scorings, scorings.c.number == _shown_scoring(model_version))
        .where(articles.c.id == identifier)
    ).first()
    if row is None:
        return None
    split = _split(connection, row)
    classification = Classification(
        paragraphs=_paragraph_frames(connection, row.scoring_number, split),
        article=_article_frames(connection, [row.scoring_number])[row.scoring_number],
    )
    return StoredArticle(
        id=row.id,
        created_at=row.created_at,
        metadata=_metadata(row),
        language=row.language,
        split=split,
        scoring=Scoring(row.model_version, row.codebook_version, row.operating_point, classification),
    )


@dataclass(frozen=True, slots=True)
class PendingArticle:
    """An article that a model has not scored yet."""

    number: int
    operating_point: OperatingPoint
    split: SplitArticle


def not_scored_by(connection: Connection, model_version: str, limit: int) -> list[PendingArticle]:
    """Up to `limit` articles without a scoring by the model, newest first."""
    by_model = scorings.alias("by_model")
    scored = (
        select(by_model.c.number)
        .where(by_model.c.article_number == articles.c.number, by_model.c.model_version == model_version)
        .correlate(articles)
    )
    query = (
        select(articles.c.number, articles.c.text, scorings.c.operating_point)
        .select_from(articles)
        .join(scorings, scorings.c.number == _shown_scoring(None))
        .where(~scored.exists())
        .order_by(articles.c.number.desc())
        .limit(limit)
    )
    rows = connection.execute(query).all()
    return [PendingArticle(row.number, row.operating_point, _split(connection, row)) for row in rows]


def count_scored(connection: Connection, model_version: str) -> tuple[int, int]:
    """How many articles the model has scored, and how many there are."""
    done = select(func.count()).select_from(scorings).where(scorings.c.model_version == model_version)
    return connection.scalar(done) or 0, connection.scalar(select(func.count()).select_from(articles)) or 0


def add_scoring(connection: Connection, pending: PendingArticle, scoring: Scoring) -> None:
    """Adds a model's scoring to an article, unless it was deleted or scored by that model meanwhile."""
    there = connection.execute(
        select(articles.c.dated_at, articles.c.outlet, articles.c.story).where(articles.c.number == pending.number)
    ).first()
    scored = connection.scalar(
        select(scorings.c.number).where(
            scorings.c.article_number == pending.number, scorings.c.model_version == scoring.model_version
        )
    )
    if there is not None and scored is None:
        first_copy = there.story == pending.number
        place = daily.Place(scoring.model_version, there.dated_at.date(), there.outlet or "", first_copy)
        _add_scoring(connection, pending.number, pending.split, scoring, datetime.now(UTC), place)


def newest_ids(connection: Connection, limit: int) -> list[str]:
    return list(connection.scalars(select(articles.c.id).order_by(articles.c.number.desc()).limit(limit)))


def splits(connection: Connection, identifiers: Sequence[str]) -> dict[str, SplitArticle]:
    """Text and paragraphs of articles, by id; those deleted meanwhile are left out."""
    query = select(articles.c.number, articles.c.id, articles.c.text).where(articles.c.id.in_(identifiers))
    return {row.id: _split(connection, row) for row in connection.execute(query).all()}


def remove(connection: Connection, identifier: str) -> bool:
    """Deletes an article with everything that belongs to it; False where there is none."""
    number = connection.scalar(select(articles.c.number).where(articles.c.id == identifier))
    if number is None:
        return False
    daily.count(connection, number, sign=-1)
    stories.hand_over(connection, number)
    connection.execute(delete(articles).where(articles.c.number == number))
    return True


def listing(
    connection: Connection, filters: Filters, after: Cursor | None, limit: int, model_version: str | None = None
) -> tuple[list[ListedArticle], Cursor | None]:
    """Up to `limit` articles, newest first, and the cursor of the next page or None."""
    query = (
        select(articles, scorings.c.number.label("scoring_number"), *_SCORING)
        .select_from(articles)
        .join(scorings, scorings.c.number == _shown_scoring(model_version))
        .where(*_conditions(filters))
        .order_by(articles.c.dated_at.desc(), articles.c.number.desc())
        .limit(limit + 1)
    )
    rows = connection.execute(_after(query, after)).all()
    page, more = rows[:limit], len(rows) > limit
    frames = _article_frames(connection, [row.scoring_number for row in page])
    listed = [
        ListedArticle(
            id=row.id,
            created_at=row.created_at,
            metadata=_metadata(row),
            language=row.language,
            model_version=row.model_version,
            codebook_version=row.codebook_version,
            frames=frames[row.scoring_number],
        )
        for row in page
    ]
    return listed, Cursor(page[-1].dated_at, page[-1].number) if more else None


_SCORING = (scorings.c.model_version, scorings.c.codebook_version, scorings.c.operating_point)


def _shown_scoring(model_version: str | None) -> ColumnElement[int]:
    """The scoring by `model_version` where there is one, else the newest."""
    candidates = scorings.alias("candidates")
    return (
        select(candidates.c.number)
        .where(candidates.c.article_number == articles.c.number)
        .order_by((candidates.c.model_version == model_version).desc(), candidates.c.number.desc())
        .limit(1)
        .correlate(articles)
        .scalar_subquery()
    )


def _after(query: Select[Any], after: Cursor | None) -> Select[Any]:
    if after is None:
        return query
    return query.where(
        or_(
            articles.c.dated_at < after.dated_at,
            and_(articles.c.dated_at == after.dated_at, articles.c.number < after.number),
        )
    )


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.outlet is not None:
        conditions.append(articles.c.outlet == filters.outlet)
    if filters.since is not None:
        conditions.append(articles.c.dated_at >= filters.since)
    if filters.until is not None:
        conditions.append(articles.c.dated_at < filters.until)
    conditions += [
        or_(articles.c.text.icontains(word, autoescape=True), articles.c.title.icontains(word, autoescape=True))
        for word in (filters.words or "").split()
    ]
    if filters.frame is not None or filters.decision is not None:
        conditions.append(_decided(filters.frame, filters.decision or "present"))
    return conditions


def _decided(frame: str | None, decision: Decision) -> ColumnElement[bool]:
    """Articles whose newest scoring has the decision on the frame, or on any frame."""
    query = select(article_scores.c.frame).where(
        article_scores.c.scoring_number == scorings.c.number, article_scores.c.decision == decision
    )
    if frame is not None:
        query = query.where(article_scores.c.frame == frame)
    return query.correlate(scorings).exists()


def _metadata(row: Row[Any]) -> Metadata:
    return Metadata(row.title, row.url, row.outlet, row.author, row.published_at, row.external_id)


def _split(connection: Connection, row: Any) -> SplitArticle:
    kept = connection.execute(
        select(paragraphs).where(paragraphs.c.article_number == row.number).order_by(paragraphs.c.paragraph)
    )
    aside = connection.execute(
        select(skipped).where(skipped.c.article_number == row.number).order_by(skipped.c.start_offset)
    )
    return SplitArticle(
        text=row.text,
        paragraphs=tuple(
            Paragraph(p.paragraph, p.start_offset, p.end_offset, row.text[p.start_offset : p.end_offset]) for p in kept
        ),
        skipped=tuple(
            Skipped(s.start_offset, s.end_offset, row.text[s.start_offset : s.end_offset], s.reason) for s in aside
        ),
    )


def _paragraph_frames(
    connection: Connection, scoring_number: int, split: SplitArticle
) -> tuple[Mapping[str, FrameDecision], ...]:
    found: dict[int, dict[str, FrameDecision]] = {paragraph.index: {} for paragraph in split.paragraphs}
    for row in connection.execute(select(paragraph_scores).where(paragraph_scores.c.scoring_number == scoring_number)):
        found[row.paragraph][row.frame] = frame_decision(row)
    return tuple(found.values())


def _article_frames(connection: Connection, scoring_numbers: Sequence[int]) -> dict[int, dict[str, ArticleFrame]]:
    found: dict[int, dict[str, ArticleFrame]] = {number: {} for number in scoring_numbers}
    for row in connection.execute(select(article_scores).where(article_scores.c.scoring_number.in_(scoring_numbers))):
        found[row.scoring_number][row.frame] = article_frame(row)
    return found
