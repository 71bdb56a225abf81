"""From a coder's request to an annotation that can be stored."""

from sqlalchemy import Connection

from labels.codebook import Codebook
from service.errors import ForbiddenError
from service.http.problem_details import AnnotationError, NoSuchParagraphError, UnknownFrameError
from service.schemas.annotations import AnnotationRequest
from service.store import annotations as store
from service.store import audit, draws
from service.store.callers import Caller


def new_annotation(
    connection: Connection, request: AnnotationRequest, codebook: Codebook, place: int | None
) -> store.NewAnnotation:
    """The annotation of a request; `place` is its number in a list, for the error's pointer."""
    prefix = "" if place is None else f"{place}/"
    for frame in request.frames:
        if frame not in codebook.keys:
            raise UnknownFrameError(
                f"The codebook has no frame '{frame}'; its frames are {', '.join(codebook.keys)}.",
                f"{prefix}frames/{frame}",
            )
    unit = _unit(connection, request, prefix)
    selection, probability = draws.how_drawn(connection, request.coder, unit.key)
    return store.NewAnnotation(
        coder=request.coder,
        role=request.role,
        unit=unit,
        frames=request.frames,
        note=request.note,
        codebook_version=codebook.version,
        selection=selection,
        inclusion_probability=probability,
    )


def require_own(caller: Caller, coder: str, role: str = "coder") -> None:
    """Raises `ForbiddenError` where a key of the role coder would code as somebody else, or settle disagreements."""
    if caller.may("admin"):
        return
    if coder != caller.name:
        raise ForbiddenError(f"A key of the role coder codes under its own name, '{caller.name}'.")
    if role != "coder":
        raise ForbiddenError("To settle what others coded needs a key of the role admin.")


def whose(caller: Caller, coder: str | None) -> str | None:
    """Whose codes are asked for: of a key of the role coder its own; raises `ForbiddenError` for another's."""
    if caller.may("admin"):
        return coder
    require_own(caller, caller.name if coder is None else coder)
    return caller.name


def note_code(connection: Connection, caller: Caller, stored: store.StoredAnnotation) -> None:
    """Notes a code in the log of actions, without what it says."""
    one = stored.annotation
    action = "code" if one.role == "coder" else "adjudicate"
    audit.note(connection, caller, action, stored.id, coder=one.coder, unit=one.unit.key)


def _unit(connection: Connection, request: AnnotationRequest, prefix: str) -> store.Unit:
    stored = request.article_id is not None or request.paragraph is not None
    own = request.text is not None or request.source is not None
    if stored == own:
        raise AnnotationError("Name either article_id and paragraph, or text and source.", f"{prefix}article_id")
    if own:
        if request.text is None or request.source is None:
            missing = "text" if request.text is None else "source"
            raise AnnotationError(f"A text of your own needs {missing} too.", f"{prefix}{missing}")
        return store.text_unit(request.source, request.text)
    if request.article_id is None or request.paragraph is None:
        missing = "article_id" if request.article_id is None else "paragraph"
        raise AnnotationError(f"A stored paragraph needs {missing} too.", f"{prefix}{missing}")
    unit = store.article_unit(connection, request.article_id, request.paragraph)
    if unit is None:
        raise NoSuchParagraphError(
            f"No article {request.article_id} with a paragraph {request.paragraph} is stored.", f"{prefix}article_id"
        )
    return unit
