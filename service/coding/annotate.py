"""Annotations in requests: checked, made ready to be stored, and logged."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from labels.codebook import Codebook
from service.errors import AnnotationError, ForbiddenError, NoSuchParagraphError, require_frames
from service.schemas.annotations import AnnotationRequest
from service.store import annotations as store
from service.store import audit, draws
from service.store.callers import Caller


def new_annotation(
    connection: Connection, request: AnnotationRequest, codebook: Codebook, place: int | None
) -> store.NewAnnotation:
    """The annotation in a request, with the codebook's version and how its paragraph was drawn.

    `place` is the index of the annotation in a list of them, to which the pointers of errors refer. An annotation that
    covers some frames only is completed by what the coder's earlier annotation says of the others. Raises
    `UnknownFrameError`, `AnnotationError` or `NoSuchParagraphError`.
    """
    prefix = "" if place is None else f"{place}/"
    require_frames(request.frames, codebook.keys, f"{prefix}frames/{{frame}}", owner="codebook")
    unit = _unit(connection, request, prefix)
    if request.covered is not None:
        _check_covered(request.covered, request.frames, codebook, prefix)
    selection, probability = draws.how_drawn(connection, request.coder, unit.key)
    annotation = store.NewAnnotation(
        coder=request.coder,
        role=request.role,
        unit=unit,
        frames=request.frames,
        note=request.note,
        codebook_version=codebook.version,
        selection=selection,
        inclusion_probability=probability,
        covered=frozenset(codebook.keys if request.covered is None else request.covered),
        unsure=request.unsure,
    )
    earlier = None if request.covered is None else store.earlier(connection, annotation)
    return annotation if earlier is None else annotation.completed_by(earlier, codebook)


def _check_covered(covered: Collection[str], frames: Collection[str], codebook: Codebook, prefix: str) -> None:
    require_frames(covered, codebook.keys, f"{prefix}covered", owner="codebook")
    besides = next((frame for frame in frames if frame not in covered), None)
    if besides is not None:
        raise AnnotationError(
            f"The frame '{besides}' is annotated, and covered does not name it.", f"{prefix}frames/{besides}"
        )


def require_own(caller: Caller, coder: str, role: str = "coder") -> None:
    """Raises `ForbiddenError` if a key of the role coder acts for another coder or settles a disagreement."""
    if caller.may("admin"):
        return
    if coder != caller.name:
        raise ForbiddenError(f"A key of the role coder annotates under its own name, '{caller.name}'.")
    if role != "coder":
        raise ForbiddenError("Settling a disagreement needs a key of the role admin.")


def permitted_coder(caller: Caller, coder: str | None) -> str | None:
    """The coder to whose annotations a request is limited; None for those of all coders.

    A key of the role coder reaches its own annotations only; raises `ForbiddenError` for those of another coder.
    """
    if caller.may("admin"):
        return coder
    require_own(caller, caller.name if coder is None else coder)
    return caller.name


def log_annotations(connection: Connection, caller: Caller, stored: Sequence[store.StoredAnnotation]) -> None:
    """Adds a line for each annotation to the log of actions, without its frames and its note."""
    audit.note_all(connection, [_action(caller, entry.id, entry.annotation) for entry in stored])


def _action(caller: Caller, identifier: str, annotation: store.NewAnnotation) -> audit.Action:
    detail = {"coder": annotation.coder, "unit": annotation.unit.key}
    return audit.Action(caller, "annotate" if annotation.role == "coder" else "adjudicate", identifier, detail)


def _unit(connection: Connection, request: AnnotationRequest, prefix: str) -> store.CodingUnit:
    names_stored = request.article_id is not None or request.paragraph is not None
    brings_text = request.text is not None or request.source is not None
    if names_stored == brings_text:
        raise AnnotationError("Send either article_id and paragraph, or text and source.", f"{prefix}article_id")
    if brings_text:
        if request.text is None or request.source is None:
            missing = "text" if request.text is None else "source"
            raise AnnotationError(f"An annotation of your own text also needs {missing}.", f"{prefix}{missing}")
        return store.text_unit(request.source, request.text)
    if request.article_id is None or request.paragraph is None:
        missing = "article_id" if request.article_id is None else "paragraph"
        raise AnnotationError(f"An annotation of a stored paragraph also needs {missing}.", f"{prefix}{missing}")
    unit = store.article_unit(connection, request.article_id, request.paragraph)
    if unit is None:
        raise NoSuchParagraphError(
            f"No article {request.article_id} with a paragraph {request.paragraph} is stored.", f"{prefix}article_id"
        )
    return unit
