"""How long scoring takes: a long job says it before it starts, timed on its own first paragraphs."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from labels.wording import counted
from training.encoder.runtime import available_cores
from training.model_card import Kind
from training.scoring.frame_model import FrameModel

# Roughly the paragraphs per second of the kinds that are not at hand to be timed; docs/performance.md has the figures.
_USUAL: dict[Kind, float] = {"words": 20_000, "encoder-small": 100, "encoder": 20}
_NAMES: dict[Kind, str] = {"words": "a model of words", "encoder-small": "a small encoder", "encoder": "an encoder"}
_FIRST_BATCH, _LARGEST_BATCH = 4, 1024
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a model of a kind takes for some paragraphs.

    scoring: seconds to score a paragraph; around: seconds to read and store it, the same for every kind; exact: whether
    the paragraphs were counted (else their number is extrapolated, and rounded where it is shown).
    """

    kind: Kind
    paragraphs: int
    scoring: float
    around: float = 0.0
    exact: bool = False

    @property
    def seconds(self) -> float:
        """Time that the job takes, in seconds."""
        return self.paragraphs * (self.scoring + self.around)

    def sentence(self, amount: str = "") -> str:
        """Returns the estimate as a sentence, with the times of the other kinds; `amount` says what is done."""
        count = f"{self.paragraphs:,}" if self.exact else f"about {_rounded(self.paragraphs):,}"
        beside = " and ".join(
            f"{_NAMES[kind]} about {duration(self.paragraphs * (1 / _usual(kind) + self.around))}"
            for kind in _USUAL
            if kind != self.kind
        )
        pace = f"{_rounded(1 / (self.scoring + self.around)):,} paragraphs per second"
        return (
            f"{amount or f'Scoring {count} paragraphs'}: about {duration(self.seconds)} at {pace} (kind {self.kind}); "
            f"others would take: {beside}."
        )


def paragraphs_per_second(model: FrameModel, texts: Iterable[str], seconds: float = 1.0) -> float | None:
    """Scores texts of a job for some seconds, or until they end, and returns the pace; None for too few texts.

    The model's cache holds the scores, so a job in this process does not score these paragraphs a second time.
    """
    distinct = iter(dict.fromkeys(texts))
    # The first paragraphs load the encoder and start its threads.
    model.score(list(islice(distinct, _FIRST_BATCH)))
    scored, size, elapsed, began = 0, _FIRST_BATCH, 0.0, time.perf_counter()
    while elapsed < seconds and (batch := list(islice(distinct, size))):
        model.score(batch)
        before, elapsed = elapsed, time.perf_counter() - began
        scored += len(batch)
        # Words need large batches to show their pace; an encoder takes a second for a few dozen.
        size = min(2 * size, _LARGEST_BATCH) if elapsed - before < seconds / 8 else size
    return scored / elapsed if scored else None


def _usual(kind: Kind) -> float:
    """Paragraphs per second that a model of a kind usually does on the cores of this process."""
    return _USUAL[kind] * (1 if kind == "words" else available_cores())


def duration(seconds: float) -> str:
    """Returns a time in a unit that suits it, such as `12 minutes`."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= 1.5 * size or size == 1)
    return counted(max(1, round(seconds / size)), unit)


def _rounded(number: float) -> int:
    """Rounds to two significant digits, and to a whole number."""
    return round(float(f"{number:.2g}"))
