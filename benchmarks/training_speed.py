"""What training costs as the corpus grows: paragraphs made of the shipped ones' words, with their codes, 16 sources."""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from labels.annotations import DEFAULT_CORPUS, CodedParagraph, read_corpus
from labels.codebook import read_codebook
from training.challenger import train_challenger
from training.registry.versions import Registry
from training.reports.card import table

SIZES = (1_000, 10_000, 100_000)
_SOURCES, _PARAGRAPHS = 16, 8


def _grown(corpus: tuple[CodedParagraph, ...], size: int) -> list[CodedParagraph]:
    """So many paragraphs: each the words of one, from another word on, with a number that no other has."""
    made = []
    for number in range(size):
        like = corpus[number % len(corpus)]
        words = like.text.split()
        turn = number // len(corpus) * 7 % len(words)
        text = " ".join([*words[turn:], *words[:turn], f"case{number}"])
        article = number // _PARAGRAPHS
        made.append(
            replace(like, text=text, article=f"a{article}", index=number % _PARAGRAPHS, source=f"s{article % _SOURCES}")
        )
    return made


def measure(sizes: tuple[int, ...]) -> list[tuple[int, float]]:
    """Paragraphs and seconds of a whole training: folds, fit, calibration, evaluation, registration."""
    codebook = read_codebook()
    corpus = read_corpus(DEFAULT_CORPUS, codebook)
    found = []
    for size in sizes:
        paragraphs = _grown(corpus, size)
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as place:
            Registry(Path(place)).register(train_challenger(paragraphs, codebook))
        found.append((size, time.perf_counter() - began))
        print(f"trained on {size:,} paragraphs in {found[-1][1]:.1f} s", file=sys.stderr)
    return found


def report(found: list[tuple[int, float]]) -> str:
    """Ratios first."""
    (small, quick), (large, slow) = found[-2:]
    ratios = [
        [f"seconds a paragraph at {large:,}, against {small:,}", f"{slow / large * small / quick:.2f}×", "at most 1×"],
        [f"training on {large:,} paragraphs", f"{slow:.0f} s", "under 180 s"],
    ]
    rows = [[f"{size:,}", f"{seconds:.1f}"] for size, seconds in found]
    return f"{table(['measure', 'found', 'aim'], ratios)}\n\n{table(['paragraphs', 'seconds to train'], rows)}\n"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    print(report(measure(tuple(parser.parse_args().sizes))))


if __name__ == "__main__":
    main()
