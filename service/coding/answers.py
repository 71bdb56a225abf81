"""Annotations and the codebook as answers of the API."""

from labels.codebook import Codebook
from service.schemas.annotations import AnnotationAnswer, CaseAnswer, CodebookAnswer, FrameAnswer
from service.store.annotations import StoredAnnotation


def annotation_answer(stored: StoredAnnotation, codebook: Codebook) -> AnnotationAnswer:
    """A stored annotation as the API returns it, in the frames of today's codebook."""
    annotation, today = stored.annotation, stored.annotation.today(codebook)
    return AnnotationAnswer(
        id=stored.id,
        coder=annotation.coder,
        role=annotation.role,
        article_id=annotation.unit.article_id,
        paragraph=annotation.unit.paragraph,
        text=annotation.unit.text,
        source=annotation.unit.source,
        frames=dict(today.frames),
        covered=sorted(codebook.keys if today.covered is None else today.covered),
        note=annotation.note,
        unsure=annotation.unsure,
        codebook_version=annotation.codebook_version,
        selection=annotation.selection,
        inclusion_probability=annotation.inclusion_probability,
        created_at=stored.created_at,
        replaced_at=stored.replaced_at,
    )


def codebook_answer(codebook: Codebook) -> CodebookAnswer:
    """The codebook as the API returns it."""
    colours = codebook.colours
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
                colour=colours[frame.key],
            )
            for frame in codebook.frames
        ],
        cases=[CaseAnswer(title=case.title, rule=case.rule, frames=list(case.frames)) for case in codebook.cases],
    )
