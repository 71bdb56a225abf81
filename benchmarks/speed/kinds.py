"""What each kind of model costs: weight, start, memory and speed on a single core.

python -m benchmarks.speed.kinds --rounds 1      the section alone; about three minutes a round with an encoder
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from itertools import cycle, islice
from pathlib import Path
from typing import Any, get_args

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.documents import arguments, show
from benchmarks.speed.http_speed import put_load
from labels.annotations import DEFAULT_CORPUS, read_corpus
from labels.codebook import read_codebook
from tests.support.paths import ROOT
from tests.support.procfs import own_memory
from tests.support.servers import PROGRAM, SERVER_CORE, pinned, product, running
from training.encoder.shipped import BASE_FOLDER, encoder_folders
from training.model_card import Kind
from training.registry.versions import Registry
from training.reports.tables import table

ARTICLE = 15
# Articles that a process scores, seconds of load over HTTP, and paragraphs of a bulk job; an encoder gets fewer.
SIZES: dict[Kind, tuple[int, float, int]] = {
    "encoder": (20, 20, 2_000),
    "encoder-small": (80, 20, 10_000),
    "words": (500, 4, 100_000),
}
_BODIES = 6_000
# Packages that only an encoder needs, with all that only they bring.
_ENCODER_PACKAGES = ("openvino", "tokenizers")


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of a kind in a round, on a core.

    load: seconds; memory: MiB (PSS) of a process that has scored; article: seconds for 15 paragraphs; per_second, http,
    bulk: paragraphs per second in process, behind the API, and of a whole command with its start.
    """

    load: float
    memory: float
    per_second: float
    article: float
    http: float
    bulk: float


def texts(count: int, start: int = 0) -> Iterator[str]:
    """Yields paragraphs of the shipped corpus, from the `start`-th on; repeated ones get a number: none is cached."""
    corpus = [paragraph.text for paragraph in read_corpus(DEFAULT_CORPUS, read_codebook())]
    for number, text in enumerate(islice(cycle(corpus), start, start + count), start):
        yield text if number < len(corpus) else f"{text} This is case {number}."


def measure(rounds: int) -> dict[Kind, list[Costs]]:
    """Costs of each kind in each round; raises `RuntimeError` where a kind is not part of this installation."""
    costs: dict[Kind, list[Costs]] = {kind: [] for kind in get_args(Kind)}
    with tempfile.TemporaryDirectory() as place:
        for number in range(rounds):
            for kind, each in costs.items():
                each.append(_round(champion(Path(place) / kind, kind), kind))
                show(f"round {number + 1} of {rounds}: {kind}")
    return costs


def champion(folder: Path, kind: Kind) -> Path:
    """A data folder with a champion of a kind."""
    variables = {**os.environ, "FRAMING_DATA_DIR": str(folder), "FRAMING_KIND": kind}
    command = [*PROGRAM, "train", "--if-no-champion", "--json"]
    subprocess.run(command, cwd=ROOT, env=variables, check=True, capture_output=True)
    registry = Registry(folder / "models")
    if registry.card(registry.champion().version).kind != kind:
        raise RuntimeError(f"This installation makes no model of the kind {kind}.")
    return folder


def _round(folder: Path, kind: Kind) -> Costs:
    articles, seconds, bulk = SIZES[kind]
    command = [sys.executable, "-m", "benchmarks.speed.kinds", "--score", str(folder), "--articles", str(articles)]
    scored = json.loads(on_a_core(command))
    return Costs(**scored, http=_http(folder, seconds), bulk=_bulk(folder, bulk))


def on_a_core(command: list[str], **variables: str) -> bytes:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **variables},
        check=True,
        stdout=subprocess.PIPE,
        preexec_fn=pinned(SERVER_CORE),
    )
    return done.stdout


def _score(folder: Path, articles: int) -> dict[str, float]:
    """Loads the champion in this process and scores articles."""
    paragraphs = list(texts(ARTICLE * (articles + 1)))
    began = time.perf_counter()
    model, _ = Registry(folder / "models").load_champion()
    model.score(paragraphs[:1])
    load = time.perf_counter() - began
    times = []
    for start in range(ARTICLE, len(paragraphs), ARTICLE):
        began = time.perf_counter()
        model.score(paragraphs[start : start + ARTICLE])
        times.append(time.perf_counter() - began)
    article = statistics.median(times)
    per_second = ARTICLE * len(times) / sum(times)
    return {"load": load, "memory": own_memory(os.getpid()), "per_second": per_second, "article": article}


def _http(folder: Path, seconds: float) -> float:
    bodies = write_articles(folder / "bodies.jsonl", texts(ARTICLE * _BODIES, ARTICLE))
    first = write_articles(folder / "first.jsonl", texts(ARTICLE))
    with running(product(folder), SERVER_CORE) as server:
        url = f"{server.address}/v1/classify"
        put_load(url, first, 0.5, 1)  # the first request loads the encoder
        return put_load(url, bodies, seconds, 4).per_second * ARTICLE


def _bulk(folder: Path, count: int) -> float:
    """Paragraphs per second of `framing score --to`, from its start to its end."""
    path = write_articles(folder / "bulk.jsonl", texts(count))
    with tempfile.TemporaryDirectory(dir=folder) as output:
        began = time.perf_counter()
        command = [*PROGRAM, "score", str(path), "--to", f"{output}/scores", "--json"]
        on_a_core(command, FRAMING_DATA_DIR=str(folder))
        return count / (time.perf_counter() - began)


def write_articles(path: Path, paragraphs: Iterator[str]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        while article := list(islice(paragraphs, ARTICLE)):
            file.write(json.dumps({"paragraphs": article, "explain": False}) + "\n")
    return path


def install_weight(kind: Kind) -> float:
    """MB of the installed packages that this program needs for a kind, with all that they bring."""
    return packages_weight() + (0 if kind == "words" else packages_weight(_ENCODER_PACKAGES))


def packages_weight(added: Sequence[str] = ()) -> float:
    """MB of the packages that this program needs for words, or of those that `added` packages bring beside these."""
    every_kind = _required(["media-framing"]) - {"media-framing"}
    return sum(map(_size, _required(added) - every_kind if added else every_kind)) / 1e6


def _shipped_weight(kind: Kind) -> float:
    """MB of the base model of a kind in this package."""
    return sum(file.stat().st_size for file in (BASE_FOLDER / kind).iterdir()) / 1e6


def _required(packages: Iterable[str]) -> set[str]:
    """Packages with all that they bring, apart from what only an encoder needs and nobody wanted."""
    waiting = [(canonicalize_name(name), "") for name in packages]
    wanted = {name for name, _ in waiting}
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        for required in map(Requirement, distribution(name).requires or ()):
            if required.name in set(_ENCODER_PACKAGES) - wanted:
                continue
            if required.marker and not required.marker.evaluate({"extra": extra}):
                continue
            new = {(canonicalize_name(required.name), each) for each in ("", *required.extras)} - seen
            seen |= new
            waiting += new
    return {name for name, _ in seen}


def _size(name: str) -> int:
    paths = [Path(str(file.locate())) for file in distribution(name).files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())


def subwords() -> float | None:
    """Mean number of subwords of the paragraphs that the encoder scores in process; None without an encoder."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    for folder in encoder_folders():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return statistics.mean(
            len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts(ARTICLE * SIZES["encoder"][0])
        )
    return None


def report(costs: dict[Kind, list[Costs]]) -> str:
    """A row per measure and a column per kind: the median of the rounds and, in brackets, their range."""
    measures: list[tuple[str, Callable[[Costs], float], str]] = [
        ("load and first score, s", lambda each: each.load, ",.2f"),
        ("memory of a process that scored, MiB", lambda each: each.memory, ",.0f"),
        ("paragraphs per second", lambda each: each.per_second, ",.0f"),
        ("an article of 15 paragraphs, ms", lambda each: 1000 * each.article, ",.1f"),
        ("paragraphs per second behind the API", lambda each: each.http, ",.0f"),
        ("… of those in process, %", lambda each: 100 * each.http / each.per_second, ",.0f"),
    ]
    rows = [
        ["packages to install, MB", *(f"{install_weight(kind):,.0f}" for kind in costs)],
        ["files shipped with this package, MB", *(f"{_shipped_weight(kind):,.0f}" for kind in costs)],
        *([name, *(_cell([of(c) for c in each], form) for each in costs.values())] for name, of, form in measures),
        *([f"{size:,} paragraphs in bulk", *_bulk_cells(costs, size)] for size in (100_000, 1_000_000)),
    ]
    mean = subwords()
    length = "" if mean is None else f" Those that the encoder scores in process have {mean:.0f} subwords on average."
    return f"{table(['on a single core', *costs], rows)}\n\nParagraphs are those of the shipped corpus.{length}"


def _bulk_cells(costs: dict[Kind, list[Costs]], size: int) -> Iterator[str]:
    for kind, each in costs.items():
        measured = SIZES[kind][2]
        minutes = [size / c.bulk / 60 for c in each]
        yield _cell(minutes, ",.1f") + " min" + ("" if size == measured else f", extrapolated from {measured:,}")


def _cell(values: Sequence[float], form: str) -> str:
    median = f"{statistics.median(values):{form}}"
    return median if len(values) == 1 else f"{median} ({min(values):{form}} to {max(values):{form}})"


def main() -> None:
    """Prints the section."""
    parser = arguments(__doc__, "benchmarks.speed.kinds --rounds 1")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--score", type=Path, help="only score in this process, with the champion of this data folder")
    parser.add_argument("--articles", type=int, default=20)
    options: Any = parser.parse_args()
    if options.score:
        print(json.dumps(_score(options.score, options.articles)))
    else:
        print(report(measure(options.rounds)))


if __name__ == "__main__":
    main()
