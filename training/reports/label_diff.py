"""What a promotion would change: the decisions of champion and challenger on stored paragraphs, compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.scoring.classification import classify, cuts_at
from training.scoring.frame_model import FrameModel

_EXAMPLES = 5


@dataclass(slots=True)
class FrameChanges:
    """Counts of changed decisions on a frame, by "from -> to", with the first few paragraphs as examples."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, object]] = field(default_factory=list)


class LabelDiff:
    """Adds up changes batch by batch, for the frames that both models have."""

    def __init__(self, champion: FrameModel, challenger: FrameModel) -> None:
        self._models = (champion, challenger)
        self._frames = [frame for frame in challenger.card.frame_keys if frame in champion.card.frames]
        self.paragraphs = 0
        self.changes = {frame: FrameChanges() for frame in self._frames}

    def add(self, paragraphs: Sequence[Mapping[str, object]], texts: Sequence[str]) -> None:
        """Compares the models on an article; `paragraphs` has the place of each text, which is copied into examples."""
        before, after = (
            classify(model, texts, cuts_at(model, "balanced", {}), explain=False).paragraphs for model in self._models
        )
        self.paragraphs += len(texts)
        for place, text, old, new in zip(paragraphs, texts, before, after, strict=True):
            for frame in self._frames:
                if old[frame].decision != new[frame].decision:
                    change = f"{old[frame].decision} -> {new[frame].decision}"
                    scores = {"champion_score": old[frame].score, "challenger_score": new[frame].score}
                    self._count(frame, change, {**place, "text": text[:400], "change": change, **scores})

    def _count(self, frame: str, change: str, example: dict[str, object]) -> None:
        changes = self.changes[frame]
        changes.counts[change] = changes.counts.get(change, 0) + 1
        if len(changes.examples) < _EXAMPLES:
            changes.examples.append(example)
