"""How long a bulk job will take, from the beginning of its own input, before its first file is made."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from statistics import median
from typing import TYPE_CHECKING

from labels.errors import FramingError
from service.bulk.inputs import Part
from service.bulk.records import Record, pieces
from service.bulk.scoring import read
from training.scoring.pace import Estimate, paragraphs_per_second

if TYPE_CHECKING:
    from service.bulk.job import Job

# The beginning of the input that is read: enough for a few hundred paragraphs.
_BYTES, _DOCUMENTS, _RECORDS = 2**18, 50, 200
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The paragraphs of the first articles of the input, and the seconds to read an article.

    Those are a median, because the first article of its kind also loads a library.
    """

    articles: int
    texts: Sequence[str]
    reading: float


def forecast(job: "Job", parts: Sequence[Part], processes: int) -> str | None:
    """A sentence about the time that the parts take with some processes; None where they hold too few paragraphs.

    The number of paragraphs follows from the size of the input, except for compressed files and Parquet: there the
    sentence is about a thousand articles.
    """
    if not parts:
        return None
    first = _beginning(parts[0])
    beginning = _read(job, first or parts[0])
    pace = paragraphs_per_second(job.model, beginning.texts)
    if pace is None:
        return None
    kind, per_article = job.model.card.kind, len(beginning.texts) / beginning.articles
    scoring, reading = 1 / pace / processes, beginning.reading / per_article / processes
    if first is None:
        estimate = Estimate(kind, round(per_article * _THOUSAND), scoring, reading)
        return estimate.sentence(
            f"Scoring {_THOUSAND:,} articles of {per_article:.1f} paragraphs, as the first ones are"
        )
    size = max(first.size, sum(map(len, beginning.texts)))  # an article may be longer than the bytes to be read
    whole = sum(part.size for part in parts)
    paragraphs = round(len(beginning.texts) * max(1.0, whole / size))
    return Estimate(kind, paragraphs, scoring, reading, exact=[first] == list(parts)).sentence()


def _beginning(part: Part) -> Part | None:
    """The first records of a part, as a part of known size; None if its size says nothing about its records."""
    if part.kind == "documents":
        return replace(part, files=part.files[:_DOCUMENTS])
    return None if part.stop is None else replace(part, stop=min(part.stop, part.start + _BYTES))


def _read(job: "Job", part: Part) -> _Beginning:
    records = chain.from_iterable(piece.records for piece in pieces(part, job.columns))
    texts: list[str] = []
    times = [_read_into(texts, job, record) for record in (records if part.stop else islice(records, _RECORDS))]
    return _Beginning(len(times), texts, median(times) if times else 0.0)


def _read_into(texts: list[str], job: "Job", record: Record) -> float:
    """Adds the paragraphs of a record, and returns the seconds that this took."""
    began = time.perf_counter()
    try:
        _, article = read(record, job.model, job.settings, job.options)
        texts += [paragraph.text for paragraph in article.paragraphs]
    except FramingError:
        pass  # the output will say what is wrong with it
    return time.perf_counter() - began
