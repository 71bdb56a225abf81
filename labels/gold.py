"""From annotations to gold labels: what the coders together decided."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labels.annotations import Annotation, CodedParagraph, Stance
from labels.codebook import Codebook


@dataclass(frozen=True, slots=True)
class GoldParagraph:
    """A paragraph with its settled frames; `unsettled` are those on which the coders are tied.

    `stances` has the voice of each settled frame on which most of the coders who gave the frame agree.
    """

    paragraph: CodedParagraph
    frames: frozenset[str]
    unsettled: frozenset[str]
    stances: Mapping[str, Stance]


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
    frames = frozenset(key for key, vote in votes.items() if vote)
    voices = {key: _stance(paragraph.annotations, key) for key in frames}
    return GoldParagraph(
        paragraph=paragraph,
        frames=frames,
        unsettled=frozenset(key for key, vote in votes.items() if vote is None),
        stances={key: stance for key, stance in voices.items() if stance is not None},
    )


def _stance(annotations: Sequence[Annotation], frame: str) -> Stance | None:
    """The stance that more than half of the coders who gave the frame gave it."""
    given = Counter(annotation.frames[frame] for annotation in annotations if frame in annotation.frames)
    [(stance, count)] = given.most_common(1)
    return stance if 2 * count > given.total() else None
