"""Gold labels: the decisions that count where several coders coded a paragraph."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labels.annotations import ADJUDICATOR, Annotation, CodedParagraph, Stance
from labels.codebook import Codebook


@dataclass(frozen=True, slots=True)
class GoldParagraph:
    """A paragraph with its gold labels.

    `frames` are the settled frames, `unsettled` those on which the coders are tied and `missing` those that no coder
    decided about. `stances` has the stance of each settled frame on which most of its coders agree.
    """

    paragraph: CodedParagraph
    frames: frozenset[str]
    unsettled: frozenset[str]
    stances: Mapping[str, Stance]
    missing: frozenset[str] = frozenset()


def majority(annotations: Sequence[Annotation], frame: str) -> bool | None:
    """Whether more than half of the coders marked the frame as present; None for a tie, which they have to settle.

    Each annotation decides about the frame.
    """
    present = sum(frame in annotation.frames for annotation in annotations)
    absent = len(annotations) - present
    return None if present == absent else present > absent


def settle(paragraphs: Iterable[CodedParagraph], codebook: Codebook) -> tuple[GoldParagraph, ...]:
    """Returns the gold labels of each paragraph: the adjudicator's decision, else the majority of its coders."""
    return tuple(_settle(paragraph, codebook) for paragraph in paragraphs)


def _settle(paragraph: CodedParagraph, codebook: Codebook) -> GoldParagraph:
    adjudicated = [annotation for annotation in paragraph.annotations if annotation.coder == ADJUDICATOR]
    deciding = {key: _deciding(adjudicated, key) or _deciding(paragraph.annotations, key) for key in codebook.keys}
    votes = {key: majority(annotations, key) for key, annotations in deciding.items() if annotations}
    frames = frozenset(key for key, vote in votes.items() if vote)
    stances = {key: _majority_stance(deciding[key], key) for key in frames}
    return GoldParagraph(
        paragraph=paragraph,
        frames=frames,
        unsettled=frozenset(key for key, vote in votes.items() if vote is None),
        stances={key: stance for key, stance in stances.items() if stance is not None},
        missing=frozenset(deciding.keys() - votes.keys()),
    )


def _deciding(annotations: Sequence[Annotation], frame: str) -> list[Annotation]:
    """Returns the annotations that say whether the frame is present."""
    return [annotation for annotation in annotations if annotation.decides(frame)]


def _majority_stance(annotations: Sequence[Annotation], frame: str) -> Stance | None:
    """Returns the stance chosen by more than half of the coders who marked the frame as present.

    None if no stance has a majority.
    """
    counts = Counter(annotation.frames[frame] for annotation in annotations if frame in annotation.frames)
    [(stance, count)] = counts.most_common(1)
    return stance if 2 * count > counts.total() else None
