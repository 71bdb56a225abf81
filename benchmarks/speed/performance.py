"""Measures all of docs/performance.md: `make bench`, about 30 to 45 minutes on two idle cores.

python -m benchmarks.speed.performance                      everything
python -m benchmarks.speed.performance http --rounds 1      a single section, at its shortest
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median
from timeit import repeat

from benchmarks.documents import arguments, publish, render
from benchmarks.speed import (
    bulk_speed,
    http_speed,
    huge_articles,
    kinds,
    rescoring,
    runtimes,
    store_speed,
    training_speed,
)

_TEMPLATE = Path(__file__).with_name("performance.md.jinja")
_SECTIONS: dict[str, Callable[[argparse.Namespace], str]] = {
    "kinds": lambda options: kinds.report(kinds.measure(options.rounds)),
    "runtimes": lambda _options: runtimes.report(),
    "rescoring": lambda options: rescoring.report(options.largest),
    "http": lambda options: http_speed.report(*http_speed.measure(options.rounds, options.seconds)),
    "huge_articles": lambda options: huge_articles.report(huge_articles.measure(options.seconds)),
    "bulk": lambda options: bulk_speed.report(*bulk_speed.measure(options.largest)),
    "store": lambda options: store_speed.report(
        store_speed.measure(tuple(size for size in store_speed.SIZES if size <= options.largest), options.seconds)
    ),
    "training": lambda options: training_speed.report(
        training_speed.measure(tuple(size for size in training_speed.SIZES if size <= options.largest))
    ),
}


def _milliseconds_for_squares() -> float:
    """Speed of the machine at the moment, by which runs can be compared."""
    return 1000 * median(repeat("sum(i * i for i in range(1_000_000))", number=1, repeat=9))


def main() -> None:
    """Prints the document or some of its sections; writes only a whole document."""
    parser = arguments(__doc__, "benchmarks.speed.performance bulk --largest 10000")
    parser.add_argument("sections", nargs="*", choices=[*_SECTIONS, []], help="all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--largest", type=int, default=1_000_000, help="most paragraphs and articles")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    if options.sections:
        for name in options.sections:
            print(_SECTIONS[name](options), end="\n\n")
        return
    before = _milliseconds_for_squares()
    tables = {name: measure(options) for name, measure in _SECTIONS.items()}
    squares = f"{before:.0f} ms before the measurements and {_milliseconds_for_squares():.0f} ms after"
    publish(render(_TEMPLATE, rounds=options.rounds, squares=squares, **tables), "performance.md", write=options.write)


if __name__ == "__main__":
    main()
