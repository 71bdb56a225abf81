"""From annotations to gold labels: what the coders together decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labels.annotations import Annotation, CodedParagraph
from labels.codebook import Codebook


@dataclass(frozen=True, slots=True)
class GoldParagraph:
    """A paragraph with its settled frames; `unsettled` are those on which the coders are tied."""

    paragraph: CodedParagraph
    frames: frozenset[str]
    unsettled: frozenset[str]


def majority(annotations: Sequence[Annotation], frame: str) -> bool | None:
    """Whether more than half of the coders gave the frame; None for a tie, which goes back to them."""
    votes = sum(frame in annotation.frames for annotation in annotations)
    against = len(annotations) - votes
    return None if votes == against else votes > against


def settle(paragraphs: Iterable[CodedParagraph], codebook: Codebook) -> tuple[GoldParagraph, ...]:
    """Gold labels by majority over the coders of each paragraph."""
    return tuple(_settle(paragraph, codebook) for paragraph in paragraphs)


def _settle(paragraph: CodedParagraph, codebook: Codebook) -> GoldParagraph:
    votes = {key: majority(paragraph.annotations, key) for key in codebook.keys}
    return GoldParagraph(
        paragraph=paragraph,
        frames=frozenset(key for key, vote in votes.items() if vote),
        unsettled=frozenset(key for key, vote in votes.items() if vote is None),
    )
