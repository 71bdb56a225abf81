"""Domain errors of the service. Every message is a sentence that a user understands.

FramingError                          labels.errors, the root; training.errors adds more branches
├── NotFoundError                     nothing is stored under the id
│   ├── NoSuchParagraphError          the paragraph of an annotation is not stored; carries the field
│   └── NoSuchKeyError                no API key has the id
├── AnnotationError                   an annotation cannot be stored as it was sent; carries the field
├── AssignmentError                   an assignment cannot be made as it was sent; carries the field
├── OverlapError                      two sets of articles to compare have articles in common
├── PeriodError                       a period ends before it begins; carries the field
├── SameModelError                    the version to compare with the champion is the champion
├── NoSubjectError                    the model cannot tell what an article is about; carries the field
├── IdempotencyKeyReusedError         an Idempotency-Key was sent before with another request
├── ConflictError                     another text is stored under the id or the URL; carries the field
├── UnauthorizedError                 no key, or a key that is not valid
├── ForbiddenError                    the key's role does not allow the request
├── MisdirectedError                  the request names a host that this server is not
├── ForwardedError                    a proxy forwarded the request to a server without keys
├── RateLimitedError                  too many requests in this minute
├── OpenServerError                   the server would listen beyond loopback without any key
├── KeysInForceError                  keys still protect a service that is to be opened
├── AuditError                        the log of actions was tampered with
├── DatabaseError                     the database cannot be used
├── ChartsError                       the charts could not be made
├── ArticleError
│   └── ArticleTooLargeError          the article is longer than the service accepts
└── CodebookError
    └── UnknownFrameError             the model or codebook does not have the frame; carries the field

`service.http.problem_details` maps them to answers, `service.cli.commands` to messages. Errors of a single
module stand in that module.
"""

from collections.abc import Collection, Iterable
from datetime import date

from labels.errors import ArticleError, CodebookError, FramingError

# The mark of a conflict with the holder of a URL, which has another external id.
URL_OF_ANOTHER_ID = "url of another external_id"


class NotFoundError(FramingError):
    """Nothing is stored under that id."""

    @classmethod
    def article(cls, identifier: str) -> "NotFoundError":
        """The error for an article that is not stored."""
        return cls(f"No article is stored under the id {identifier}.")


class NoSuchParagraphError(NotFoundError):
    """The annotation is about a paragraph that is not stored; `field` says where it was named."""

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail)
        self.field = field


class NoSuchKeyError(NotFoundError):
    """No API key has that id."""


class AnnotationError(FramingError):
    """An annotation cannot be stored as it was sent; `field` says where."""

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail)
        self.field = field


class AssignmentError(FramingError):
    """An assignment cannot be made as it was sent; `field` says where."""

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail)
        self.field = field


class OverlapError(FramingError):
    """Two sets of articles to compare have articles in common; `field` says where."""

    field = "query/b_outlet"


class PeriodError(FramingError):
    """A period ends before it begins; `field` says where its end was named."""

    def __init__(self, since: date | str, until: date | str, field: str) -> None:
        super().__init__(f"The period ends on {until} before it begins on {since}.")
        self.field = field


class SameModelError(FramingError):
    """The version to compare with the champion is the champion."""

    def __init__(self, version: str) -> None:
        super().__init__(f"'{version}' is the champion itself, so promoting it would change nothing.")


class NoSubjectError(FramingError):
    """The model cannot tell what an article is about; `field` says where it had to."""

    field = "query/population"

    def __init__(self, version: str) -> None:
        super().__init__(
            f"Model {version} cannot tell which articles are about something else than the subject of its codebook, so "
            "it can only count all_articles."
        )


class IdempotencyKeyReusedError(FramingError):
    """The key was sent before with another request."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request; choose a new key.")


class ConflictError(FramingError):
    """Another text is stored under the external id or the URL of an article; `field` says which."""

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail)
        self.field = field

    @classmethod
    def of(
        cls, mark: str | None, article_id: str, external_id: str | None, url: str | None, outlet: str | None
    ) -> "ConflictError":
        """The error for a mark of an article (`service.store.articles`) that the stored article `article_id` has."""
        if mark == "content_sha256":
            return cls(f"The text is stored already, as another article of this outlet: {article_id}.", "text")
        if mark == URL_OF_ANOTHER_ID:
            return cls(
                f"The URL {url} is that of the article {article_id}, which has another external_id than "
                f"'{external_id}'; nothing was stored. Send another URL, or none.",
                "url",
            )
        field = "url" if mark == "url" else "external_id"
        where = f"of the outlet '{outlet}'" if outlet is not None else "without an outlet"
        name = f"the URL {url}" if mark == "url" else f"the external_id '{external_id}' {where}"
        return cls(
            f"Another text is stored under {name}, as the article {article_id}; nothing was stored. Send replace=true "
            "to put this text in its place, or another id.",
            field,
        )


class UnauthorizedError(FramingError):
    """The request has no key, or a key that is not valid."""

    def __init__(self, detail: str = "This needs a key: send it as `Authorization: Bearer framing_…`.") -> None:
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": "Bearer"}


class ForbiddenError(FramingError):
    """The role of the key does not allow the request."""


class MisdirectedError(FramingError):
    """The request names a host that this server is not; a page of that name may have sent it here."""


class ForwardedError(FramingError):
    """A proxy forwarded the request to a server without keys, which is for the user of its machine alone."""


class RateLimitedError(FramingError):
    """Too many requests in this minute; the next minute begins in `seconds`."""

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(f"{detail}; try again in {seconds} second{'s' if seconds > 1 else ''}.")
        self.headers = {"Retry-After": str(seconds)}


class OpenServerError(FramingError):
    """The server would listen where others can reach it, and no key exists."""


class KeysInForceError(FramingError):
    """Keys still protect a service that is to be opened to everybody on its machine."""


class AuditError(FramingError):
    """The log of actions was tampered with."""


class DatabaseError(FramingError):
    """The database cannot be used."""


class ChartsError(FramingError):
    """The charts could not be made."""


class ArticleTooLargeError(ArticleError):
    """The article is longer than the service accepts."""


class UnknownFrameError(CodebookError):
    """The model, or the codebook, does not have the frame; `field` says where it was named."""

    def __init__(self, frame: str, known: Iterable[str], field: str, owner: str = "model") -> None:
        super().__init__(f"The {owner} has no frame '{frame}'; its frames are {', '.join(known)}.")
        self.field = field


def require_frames(frames: Iterable[str], known: Collection[str], field: str, owner: str = "model") -> None:
    """Raises `UnknownFrameError` for the first frame that is not known; `{frame}` in `field` stands for that frame."""
    for frame in frames:
        if frame not in known:
            raise UnknownFrameError(frame, known, field.replace("{frame}", frame), owner)


def require_period(since: date | None, until: date | None, field: str = "query/to") -> None:
    """Raises `PeriodError` where a period ends before it begins; None leaves an end open."""
    if since is not None and until is not None and until < since:
        raise PeriodError(since, until, field)
