"""Agreement of the coders whose annotations are stored, with the disagreements to settle."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from labels.agreement import FrameAgreement, agreement, stance_agreement
from labels.annotations import CodedParagraph
from labels.codebook import Codebook
from service.schemas.annotations import AgreementAnswer, AgreementFigures, CoderPair, Disagreement
from service.store.annotations import is_of_stored_article

_MOST_DISAGREEMENTS = 500


def agreement_answer(
    paragraphs: Sequence[CodedParagraph], settled_by: Mapping[tuple[str, int], str], codebook: Codebook
) -> AgreementAnswer:
    """Figures over all coders and each pair; `settled_by` names the adjudicator of (article, index)."""
    shared = [paragraph for paragraph in paragraphs if len(paragraph.annotations) > 1]
    coders = sorted({annotation.coder for paragraph in shared for annotation in paragraph.annotations})
    return AgreementAnswer(
        coders=coders,
        paragraphs=len(shared),
        frames=[_figures(result) for result in agreement(shared, codebook, exclude=())],
        stance=[_figures(result) for result in stance_agreement(shared, codebook)],
        pairs=[pair for pair in (_pair(shared, codebook, two) for two in combinations(coders, 2)) if pair],
        disagreements=[_disagreement(p, settled_by) for p in shared if _differ(p)][:_MOST_DISAGREEMENTS],
    )


def _figures(result: FrameAgreement) -> AgreementFigures:
    return AgreementFigures(
        frame=result.frame,
        alpha=result.alpha,
        interval=result.interval,
        percent=result.percent,
        reading=result.reading,
        paragraphs=result.paragraphs,
    )


def _pair(shared: Sequence[CodedParagraph], codebook: Codebook, coders: tuple[str, str]) -> CoderPair | None:
    both = [
        CodedParagraph(p.article, p.index, p.source, p.text, codes)
        for p in shared
        if len(codes := tuple(a for a in p.annotations if a.coder in coders)) > 1
    ]
    if not both:
        return None
    return CoderPair(coders=coders, frames=[_figures(r) for r in agreement(both, codebook, exclude=(), resamples=200)])


def _differ(paragraph: CodedParagraph) -> bool:
    return len({frozenset(annotation.frames) for annotation in paragraph.annotations}) > 1


def _disagreement(paragraph: CodedParagraph, settled_by: Mapping[tuple[str, int], str]) -> Disagreement:
    own = not is_of_stored_article(paragraph)
    return Disagreement(
        article_id=None if own else paragraph.article,
        paragraph=None if own else paragraph.index,
        text=paragraph.text,
        codes={annotation.coder: dict(annotation.frames) for annotation in paragraph.annotations},
        settled_by=settled_by.get((paragraph.article, paragraph.index)),
    )
