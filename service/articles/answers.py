"""Articles as answers of the API."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from labels.annotations import SPECIFIED_STANCES
from labels.paragraphs import Paragraph, SplitArticle, looks_like_headings
from service.articles.reading import ReadArticle
from service.schemas.articles import (
    ArticleFacts,
    ArticleFrameAnswer,
    ArticleSummary,
    Classified,
    ClassifyRequest,
    EvidenceSpan,
    FormerParagraph,
    FormerVersionAnswer,
    ListedArticle,
    ModelUsed,
    ParagraphAnswer,
    ParagraphFrame,
    RollUp,
    SkippedPiece,
    StoredArticleAnswer,
)
from service.store.article_list import ArticleInList
from service.store.article_lookup import FormerVersion
from service.store.articles import StoredArticle
from training.scoring.classification import (
    ROLL_UP_RULE,
    ROLL_UP_VERSION,
    ArticleFrame,
    Classification,
    FrameDecision,
    likeliest,
    stance_shares,
)
from training.scoring.evidence import WordEvidence
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import OperatingPoint
from training.scoring.subject import About

_PARAGRAPHS_AT_ONCE = 64
_PARAGRAPHS = TypeAdapter(list[ParagraphAnswer])
# Unambiguous: inside a string the quotation marks would be escaped.
_NO_PARAGRAPHS = '"paragraphs":[]'


def classified_answer(
    request: ClassifyRequest,
    article: ReadArticle,
    classification: Classification,
    model: FrameModel,
    *,
    evidence_terms: int,
) -> Classified:
    """The answer to a classification; with the text if offsets refer to a text that the caller does not have."""
    card = model.card
    return Classified.model_construct(
        **_framing(
            article.split,
            article.language,
            classification,
            model=ModelUsed(version=card.version, codebook_version=card.codebook_version),
            operating_point=request.operating_point,
            evidence_terms=evidence_terms,
            with_text=request.text is None,
        )
    )


def as_json(answer: Classified) -> str:
    """The answer as JSON; long articles are written in pieces, so that other threads get their turn between them."""
    if len(answer.paragraphs) <= _PARAGRAPHS_AT_ONCE:
        return answer.model_dump_json(exclude_none=True)
    starts = range(0, len(answer.paragraphs), _PARAGRAPHS_AT_ONCE)
    pieces = (paragraphs_as_json(answer.paragraphs[start : start + _PARAGRAPHS_AT_ONCE]) for start in starts)
    return insert_paragraphs(answer.model_copy(update={"paragraphs": []}), pieces)


def insert_paragraphs(answer: Classified, pieces: Iterable[str]) -> str:
    """The JSON of an answer without paragraphs, with the JSON of its paragraphs inserted."""
    before, after = answer.model_dump_json(exclude_none=True).split(_NO_PARAGRAPHS)
    return f'{before}"paragraphs":[{",".join(pieces)}]{after}'


def paragraphs_as_json(answers: list[ParagraphAnswer]) -> str:
    """Some paragraphs, as they appear in the JSON of an answer."""
    return _PARAGRAPHS.dump_json(answers)[1:-1].decode()


def _framing(
    split: SplitArticle,
    language: str,
    classification: Classification,
    *,
    model: ModelUsed,
    operating_point: OperatingPoint,
    evidence_terms: int,
    with_text: bool,
) -> dict[str, Any]:
    """The fields of `Classified`; they need no validation, because they were computed here."""
    return {
        "model": model,
        "language": language,
        "operating_point": operating_point,
        "article": article_summary(classification.article, classification.about),
        "cut": split.cut,
        "headings_scored": looks_like_headings(split) or None,
        "paragraphs": paragraph_answers(split.paragraphs, classification.paragraphs, evidence_terms),
        "skipped": [
            SkippedPiece(start=piece.start, end=piece.end, text=piece.text, reason=piece.reason)
            for piece in split.skipped
        ],
        "text": split.text if with_text else None,
    }


def paragraph_answers(
    paragraphs: Sequence[Paragraph], framed: Sequence[Mapping[str, FrameDecision]], evidence_terms: int
) -> list[ParagraphAnswer]:
    pairs = zip(paragraphs, framed, strict=True)
    return [_paragraph(paragraph, frames, evidence_terms) for paragraph, frames in pairs]


def _paragraph(paragraph: Paragraph, frames: Mapping[str, FrameDecision], evidence_terms: int) -> ParagraphAnswer:
    text, offset = paragraph.text, paragraph.start
    answers = {key: _paragraph_frame(frame) for key, frame in frames.items()}
    explained = [(key, frame.explanation) for key, frame in frames.items() if frame.explanation is not None]
    strongest = explained[0][1].terms.strongest(evidence_terms) if explained else []
    for key, explanation in explained:
        answers[key]["evidence"] = [_span(text, offset, word) for word in strongest[explanation.frame]]
    return ParagraphAnswer(
        index=paragraph.index, start=paragraph.start, end=paragraph.end, text=paragraph.text, frames=answers
    )


def _span(text: str, offset: int, word: WordEvidence) -> EvidenceSpan:
    (start, end), *others = word.places
    span: EvidenceSpan = {"start": offset + start, "end": offset + end, "text": text[start:end], "weight": word.weight}
    if others:
        span["repeats"] = [{"start": offset + start, "end": offset + end} for start, end in others]
    return span


def _paragraph_frame(frame: FrameDecision) -> ParagraphFrame:
    answer = ParagraphFrame(score=frame.score, decision=frame.decision)
    if frame.stances is not None:
        answer["stance"] = likeliest(frame.stances)
        answer["stances"] = dict(zip(SPECIFIED_STANCES, frame.stances, strict=True))
    return answer


def article_summary(frames: Mapping[str, ArticleFrame], about: About | None) -> ArticleSummary:
    return ArticleSummary(
        about=about.name if about else None,
        about_score=about.score if about else None,
        frames={
            key: ArticleFrameAnswer(
                decision=frame.decision,
                score=frame.score,
                share=frame.share,
                paragraphs=frame.paragraphs,
                stances=stance_shares(frame.stances),
            )
            for key, frame in frames.items()
        },
        roll_up=RollUp(rule=ROLL_UP_RULE, version=ROLL_UP_VERSION),
    )


def stored_answer(article: StoredArticle, *, evidence_terms: int) -> StoredArticleAnswer:
    scoring = article.scoring
    framing = _framing(
        article.split,
        article.language,
        scoring.classification,
        model=ModelUsed(version=scoring.model_version, codebook_version=scoring.codebook_version),
        operating_point=scoring.operating_point,
        evidence_terms=evidence_terms,
        with_text=True,
    )
    return StoredArticleAnswer.model_construct(**_facts(article).__dict__, **framing)


def former_answer(former: FormerVersion) -> FormerVersionAnswer:
    return FormerVersionAnswer(
        version=former.version,
        replaced_at=former.replaced_at,
        **asdict(former.metadata),
        language=former.language,
        text=former.text,
        paragraphs=[FormerParagraph(index=p.index, start=p.start, end=p.end, text=p.text) for p in former.paragraphs],
    )


def listed_answer(article: ArticleInList) -> ListedArticle:
    return ListedArticle(
        **_facts(article).__dict__,
        language=article.language,
        model=ModelUsed(version=article.model_version, codebook_version=article.codebook_version),
        article=article_summary(article.frames, article.about),
    )


def _facts(article: StoredArticle | ArticleInList) -> ArticleFacts:
    return ArticleFacts(id=article.id, created_at=article.created_at, **asdict(article.metadata))
