"""What every annotation of a file has to fulfil, whatever its format: what the API asks of an annotation, and more.

A file says more than a request: how a paragraph was drawn, and which version of which codebook it was coded with.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from labels.annotations import SELECTIONS, STANCES
from labels.exchange.annotation import HIGHEST_PARAGRAPH, LONGEST, ROLES, ExchangedAnnotation
from labels.exchange.frame_labels import FrameLabels, RowError, UnknownLabelError
from labels.exchange.reading import SetAside

# NUL, which PostgreSQL cannot store, and halves of characters, which are not Unicode text.
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
# The ids that this service gives to articles; only they have former versions.
_OWN_ARTICLE = re.compile("[0-9a-f]{32}")
# Below it, an annotation would stand for more paragraphs than there are, and estimates of shares overflow.
_LOWEST_PROBABILITY = 1e-9
_HIGHEST_VERSION = 1_000_000
_NOT_BLANK = ("text", "source")


def checked_annotation(annotation: ExchangedAnnotation, labels: FrameLabels) -> ExchangedAnnotation | SetAside:
    """Returns an annotation with the frames that it covers by their keys of today; set aside if it covers none.

    Raises `RowError` for what the API would not accept, and `UnknownLabelError`.
    """
    fault = next(_faults(annotation, labels.codebook.version), None)
    if fault is not None:
        raise RowError(fault)
    if annotation.covered is None:
        return annotation
    unknown = sorted(name for name in annotation.covered if not labels.knows(name))
    if unknown:
        raise UnknownLabelError(unknown)
    covered = frozenset(frame for name in annotation.covered if (frame := labels.frame(name)) is not None)
    besides = next((frame for frame in annotation.frames if frame not in covered), None)
    if besides is not None:
        raise RowError(f"the frame '{besides}' is annotated, and 'covered' does not name it")
    if not covered:
        return SetAside(annotation.where, "it is about none of the frames of the codebook")
    return replace(annotation, covered=covered)


def _faults(annotation: ExchangedAnnotation, codebook_version: int) -> Iterator[str]:
    yield from _faults_of_text(annotation)
    if annotation.coder and not annotation.coder.strip():
        yield "its coder is blank"
    if annotation.role not in ROLES or annotation.selection not in SELECTIONS:
        yield "its role or selection is unknown"
    if not all(stance in STANCES for stance in annotation.frames.values()):
        yield f"the stances are {', '.join(STANCES)}"
    yield from _faults_of_numbers(annotation, codebook_version)


def _faults_of_text(annotation: ExchangedAnnotation) -> Iterator[str]:
    for name, longest in LONGEST.items():
        value = getattr(annotation, name) or ""
        if len(value) > longest:
            yield f"its {name} is longer than {longest:,} characters"
        if _NOT_TEXT.search(value):
            yield f"its {name} contains the character NUL or half of a character"
        if name in _NOT_BLANK and not value.strip():
            yield f"its {name} is blank"


def _faults_of_numbers(annotation: ExchangedAnnotation, codebook_version: int) -> Iterator[str]:
    paragraph, version = annotation.paragraph, annotation.codebook_version
    if paragraph is not None and abs(paragraph) > HIGHEST_PARAGRAPH:
        yield f"'paragraph' must be at most {HIGHEST_PARAGRAPH:,}"
    if paragraph is not None and paragraph < 0 and not _OWN_ARTICLE.fullmatch(annotation.article_id or ""):
        yield "'paragraph' must not be negative: it is so only for a former version of an article stored here"
    if version is not None and not 1 <= version <= _HIGHEST_VERSION:
        yield f"'codebook_version' must be from 1 to {_HIGHEST_VERSION:,}"
    if version is not None and version > codebook_version and annotation.covered is None:
        yield (
            f"'codebook_version' is {version}, and the codebook here is version {codebook_version}: say with 'covered' "
            "which of its frames the coder decided about"
        )
    probability = annotation.inclusion_probability
    if probability is not None and not 0 < probability <= 1:
        yield "'inclusion_probability' must be above 0 and at most 1"
    elif probability is not None and probability < _LOWEST_PROBABILITY:
        yield f"'inclusion_probability' must be at least {_LOWEST_PROBABILITY:g}"
