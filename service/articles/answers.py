"""From what is known of articles and codes to what travels over HTTP."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from labels.annotations import SPECIFIED_STANCES
from labels.codebook import Codebook
from labels.paragraphs import Paragraph, SplitArticle
from service.articles.reading import Reading
from service.schemas.annotations import AnnotationAnswer, CodebookAnswer, FrameAnswer
from service.schemas.articles import (
    ArticleFacts,
    ArticleFrameAnswer,
    ArticleSummary,
    Classified,
    ClassifyRequest,
    ListedArticle,
    ModelUsed,
    ParagraphAnswer,
    ParagraphFrame,
    RollUp,
    SkippedPiece,
    StoredArticleAnswer,
)
from service.store.annotations import StoredAnnotation
from service.store.article_list import ArticleInList
from service.store.articles import StoredArticle
from training.registry.card import ModelCard
from training.scoring.classification import (
    ROLL_UP_RULE,
    ROLL_UP_VERSION,
    ArticleFrame,
    Classification,
    FrameDecision,
    likeliest,
    stance_shares,
)
from training.scoring.operating_points import OperatingPoint


def classified(request: ClassifyRequest, reading: Reading, card: ModelCard, *, evidence_terms: int) -> Classified:
    """The answer to a classification, with the text where offsets count in one that the caller does not have."""
    return Classified.model_construct(
        **_framing(
            reading.article,
            reading.language,
            reading.classification,
            model=ModelUsed(version=card.version, codebook_version=card.codebook_version),
            operating_point=request.operating_point,
            evidence_terms=evidence_terms,
            with_text=request.text is None,
        )
    )


def as_json(answer: Classified) -> str:
    """The answer as JSON; that of a long article in pieces, so that other threads get their turn between them."""
    if len(answer.paragraphs) <= _WRITTEN_AT_ONCE:
        return answer.model_dump_json(exclude_none=True)
    starts = range(0, len(answer.paragraphs), _WRITTEN_AT_ONCE)
    pieces = (paragraphs_as_json(answer.paragraphs[start : start + _WRITTEN_AT_ONCE]) for start in starts)
    return around(answer.model_copy(update={"paragraphs": []}), pieces)


def around(answer: Classified, pieces: Iterable[str]) -> str:
    """An answer without paragraphs as JSON, with the JSON of pieces of them put in."""
    before, after = answer.model_dump_json(exclude_none=True).split(_NO_PARAGRAPHS)
    return f'{before}"paragraphs":[{",".join(pieces)}]{after}'


def paragraphs_as_json(answers: list[ParagraphAnswer]) -> str:
    """Some paragraphs as they stand in the JSON of an answer."""
    return _PARAGRAPHS.dump_json(answers)[1:-1].decode()


_WRITTEN_AT_ONCE = 64
_PARAGRAPHS = TypeAdapter(list[ParagraphAnswer])
# Within a string the quotation marks would be escaped.
_NO_PARAGRAPHS = '"paragraphs":[]'


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
    """The fields of `Classified`, which were checked when they were computed."""
    return {
        "model": model,
        "language": language,
        "operating_point": operating_point,
        "article": article_summary(classification.article),
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
    answers = {frame: _paragraph_frame(found) for frame, found in frames.items()}
    explained = [(frame, found.explanation) for frame, found in frames.items() if found.explanation is not None]
    strongest = explained[0][1].terms.strongest(evidence_terms) if explained else []
    for frame, explanation in explained:
        answers[frame]["evidence"] = [
            {"start": offset + start, "end": offset + end, "text": text[start:end], "weight": weight}
            for start, end, weight in strongest[explanation.frame]
        ]
    return ParagraphAnswer(
        index=paragraph.index, start=paragraph.start, end=paragraph.end, text=paragraph.text, frames=answers
    )


def _paragraph_frame(found: FrameDecision) -> ParagraphFrame:
    answer = ParagraphFrame(score=found.score, decision=found.decision)
    if found.stances is not None:
        answer["stance"] = likeliest(found.stances)
        answer["stances"] = dict(zip(SPECIFIED_STANCES, found.stances, strict=True))
    return answer


def article_summary(frames: Mapping[str, ArticleFrame]) -> ArticleSummary:
    return ArticleSummary(
        frames={
            frame: ArticleFrameAnswer(
                decision=found.decision,
                score=found.score,
                share=found.share,
                paragraphs=found.paragraphs,
                stances=stance_shares(found.stances),
            )
            for frame, found in frames.items()
        },
        roll_up=RollUp(rule=ROLL_UP_RULE, version=ROLL_UP_VERSION),
    )


def stored_article(article: StoredArticle, *, evidence_terms: int) -> StoredArticleAnswer:
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


def listed_article(article: ArticleInList) -> ListedArticle:
    return ListedArticle(
        **_facts(article).__dict__,
        language=article.language,
        model=ModelUsed(version=article.model_version, codebook_version=article.codebook_version),
        article=article_summary(article.frames),
    )


def _facts(article: StoredArticle | ArticleInList) -> ArticleFacts:
    return ArticleFacts(id=article.id, created_at=article.created_at, **asdict(article.metadata))


def annotation_answer(stored: StoredAnnotation) -> AnnotationAnswer:
    annotation = stored.annotation
    return AnnotationAnswer(
        id=stored.id,
        coder=annotation.coder,
        role=annotation.role,
        article_id=annotation.unit.article_id,
        paragraph=annotation.unit.paragraph,
        text=annotation.unit.text,
        source=annotation.unit.source,
        frames=dict(annotation.frames),
        note=annotation.note,
        codebook_version=annotation.codebook_version,
        selection=annotation.selection,
        inclusion_probability=annotation.inclusion_probability,
        created_at=stored.created_at,
        replaced_at=stored.replaced_at,
    )


def codebook_answer(codebook: Codebook) -> CodebookAnswer:
    return CodebookAnswer(
        name=codebook.name,
        version=codebook.version,
        frames=[
            FrameAnswer(
                key=frame.key,
                title=frame.title,
                definition=frame.definition,
                include=list(frame.include),
                exclude=list(frame.exclude),
                colour=frame.colour,
            )
            for frame in codebook.frames
        ],
    )
