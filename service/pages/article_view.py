"""An article with its framing as the pages show it: paragraphs shaded, evidence underlined, pieces set aside."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labels.annotations import Stance
from labels.boilerplate import Reason
from service.schemas.annotations import AnnotationAnswer
from service.schemas.articles import (
    ArticleFrameAnswer,
    Classified,
    EvidenceSpan,
    ParagraphAnswer,
    ParagraphFrame,
    SkippedPiece,
)
from training.registry.card import ModelCard
from training.scoring.operating_points import OPERATING_POINTS, Decision

OTHER = -1
"""Place of a frame that the codebook no longer has."""


@dataclass(frozen=True, slots=True)
class FrameMark:
    """One frame of a paragraph or of the article."""

    key: str
    title: str
    place: int
    score: float
    decision: Decision
    stance: Stance | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text; `place` is the frame that it is evidence for, None for none; `weights` says how much."""

    text: str
    place: int | None
    key: str
    weights: str


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or a piece that was set aside and says why."""

    index: int | None
    start: int
    pieces: Sequence[Piece]
    marks: Sequence[FrameMark]
    reason: Reason | None
    codes: Sequence[AnnotationAnswer] = ()


def blocks(
    article: Classified,
    titles: Mapping[str, str],
    places: Mapping[str, int],
    codes: Mapping[int, Sequence[AnnotationAnswer]],
) -> list[Block]:
    """Paragraphs and pieces set aside, in the order of the article; `codes` by paragraph."""
    kept = [
        _paragraph(paragraph, titles, places, codes.get(paragraph["index"], ())) for paragraph in article.paragraphs
    ]
    return sorted([*kept, *map(_skipped, article.skipped)], key=lambda block: block.start)


def paragraph_marks(
    frames: Mapping[str, ParagraphFrame], titles: Mapping[str, str], places: Mapping[str, int]
) -> list[FrameMark]:
    """The frames of a paragraph, in the order of the codebook."""
    found = {key: (frame["score"], frame["decision"], frame.get("stance")) for key, frame in frames.items()}
    return _marks(found, titles, places)


def marks(
    frames: Mapping[str, ArticleFrameAnswer], titles: Mapping[str, str], places: Mapping[str, int]
) -> list[FrameMark]:
    """The frames of an article, in the order of the codebook."""
    found = {key: (frame.score, frame.decision, _commonest(frame.stances)) for key, frame in frames.items()}
    return _marks(found, titles, places)


def _commonest(stances: Mapping[Stance, float] | None) -> Stance | None:
    return max(stances.items(), key=lambda found: found[1])[0] if stances else None


def _marks(
    frames: Mapping[str, tuple[float, Decision, Stance | None]], titles: Mapping[str, str], places: Mapping[str, int]
) -> list[FrameMark]:
    named = [FrameMark(key, titles.get(key, key), places.get(key, OTHER), *found) for key, found in frames.items()]
    return sorted(named, key=lambda mark: mark.place if mark.place != OTHER else len(places))


def cuts_of(card: ModelCard) -> dict[str, dict[str, tuple[float | None, float]]]:
    """(present from, absent below) of each frame at each operating point, for the page's own switch."""
    return {
        point: {frame: (cut.present_from, cut.absent_below) for frame, cut in card.cuts[point].items()}
        for point in OPERATING_POINTS
    }


def _paragraph(
    paragraph: ParagraphAnswer,
    titles: Mapping[str, str],
    places: Mapping[str, int],
    codes: Sequence[AnnotationAnswer],
) -> Block:
    return Block(
        index=paragraph["index"],
        start=paragraph["start"],
        pieces=_pieces(paragraph, titles, places),
        marks=paragraph_marks(paragraph["frames"], titles, places),
        reason=None,
        codes=codes,
    )


def _skipped(piece: SkippedPiece) -> Block:
    return Block(None, piece["start"], (Piece(piece["text"], None, "", ""),), (), piece["reason"])


def _pieces(paragraph: ParagraphAnswer, titles: Mapping[str, str], places: Mapping[str, int]) -> list[Piece]:
    """The text cut wherever evidence for a frame begins or ends."""
    spans = [
        (key, span)
        for key, frame in paragraph["frames"].items()
        for span in frame.get("evidence", ())
        if span["weight"] > 0 and frame["decision"] != "absent"
    ]
    first = paragraph["start"]
    ends = {first, paragraph["end"], *(s["start"] for _, s in spans), *(s["end"] for _, s in spans)}
    places_in_text = sorted(ends)
    return [
        _piece(
            paragraph["text"][start - first : end - first],
            [(key, span) for key, span in spans if span["start"] <= start and end <= span["end"]],
            titles,
            places,
        )
        for start, end in itertools.pairwise(places_in_text)
    ]


def _piece(
    text: str, spans: Sequence[tuple[str, EvidenceSpan]], titles: Mapping[str, str], places: Mapping[str, int]
) -> Piece:
    if not spans:
        return Piece(text, None, "", "")
    weightiest = sorted(spans, key=lambda found: -found[1]["weight"])
    weights = ", ".join(f"{titles.get(key, key)} +{span['weight']:.2f}" for key, span in weightiest)
    key = weightiest[0][0]
    return Piece(text, places.get(key, OTHER), key, weights)
