"""A bulk job: every part of the input is scored once, into files that appear whole or not at all.

An interrupted job resumes with the missing files. The same input, model and options make the same files with any number
of workers.
"""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from service.bulk.forecast import forecast
from service.bulk.inputs import Dialect, File, Part, find_files, plan
from service.bulk.outputs import SUCCESS_FILE, OutputFormat, claim, file_name, finished
from service.bulk.records import delimiters_of, pieces, require_columns
from service.bulk.scoring import EXAMPLES, Count, Options, columns_of, rows_of
from service.metrics import product_version
from service.settings import Settings
from service.tabular import Format, whole
from training.model_card import Kind
from training.registry.storage import storage_at
from training.scoring.frame_model import FrameModel

_STREAMED: Mapping[OutputFormat, Format] = {"parquet": "parquet", "jsonl": "ndjson", "csv": "csv"}
# An encoder takes minutes for a file of the usual size; smaller files show progress, and less is lost when it stops.
_FINENESS: Mapping[Kind, int] = {"encoder": 8, "encoder-small": 4, "words": 1}


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with each part; sent once to every process that performs tasks."""

    output: str
    file_format: OutputFormat
    columns: Mapping[str, str]
    options: Options
    settings: Settings
    model: FrameModel
    dialect: Dialect = field(default_factory=Dialect)

    @property
    def fineness(self) -> int:
        """How many times smaller than usual the files of the output are."""
        return _FINENESS[self.model.card.kind]


@dataclass(frozen=True, slots=True)
class Task:
    """A part, and the numbers of its pieces whose files exist."""

    part: Part
    finished: frozenset[int]


@dataclass(frozen=True, slots=True)
class Progress:
    """Articles, paragraphs and problems in finished files, and the size of the finished input in bytes.

    `examples` are the first problems, in sentences; `encodings` counts the articles by the encoding of their file.
    """

    articles: int = 0
    paragraphs: int = 0
    problems: int = 0
    size: int = 0
    examples: tuple[str, ...] = ()
    encodings: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Progress") -> "Progress":
        return Progress(
            self.articles + other.articles,
            self.paragraphs + other.paragraphs,
            self.problems + other.problems,
            self.size + other.size,
            (self.examples + other.examples)[:EXAMPLES],
            Counter(self.encodings) + Counter(other.encodings),
        )


class Executor(Protocol):
    """Performs the tasks of a job."""

    def processes(self) -> int:
        """Number of processes that score side by side."""

    def run(self, job: Job, tasks: Iterable[Task]) -> Iterator[Progress]:
        """Performs all tasks, in any order, and yields the progress of each file; raises the error of a worker."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run of a job did; `files_reused` counts the files of an earlier run.

    `examples` are the first problems, `passed_over` the names of the first files that are no articles by their ending,
    of which there are `files_passed_over`, and `encodings` counts the articles by the encoding of their file.
    """

    output: str
    articles: int
    paragraphs: int
    problems: int
    files_reused: int
    examples: tuple[str, ...] = ()
    files_passed_over: int = 0
    passed_over: tuple[str, ...] = ()
    encodings: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_in_vain(self) -> bool:
        """Whether nothing could be scored, now or in an earlier run."""
        return self.articles == 0 and self.files_reused == 0


def run(
    job: Job,
    inputs: Sequence[str],
    executor: Executor,
    progress: Callable[[Progress, float], None],
    announce: Callable[[str], None] | None = None,
) -> Summary:
    """Scores the inputs into the job's output folder; files that exist there are not made again.

    A file that cannot be read becomes a row with its problem. `announce` gets sentences about how tables are read and
    about the time that this takes, before the first file is made. Raises `InputError` for an input that does not exist
    and `OutputError` for a folder of another job.
    """
    files, passed_over = find_files(inputs, job.settings.outbound_hosts)
    storage = storage_at(job.output)
    claim(storage, job.output, _plan_content(job, files))
    pieces_of_parts = finished(storage)
    parts = list(plan(files, job.fineness, job.dialect))
    require_columns(parts, job.columns)
    tasks = [Task(part, frozenset(pieces_of_parts.get(part.number, ()))) for part in parts]
    waiting = [task for task in tasks if not _is_done(task)]
    total = sum(task.part.size for task in tasks)
    done = Progress(size=total - sum(task.part.size for task in waiting))
    if announce:
        for line in delimiters_of(parts):
            announce(line)
        if sentence := forecast(job, [task.part for task in waiting], executor.processes()):
            announce(sentence)
    progress(done, done.size / max(total, 1))
    for step in executor.run(job, waiting):
        done += step
        progress(done, done.size / max(total, 1))
    storage.write(SUCCESS_FILE, b"")
    reused = sum(map(len, pieces_of_parts.values()))
    return Summary(
        job.output,
        done.articles,
        done.paragraphs,
        done.problems,
        reused,
        done.examples,
        len(passed_over),
        tuple(file.name for file in passed_over[:EXAMPLES]),
        dict(done.encodings),
    )


def score_task(job: Job, task: Task) -> Iterator[Progress]:
    """Makes the missing files of a part, and yields the progress of each as soon as it is written."""
    storage, part = storage_at(job.output), task.part
    columns = columns_of(job.model.frames, job.model.card.stances, job.options)
    for piece in pieces(part, job.columns, job.fineness):
        if piece.number in task.finished:
            deque(piece.records, maxlen=0)  # skip them, to reach the next piece
            continue
        count = Count()
        rows = rows_of(piece.records, job.model, job.settings, job.options, count)
        content = whole(columns, rows, _STREAMED[job.file_format])
        storage.write(file_name(part.number, piece.number, job.file_format), content)
        yield Progress(
            count.articles,
            count.paragraphs,
            count.problems,
            examples=tuple(count.examples),
            encodings=dict(count.encodings),
        )
    yield Progress(size=part.size)


def _is_done(task: Task) -> bool:
    """Whether all files of a part exist; if it comes in several pieces, only its worker can know."""
    several = task.part.kind == "parquet" or (task.part.kind != "documents" and task.part.stop is None)
    return bool(task.finished) and not several


def _plan_content(job: Job, files: Sequence[File]) -> dict[str, Any]:
    """Everything that the output depends on, as the folder's plan records it."""
    return {
        "version": product_version(),
        "model": job.model.card.version,
        "model_sha256": job.model.card.pipeline_sha256,
        "format": job.file_format,
        "columns": dict(job.columns),
        "dialect": asdict(job.dialect),
        "options": asdict(job.options),
        "limits": {name: getattr(job.settings, name) for name in ("max_text_mib", "max_paragraphs")},
        "files": len(files),
        "input_sha256": _digest(files),
    }


def _digest(files: Sequence[File]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(json.dumps([file.name, file.size, file.version]).encode())
    return digest.hexdigest()
