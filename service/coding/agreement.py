"""Agreement of the coders with stored annotations, and the disagreements to settle."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from labels.agreement import FrameAgreement, agreement, differences, stance_agreement
from labels.annotations import ADJUDICATOR, Annotation, CodedParagraph
from labels.codebook import Codebook
from service.schemas.annotations import (
    AgreementAnswer,
    AgreementFigures,
    CoderAndAdjudicated,
    CoderPair,
    Disagreement,
)
from service.store import annotations
from service.store.articles import stored_ids
from service.store.sql.database import Database

_MAX_DISAGREEMENTS = 500


def stored_agreement(database: Database, codebook: Codebook, coder: str | None = None) -> AgreementAnswer:
    """Agreement of all coders and of each pair; with `coder`, only on paragraphs that this coder and others coded."""
    with database.read() as connection:
        paragraphs = annotations.coded_paragraphs(connection, codebook, adjudicated=False)
        settled_by = annotations.settled_by(connection)
        settled = annotations.adjudications(connection, codebook)
        stored = stored_ids(connection, {paragraph.article for paragraph in paragraphs})
    shared = [p for p in paragraphs if len(p.annotations) > 1 and (coder is None or _coded_by(p, coder))]
    coders = sorted({annotation.coder for paragraph in shared for annotation in paragraph.annotations})
    # A difference in stance alone does not count here.
    differing = [paragraph for paragraph in shared if differences(paragraph.annotations).presence][:_MAX_DISAGREEMENTS]
    return AgreementAnswer(
        coders=coders,
        paragraphs=len(shared),
        frames=[_figures(result) for result in agreement(shared, codebook, exclude=())],
        stance=[_figures(result) for result in stance_agreement(shared, codebook)],
        pairs=[pair for two in combinations(coders, 2) if (pair := _pair_agreement(shared, codebook, two))],
        with_adjudicated=_with_adjudicated(paragraphs, settled, codebook, coder),
        disagreements=[_disagreement(p, settled_by, stored=p.article in stored) for p in differing],
    )


def _coded_by(paragraph: CodedParagraph, coder: str) -> bool:
    return any(annotation.coder == coder for annotation in paragraph.annotations)


def _figures(result: FrameAgreement) -> AgreementFigures:
    return AgreementFigures(
        frame=result.frame,
        alpha=result.alpha,
        interval=result.interval,
        percent=result.percent,
        reading=result.reading,
        paragraphs=result.paragraphs,
    )


def _pair_agreement(shared: Sequence[CodedParagraph], codebook: Codebook, coders: tuple[str, str]) -> CoderPair | None:
    both = [
        replace(paragraph, annotations=annotations_of_both)
        for paragraph in shared
        if len(annotations_of_both := tuple(a for a in paragraph.annotations if a.coder in coders)) > 1
    ]
    if not both:
        return None
    results = agreement(both, codebook, exclude=(), resamples=200)
    return CoderPair(coders=coders, frames=[_figures(result) for result in results])


def _with_adjudicated(
    paragraphs: Sequence[CodedParagraph],
    settled: Mapping[tuple[str, int], Annotation],
    codebook: Codebook,
    only: str | None,
) -> list[CoderAndAdjudicated]:
    """The agreement of each coder, or of `only` one, with the adjudicated labels."""
    by_coder: dict[str, list[CodedParagraph]] = defaultdict(list)
    for paragraph in paragraphs:
        label = settled.get((paragraph.article, paragraph.index))
        if label is None:
            continue
        for annotation in paragraph.annotations:
            if only in (None, annotation.coder):
                # Under names of their own, because a coder may be the adjudicator too.
                both = (replace(annotation, coder="coder"), replace(label, coder=ADJUDICATOR))
                by_coder[annotation.coder].append(replace(paragraph, annotations=both))
    return [
        CoderAndAdjudicated(
            coder=coder,
            frames=[_figures(result) for result in agreement(coded, codebook, exclude=(), resamples=200)],
        )
        for coder, coded in sorted(by_coder.items())
    ]


def _disagreement(
    paragraph: CodedParagraph, settled_by: Mapping[tuple[str, int], str], *, stored: bool
) -> Disagreement:
    return Disagreement(
        article_id=paragraph.article if stored else None,
        paragraph=paragraph.index if stored else None,
        text=paragraph.text,
        annotations={annotation.coder: dict(annotation.frames) for annotation in paragraph.annotations},
        settled_by=settled_by.get((paragraph.article, paragraph.index)),
    )
