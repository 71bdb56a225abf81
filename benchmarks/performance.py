"""All measurements of docs/performance.md in one run: `make bench`, about 20 to 35 minutes on two idle cores.

python -m benchmarks.performance --rounds 1 --seconds 2 --largest 10000
"""

import argparse
from statistics import median
from timeit import repeat

from benchmarks import (
    bulk_profile,
    bulk_speed,
    http_speed,
    huge_articles,
    request_profile,
    start_profile,
    store_profile,
    store_speed,
    training_speed,
)
from benchmarks.server import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
_LIMITS = """An aim that is not met is left as it was set. What keeps the service from it:

* **Times plain FastAPI, MLServer, BentoML.** The aims were set with a model of words and pairs of words, whose
  `predict_proba` takes two to three times as long; the shipped model has single words, and the peers are that much
  faster with it. The echo is FastAPI reading and writing the same JSON and doing nothing: no service written on it can
  be faster than that, and the steps above have to be added to its time.
* **Evidence.** Each answer has up to 32 spans a paragraph, hundreds of them; finding them costs little beside the
  scores, building and writing them as JSON as much as the scores again.
* **Huge articles.** What the helpers answer has to come back through a pipe, megabytes of it, and a helper takes the
  memory of a server while it is there.
* **Start.** Nearly all of it is importing, and more than a third of that is what the echo imports as well.
* **Bulk.** A paragraph is also read from JSON, looked at for boilerplate, and written with its facts to Parquet, and
  stances are scored beside frames; the scorer alone does none of that. Two processes lose what the plan of the parts
  and their own start take, which bare scorers are measured without; a Dask worker starts slower still, and shares two
  cores with the scheduler and the client. Memory is mostly the language detector, which the first text calls for that
  is not plainly in the model's language.
* **Storing.** An article is a hundred rows of a dozen tables, its place in the sums of its day and a line in the log of
  actions, and has to be known from its copies: that takes longer than scoring it and writing the answer. On SQLite most
  of the transaction is SQLite's own work and waiting for the disk, once a group; PostgreSQL takes longer for a row, and
  whoever waits for it has to wait for its turn among the threads that compute as well.
* **Memory.** HTML brings its extractor with the first page (about 40 MiB)."""


def document(rounds: int, seconds: float, largest: int) -> str:
    """The whole document."""
    sizes = tuple(size for size in store_speed.SIZES if size <= largest)
    corpora = tuple(size for size in training_speed.SIZES if size <= largest)
    before = _milliseconds_for_squares()
    sections = [
        ("Classification over HTTP", http_speed, http_speed.report(*http_speed.measure(rounds, seconds))),
        ("Where the time of a request goes", request_profile, request_profile.report(request_profile.measure())),
        ("Where the time and memory of a start go", start_profile, start_profile.report(*start_profile.measure())),
        ("Huge articles", huge_articles, huge_articles.report(huge_articles.measure(seconds))),
        ("Bulk scoring", bulk_speed, bulk_speed.report(*bulk_speed.measure(largest))),
        ("Where the time of bulk scoring goes", bulk_profile, bulk_profile.report(bulk_profile.measure())),
        ("A growing store", store_speed, store_speed.report(store_speed.measure(sizes, seconds))),
        ("Where the time of a stored article goes", store_profile, store_profile.report(store_profile.measure())),
        ("A growing corpus", training_speed, training_speed.report(training_speed.measure(corpora))),
    ]
    parts = [
        "# Performance",
        f"Made by `make bench`, over HTTP as medians of {rounds} interleaved rounds, on two cores. Absolute figures "
        "belong to the machine; the ratios are what counts, with the aim beside each. A million squares added up in "
        f"plain Python took it {before:.0f} ms before the measurements and {_milliseconds_for_squares():.0f} ms after.",
    ]
    for title, module, text in sections:
        parts += [f"## {title}", _said(module.__doc__), text.strip()]
    return "\n\n".join([*parts, "## What the limits are", _LIMITS]) + "\n"


def _milliseconds_for_squares() -> float:
    """How fast the machine is just now, to compare runs by."""
    return 1000 * median(repeat("sum(i * i for i in range(1_000_000))", number=1, repeat=9))


def _said(text: str | None) -> str:
    return "\n".join(" ".join(part.split()) + "\n" for part in (text or "").strip().split("\n\n")).strip()


def main() -> None:
    """Prints the document, or writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--largest", type=int, default=1_000_000, help="paragraphs and articles at most")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.relative_to(ROOT)}")
    asked = parser.parse_args()
    text = document(asked.rounds, asked.seconds, asked.largest)
    print(text)
    if asked.write:
        DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
