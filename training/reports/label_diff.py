"""What a promotion would change: the decisions of champion and challenger on stored paragraphs, compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import OperatingPoint

_EXAMPLES = 5
_LONGEST_EXAMPLE = 400
_PRESENT = "present"


@dataclass(slots=True)
class FrameChanges:
    """Counts of changed decisions on a frame, by "from -> to", with a few paragraphs as examples.

    Examples in which the frame comes to be present, or no longer is, stand before all others. `present_before` and
    `present_after` count the paragraphs in which the frame is present to either model.
    """

    counts: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, object]] = field(default_factory=list)
    present_before: int = 0
    present_after: int = 0


class LabelDiff:
    """Adds up changes batch by batch, for the frames that both models have."""

    def __init__(
        self,
        champion: FrameModel,
        challenger: FrameModel,
        operating_point: OperatingPoint = "balanced",
        examples: int = _EXAMPLES,
    ) -> None:
        self._models = (champion, challenger)
        self._cuts = tuple(cuts_at(model, operating_point, {}) for model in self._models)
        self._frames = [frame for frame in challenger.card.frame_keys if frame in champion.card.frames]
        self._examples = examples
        self.paragraphs = 0
        self.changed_paragraphs = 0
        self.changes = {frame: FrameChanges() for frame in self._frames}

    def add(self, paragraphs: Sequence[Mapping[str, object]], texts: Sequence[str]) -> None:
        """Compares the models on an article; `paragraphs` has the place of each text, which is copied into examples."""
        before, after = (
            classify(model, texts, cuts, explain=False).paragraphs
            for model, cuts in zip(self._models, self._cuts, strict=True)
        )
        self.paragraphs += len(texts)
        for place, text, old, new in zip(paragraphs, texts, before, after, strict=True):
            changed = False
            for frame in self._frames:
                self.changes[frame].present_before += old[frame].decision == _PRESENT
                self.changes[frame].present_after += new[frame].decision == _PRESENT
                if old[frame].decision != new[frame].decision:
                    changed = True
                    change = f"{old[frame].decision} -> {new[frame].decision}"
                    scores = {"champion_score": old[frame].score, "challenger_score": new[frame].score}
                    self._count(frame, change, {**place, "text": text[:_LONGEST_EXAMPLE], "change": change, **scores})
            self.changed_paragraphs += changed

    def _count(self, frame: str, change: str, example: dict[str, object]) -> None:
        changes = self.changes[frame]
        changes.counts[change] = changes.counts.get(change, 0) + 1
        place = len(changes.examples)
        if _PRESENT in change:
            place = sum(_PRESENT in str(earlier["change"]) for earlier in changes.examples)
        changes.examples.insert(place, example)
        del changes.examples[self._examples :]
