"""What a promotion would change: champion and another version decide on the newest stored paragraphs, side by side."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from labels.paragraphs import Paragraph
from service.errors import SameModelError
from service.schemas.changes import ChangedParagraph, ChangesAnswer, DecisionChange, FrameChange
from service.store.article_lookup import Heading, newest_before, splits
from service.store.sql.database import Database
from training.encoder.stopping import require_wanted
from training.reports.label_diff import FrameChanges, LabelDiff
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import Decision, OperatingPoint

# An answer takes a turn to score, for which other requests wait: after this time it says where to continue.
_SECONDS = 4.0
_BATCH = 10
# On a core, an encoder takes some ten seconds for an article of this many paragraphs.
_LONGEST_FOR_ENCODERS = 200


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much to compare: whole articles older than number `before`, until they have `paragraphs` paragraphs."""

    paragraphs: int
    before: int | None
    operating_point: OperatingPoint
    examples: int


def compare(database: Database, champion: FrameModel, version: FrameModel, wanted: Comparison) -> ChangesAnswer:
    """Compares two models until enough paragraphs were compared or the time is up; raises `SameModelError`."""
    if version.card.version == champion.card.version:
        raise SameModelError(version.card.version)
    diff = LabelDiff(champion, version, wanted.operating_point, wanted.examples)
    reads_context = bool(champion.card.encoder or version.card.encoder)
    deadline = time.monotonic() + _SECONDS
    articles = left_out = 0
    last = following = None
    for heading, paragraphs in _newest_articles(database, wanted.before):
        # At least an article, so that whoever continues comes to an end.
        if last is not None and (diff.paragraphs >= wanted.paragraphs or time.monotonic() > deadline):
            following = last
            break
        last = heading.number
        require_wanted()
        if reads_context and len(paragraphs) > _LONGEST_FOR_ENCODERS:
            left_out += 1
        elif paragraphs:
            places = [_place(heading, paragraph) for paragraph in paragraphs]
            diff.add(places, [paragraph.text for paragraph in paragraphs])
            articles += 1
    old, new = champion.card.frames, version.card.frames
    return ChangesAnswer(
        champion=champion.card.version,
        version=version.card.version,
        operating_point=wanted.operating_point,
        articles=articles,
        paragraphs=diff.paragraphs,
        changed_paragraphs=diff.changed_paragraphs,
        left_out=left_out,
        frames=[_frame_change(frame, changes) for frame, changes in diff.changes.items()],
        only_champion=[frame for frame in old if frame not in new],
        only_version=[frame for frame in new if frame not in old],
        next=None if following is None else str(following),
    )


def _newest_articles(database: Database, before: int | None) -> Iterator[tuple[Heading, tuple[Paragraph, ...]]]:
    """The articles older than a number, newest first, with their paragraphs; no connection stays open meanwhile."""
    while True:
        with database.read() as connection:
            headings = newest_before(connection, before, _BATCH)
            texts = splits(connection, [heading.id for heading in headings])
        for heading in headings:
            # An article may have been deleted between the two queries.
            yield heading, texts[heading.id].paragraphs if heading.id in texts else ()
        if len(headings) < _BATCH:
            return
        before = headings[-1].number


def _place(heading: Heading, paragraph: Paragraph) -> dict[str, object]:
    return {
        "article_id": heading.id,
        "title": heading.title,
        "outlet": heading.outlet,
        "published_at": heading.published_at,
        "paragraph": paragraph.index,
    }


def _frame_change(frame: str, changes: FrameChanges) -> FrameChange:
    counts = sorted(changes.counts.items(), key=lambda item: -item[1])
    return FrameChange(
        frame=frame,
        present_before=changes.present_before,
        present_after=changes.present_after,
        changes=[
            DecisionChange(before=before, after=after, paragraphs=count)
            for change, count in counts
            for before, after in (_decisions(change),)
        ],
        examples=[_example(example) for example in changes.examples],
    )


def _example(example: dict[str, Any]) -> ChangedParagraph:
    before, after = _decisions(example["change"])
    place = {name: value for name, value in example.items() if name not in ("change", "challenger_score")}
    return ChangedParagraph(**place, before=before, after=after, version_score=example["challenger_score"])


def _decisions(change: str) -> tuple[Decision, Decision]:
    before, _, after = change.partition(" -> ")
    return cast(Decision, before), cast(Decision, after)
