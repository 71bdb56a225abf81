"""An article with its framing, ready for the templates: shaded paragraphs, underlined evidence, skipped pieces."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labels.annotations import Stance
from labels.boilerplate import SkipReason
from labels.codebook import OTHER
from service.schemas.annotations import AnnotationAnswer
from service.schemas.articles import (
    ArticleFrameAnswer,
    ArticleSummary,
    Classified,
    ParagraphAnswer,
    ParagraphFrame,
    SkippedPiece,
)
from training.model_card import ModelCard
from training.scoring.operating_points import OPERATING_POINTS, Cut, Decision

# The place of a frame that the codebook no longer has.
_NO_PLACE = -1
# No score reaches it.
_ABOVE_ALL = 2.0


@dataclass(frozen=True, slots=True)
class FrameNames:
    """Titles of frames, and their places in the codebook, by which style sheets know their colours; both by key."""

    titles: Mapping[str, str]
    places: Mapping[str, int]

    def title(self, key: str) -> str:
        """The title of a frame; its key if the title is not known."""
        return self.titles.get(key, key)

    def place(self, key: str) -> int:
        """The place of a frame in the codebook, or -1."""
        return self.places.get(key, _NO_PLACE)


@dataclass(frozen=True, slots=True)
class FrameMark:
    """A frame of a paragraph or of the article: its score, the decision and the likeliest stance."""

    key: str
    title: str
    place: int
    score: float
    decision: Decision
    stance: Stance | None


@dataclass(frozen=True, slots=True)
class TextRun:
    """A run of text. `key` and `place` name the frame for which it is the strongest evidence; `place` may be None.

    `weights` lists every frame for which it is evidence, with the weight in log-odds.
    """

    text: str
    place: int | None
    key: str
    weights: str


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or a piece that was skipped for a `reason`."""

    index: int | None
    start: int
    text_runs: Sequence[TextRun]
    marks: Sequence[FrameMark]
    reason: SkipReason | None
    annotations: Sequence[AnnotationAnswer] = ()


def blocks(
    article: Classified, names: FrameNames, annotations: Mapping[int, Sequence[AnnotationAnswer]]
) -> list[Block]:
    """The paragraphs and the skipped pieces, in the order of the article; `annotations` are by paragraph index."""
    paragraphs = [
        _paragraph_block(paragraph, names, annotations.get(paragraph["index"], ())) for paragraph in article.paragraphs
    ]
    skipped = [_skipped_block(piece) for piece in article.skipped]
    return sorted([*paragraphs, *skipped], key=lambda block: block.start)


def marks(frames: Mapping[str, ArticleFrameAnswer], names: FrameNames) -> list[FrameMark]:
    """The frames of an article, in the order of the codebook."""
    return _in_codebook_order(
        [
            FrameMark(
                key, names.title(key), names.place(key), frame.score, frame.decision, _commonest_stance(frame.stances)
            )
            for key, frame in frames.items()
        ]
    )


# The scores from which a frame is present and below which it is absent, by frame.
Limits = dict[str, tuple[float | None, float]]


def thresholds_of(card: ModelCard, article: ArticleSummary) -> dict[str, dict[str, Limits]]:
    """The limits of `paragraphs` and of the `article`, by operating point.

    With them the page recomputes the decisions when its reader chooses another operating point. An article about
    something else carries no frame, whatever its scores. Those of the article are missing for a model that decides on
    it by its paragraphs.
    """
    if article.about == OTHER:
        nothing: Limits = dict.fromkeys(card.frames, (None, _ABOVE_ALL))
        return {point: {"paragraphs": nothing, "article": nothing} for point in OPERATING_POINTS}
    limits: dict[str, dict[str, Limits]] = {}
    for point in OPERATING_POINTS:
        limits[point] = {"paragraphs": {frame: _limits(cut) for frame, cut in card.cuts[point].items()}}
        if card.article is not None:
            limits[point]["article"] = dict.fromkeys(card.frames, _limits(card.article.cuts[point]))
    return limits


def _limits(cut: Cut) -> tuple[float | None, float]:
    return cut.present_from, cut.absent_below


def _paragraph_block(paragraph: ParagraphAnswer, names: FrameNames, annotations: Sequence[AnnotationAnswer]) -> Block:
    return Block(
        index=paragraph["index"],
        start=paragraph["start"],
        text_runs=_text_runs(paragraph, names),
        marks=_paragraph_marks(paragraph["frames"], names),
        reason=None,
        annotations=annotations,
    )


def _skipped_block(piece: SkippedPiece) -> Block:
    return Block(None, piece["start"], (TextRun(piece["text"], None, "", ""),), (), piece["reason"])


def _paragraph_marks(frames: Mapping[str, ParagraphFrame], names: FrameNames) -> list[FrameMark]:
    return _in_codebook_order(
        [
            FrameMark(key, names.title(key), names.place(key), frame["score"], frame["decision"], frame.get("stance"))
            for key, frame in frames.items()
        ]
    )


def _in_codebook_order(frame_marks: Sequence[FrameMark]) -> list[FrameMark]:
    """Frames that the codebook no longer has come last."""
    return sorted(frame_marks, key=lambda mark: (mark.place == _NO_PLACE, mark.place))


def _commonest_stance(stances: Mapping[Stance, float] | None) -> Stance | None:
    return max(stances.items(), key=lambda share: share[1])[0] if stances else None


def _text_runs(paragraph: ParagraphAnswer, names: FrameNames) -> list[TextRun]:
    """The text, cut wherever evidence for a frame begins or ends."""
    spans = [
        (key, place["start"], place["end"], span["weight"])
        for key, frame in paragraph["frames"].items()
        for span in frame.get("evidence", ())
        if span["weight"] > 0 and frame["decision"] != "absent"
        for place in (span, *span.get("repeats", ()))
    ]
    first = paragraph["start"]
    edges = {first, paragraph["end"]}
    edges |= {edge for _, begin, stop, _ in spans for edge in (begin, stop)}
    return [
        _text_run(
            paragraph["text"][start - first : end - first],
            [(key, weight) for key, begin, stop, weight in spans if begin <= start and end <= stop],
            names,
        )
        for start, end in itertools.pairwise(sorted(edges))
    ]


def _text_run(text: str, moved: Sequence[tuple[str, float]], names: FrameNames) -> TextRun:
    """A piece of the text with the frames that it is evidence for, and its weights."""
    if not moved:
        return TextRun(text, None, "", "")
    by_weight = sorted(moved, key=lambda key_and_weight: -key_and_weight[1])
    weights = ", ".join(f"{names.title(key)} +{weight:.2f}" for key, weight in by_weight)
    strongest = by_weight[0][0]
    return TextRun(text, names.place(strongest), strongest, weights)
