"""The annotation that all formats exchange: a coder's decision on a paragraph, with its text and metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from labels.annotations import Stance

# The coder of an annotation in a file that does not name its coders; whoever imports the file has to name them.
UNKNOWN_CODER = ""

# An adjudicator settles what coders disagree about; an adjudication stands beside their annotations.
Role = Literal["coder", "adjudicator"]
ROLES: tuple[Role, ...] = get_args(Role)

# The longest that an annotation may hold, by field, in a file as in a request of the API.
LONGEST = {"coder": 128, "text": 100_000, "source": 256, "note": 10_000, "article_id": 256}
# The highest number of a paragraph; those of former versions of an article count down from -1.
HIGHEST_PARAGRAPH = 1_000_000

# What all annotations of a paragraph share.
OF_PARAGRAPH = ("source", "article_id", "paragraph")
# What each annotation of a paragraph has.
OF_ANNOTATION = (
    "note",
    "selection",
    "inclusion_probability",
    "codebook_version",
    "created_at",
    "role",
    "covered",
    "unsure",
)
METADATA = (*OF_PARAGRAPH, *OF_ANNOTATION)


@dataclass(frozen=True, slots=True)
class ExchangedAnnotation:
    """The frames that a coder marked in a paragraph, with the text and the origin of both.

    `selection` is random, uncertain or chosen; `inclusion_probability` is above 0 and at most 1. `covered` are the
    frames that the coder decided about, None where that is not known. `unsure` is the coder's own mark. `where` is the
    place in the file that it was read from.
    """

    coder: str
    text: str
    source: str
    frames: Mapping[str, Stance]
    article_id: str | None = None
    paragraph: int | None = None
    note: str = ""
    selection: str = "chosen"
    inclusion_probability: float | None = None
    codebook_version: int | None = None
    created_at: str | None = None
    role: Role = "coder"
    covered: frozenset[str] | None = None
    unsure: bool = False
    where: str = field(default="", compare=False)

    @property
    def metadata(self) -> dict[str, Any]:
        """The fields that most formats carry as metadata; `covered` as a text, which every format can hold."""
        covered = None if self.covered is None else " ".join(sorted(self.covered))
        return {name: covered if name == "covered" else getattr(self, name) for name in METADATA}

    @property
    def of_paragraph(self) -> dict[str, Any]:
        """The metadata that all annotations of the paragraph share."""
        return {name: getattr(self, name) for name in OF_PARAGRAPH}


def coded_thing(annotation: ExchangedAnnotation) -> tuple[str | None, int | None, str, str]:
    """What an annotation is about, as far as the file says."""
    return annotation.article_id, annotation.paragraph, annotation.source, annotation.text


def by_paragraph(annotations: Sequence[ExchangedAnnotation]) -> list[list[ExchangedAnnotation]]:
    """Groups the annotations by paragraph, in order of appearance."""
    paragraphs: dict[tuple[str | None, int | None, str, str], list[ExchangedAnnotation]] = {}
    for annotation in annotations:
        paragraphs.setdefault(coded_thing(annotation), []).append(annotation)
    return list(paragraphs.values())
