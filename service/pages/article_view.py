"""An article with its framing, ready for the templates: shaded paragraphs, underlined evidence, skipped pieces.

Readers choose another operating point on the page, which then decides again by itself. So a paragraph brings with it
what any operating point may show: stances and evidence of every frame that some point does not call absent.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
from training.encoder.function_words import FUNCTION_WORDS
from training.scoring.classification import cuts_at, likeliest
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import OPERATING_POINTS, Cut, Decision

# The place of a frame that the codebook no longer has.
_NO_PLACE = -1
# For scripts, which draw these words of the evidence faintly.
SHOWN_FAINTLY = tuple(sorted(FUNCTION_WORDS))
# No score is present or uncertain.
_NOTHING = (None, 2.0)


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
    """A run of text, with its weight in log-odds for every frame for which it is evidence, the largest first.

    It has the colour of the `place` of the first of these frames that is not absent; `quiet` says that none is.
    `function_word` says that it is a word such as “of”: it may have a weight, and says little to a reader.
    """

    text: str
    weights: Mapping[str, float] = field(default_factory=dict)
    place: int = _NO_PLACE
    quiet: bool = False
    function_word: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or a piece that was skipped for a `reason`."""

    index: int | None
    start: int
    text_runs: Sequence[TextRun]
    marks: Sequence[FrameMark]
    reason: SkipReason | None
    annotations: Sequence[AnnotationAnswer] = ()


# The scores from which a frame is present and below which it is absent, by frame.
Limits = dict[str, tuple[float | None, float]]
# The limits of `paragraphs` and of the `article`, by operating point.
Thresholds = dict[str, dict[str, Limits]]


@dataclass(frozen=True, slots=True)
class OtherPoints:
    """What the operating points decide, and the stances that they add: by index of the paragraph and by frame."""

    thresholds: Thresholds = field(default_factory=dict)
    stances: Mapping[tuple[int, str], Stance] = field(default_factory=dict)

    def may_show(self, key: str, frame: ParagraphFrame) -> bool:
        """Whether some operating point does not call the frame absent."""
        return frame["decision"] != "absent" or _is_within_reach(key, frame, self.thresholds)


def other_points(model: FrameModel, article: Classified, own: Mapping[str, float]) -> OtherPoints:
    """What operating points decide about an article that the model has scored; `own` are thresholds of the caller.

    An answer has no stance for a frame that it calls absent, so the paragraphs with a frame that another point may show
    are scored for their stances.
    """
    thresholds = thresholds_of(model, article.article, own)
    silent = [
        paragraph
        for paragraph in article.paragraphs
        if any("stance" not in f and _is_within_reach(key, f, thresholds) for key, f in paragraph["frames"].items())
    ]
    if not silent or not model.card.stances:
        return OtherPoints(thresholds)
    scores = model.score_with_stances([paragraph["text"] for paragraph in silent]).stances.tolist()
    stances = {
        (paragraph["index"], key): likeliest(tuple(by_stance))
        for paragraph, by_frame in zip(silent, scores, strict=True)
        for key, by_stance in zip(model.frames, by_frame, strict=True)
    }
    return OtherPoints(thresholds, stances)


def _is_within_reach(key: str, frame: ParagraphFrame, thresholds: Thresholds) -> bool:
    return any(frame["score"] >= limits["paragraphs"][key][1] for limits in thresholds.values())


def blocks(
    article: Classified,
    names: FrameNames,
    annotations: Mapping[int, Sequence[AnnotationAnswer]],
    others: OtherPoints,
) -> list[Block]:
    """The paragraphs and the skipped pieces, in the order of the article; `annotations` are by paragraph index."""
    paragraphs = [
        _paragraph_block(paragraph, names, annotations.get(paragraph["index"], ()), others)
        for paragraph in article.paragraphs
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


def thresholds_of(model: FrameModel, article: ArticleSummary, own: Mapping[str, float]) -> Thresholds:
    """The limits of paragraphs and of the article, by operating point; `own` are thresholds of the caller.

    With them the page decides again when its reader chooses another operating point. An article about something else
    carries no frame, whatever its scores, unless the caller's own threshold decides. The limits of the article are
    missing for a model that decides on it by its paragraphs.
    """
    limits: Thresholds = {}
    for point in OPERATING_POINTS:
        cuts = cuts_at(model, point, own)
        limits[point] = {"paragraphs": _limits(cuts.paragraphs, article.about)}
        if cuts.article is not None:
            limits[point]["article"] = _limits(cuts.article, article.about)
        elif article.about == OTHER:
            limits[point]["article"] = {frame: _NOTHING for frame, cut in cuts.paragraphs.items() if not cut.own}
    return limits


def _limits(cuts: Mapping[str, Cut], about: str | None) -> Limits:
    return {
        frame: _NOTHING if about == OTHER and not cut.own else (cut.present_from, cut.absent_below)
        for frame, cut in cuts.items()
    }


def _paragraph_block(
    paragraph: ParagraphAnswer, names: FrameNames, annotations: Sequence[AnnotationAnswer], others: OtherPoints
) -> Block:
    return Block(
        index=paragraph["index"],
        start=paragraph["start"],
        text_runs=_text_runs(paragraph, names, others),
        marks=_paragraph_marks(paragraph, names, others),
        reason=None,
        annotations=annotations,
    )


def _skipped_block(piece: SkippedPiece) -> Block:
    return Block(None, piece["start"], (TextRun(piece["text"]),), (), piece["reason"])


def _paragraph_marks(paragraph: ParagraphAnswer, names: FrameNames, others: OtherPoints) -> list[FrameMark]:
    return _in_codebook_order(
        [
            FrameMark(
                key,
                names.title(key),
                names.place(key),
                frame["score"],
                frame["decision"],
                frame.get("stance") or others.stances.get((paragraph["index"], key)),
            )
            for key, frame in paragraph["frames"].items()
        ]
    )


def _in_codebook_order(frame_marks: Sequence[FrameMark]) -> list[FrameMark]:
    """Frames that the codebook no longer has come last."""
    return sorted(frame_marks, key=lambda mark: (mark.place == _NO_PLACE, mark.place))


def _commonest_stance(stances: Mapping[Stance, float] | None) -> Stance | None:
    return max(stances.items(), key=lambda share: share[1])[0] if stances else None


def _text_runs(paragraph: ParagraphAnswer, names: FrameNames, others: OtherPoints) -> list[TextRun]:
    """The text, cut wherever evidence for a frame begins or ends."""
    frames = paragraph["frames"]
    spans = [
        (key, place["start"], place["end"], span["weight"])
        for key, frame in frames.items()
        if others.may_show(key, frame)
        for span in frame.get("evidence", ())
        if span["weight"] > 0
        for place in (span, *span.get("repeats", ()))
    ]
    first = paragraph["start"]
    edges = {first, paragraph["end"]}
    edges |= {edge for _, begin, stop, _ in spans for edge in (begin, stop)}
    runs = []
    for start, end in itertools.pairwise(sorted(edges)):
        text = paragraph["text"][start - first : end - first]
        moved = [(weight, key) for key, begin, stop, weight in spans if begin <= start and end <= stop]
        weights = {key: weight for weight, key in sorted(moved, key=lambda pair: -pair[0])}
        shown = next((key for key in weights if frames[key]["decision"] != "absent"), None)
        place = names.place(shown or next(iter(weights), ""))
        runs.append(TextRun(text, weights, place, shown is None, text.lower() in FUNCTION_WORDS))
    return runs
