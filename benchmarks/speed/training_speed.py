"""The cost of training as the corpus grows: annotated paragraphs made of the words of the shipped ones, 16 sources."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.documents import show
from labels.annotations import DEFAULT_CORPUS, CodedParagraph, read_corpus
from labels.codebook import read_codebook
from training.challenger import train_challenger
from training.registry.versions import Registry
from training.reports.tables import table

SIZES = (1_000, 10_000, 100_000)
_SOURCES, _PARAGRAPHS = 16, 8


def _grow(corpus: tuple[CodedParagraph, ...], size: int) -> list[CodedParagraph]:
    """Makes `size` paragraphs: each a shipped paragraph with its words rotated and a unique number added."""
    paragraphs = []
    for number in range(size):
        model = corpus[number % len(corpus)]
        words = model.text.split()
        turn = number // len(corpus) * 7 % len(words)
        text = " ".join([*words[turn:], *words[:turn], f"case{number}"])
        article = number // _PARAGRAPHS
        index, source = number % _PARAGRAPHS, f"s{article % _SOURCES}"
        paragraphs.append(replace(model, text=text, article=f"a{article}", index=index, source=source))
    return paragraphs


def measure(sizes: tuple[int, ...]) -> list[tuple[int, float]]:
    """Paragraphs and seconds of whole trainings: folds, fit, calibration, evaluation, registration."""
    codebook = read_codebook()
    corpus = read_corpus(DEFAULT_CORPUS, codebook)
    trainings = []
    for size in sizes:
        paragraphs = _grow(corpus, size)
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            Registry(Path(folder)).register(train_challenger(paragraphs, codebook))
        trainings.append((size, time.perf_counter() - began))
        show(f"trained on {size:,} paragraphs in {trainings[-1][1]:.1f} s")
    return trainings


def report(trainings: list[tuple[int, float]]) -> str:
    """The ratios, then the seconds at each size."""
    (small, quick), (large, slow) = trainings[-2:]
    ratios = [
        [
            f"seconds per paragraph at {large:,}, against {small:,}",
            f"{slow / large * small / quick:.2f}×",
            "at most 1×",
        ],
        [f"training on {large:,} paragraphs", f"{slow:.0f} s", "under 180 s"],
    ]
    rows = [[f"{size:,}", f"{seconds:.1f}"] for size, seconds in trainings]
    return f"{table(['measure', 'result', 'aim'], ratios)}\n\n{table(['paragraphs', 'seconds to train'], rows)}"
