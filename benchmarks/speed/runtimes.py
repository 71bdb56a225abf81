"""What could run the encoders: paragraphs per second on a single core, and the packages that each runtime brings.

python -m benchmarks.speed.runtimes --paragraphs 60 --json     about a minute

PyTorch has rows where it is installed, as with the extra `finetune`. ONNX Runtime has none: no graph is written for it.
Every runtime reads the same weights and the same paragraphs of the shipped corpus, each paragraph by itself.
"""

import json
import os
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.documents import arguments, objects, show
from benchmarks.speed.kinds import packages_weight, texts
from labels.annotations import DEFAULT_CORPUS, read_corpus
from labels.codebook import read_codebook
from training.challenger import train_challenger
from training.encoder.encoder import Encoder
from training.encoder.files import TOKENIZER_FILE, read_encoder
from training.encoder.shipped import encoder_folders
from training.reports.tables import table
from training.scoring.frame_model import FrameModel

HEAD = ["Model", "Runtime", "Precision", "Packages, MB", "Paragraphs per second on a core"]
# Runs a paragraph through what was loaded.
Run = Callable[[str], object]


def _openvino(folder: Path) -> Run:
    encoder = Encoder.read(folder)
    return lambda text: encoder.means([text])


def _torch(folder: Path, *, rounded: bool) -> Run:
    import torch  # noqa: PLC0415 - not installed with this program

    from training.finetuning.continued import read_own  # noqa: PLC0415

    torch.set_num_threads(1)
    model, tokens_of = read_own(folder, len(read_codebook().keys)).eval(), _tokens(folder)

    def run(text: str) -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            tokens = torch.tensor([tokens_of(text)])
            return model.hidden(tokens, torch.ones_like(tokens, dtype=torch.bool))

    return run


def _tokens(folder: Path) -> Callable[[str], list[int]]:
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer, shape = Tokenizer.from_file(str(folder / TOKENIZER_FILE)), read_encoder(folder).shape
    return lambda text: [shape.begin, *tokenizer.encode(text).ids[: shape.most_tokens], shape.end]


def _words() -> Run:
    codebook = read_codebook()
    challenger = train_challenger(read_corpus(DEFAULT_CORPUS, codebook), codebook)
    model = FrameModel.of(challenger.pipeline, challenger.card)
    return lambda text: model.score([text])


# Its precision, the packages that it needs beside those of words, and how it is loaded.
RUNTIMES: dict[str, tuple[str, tuple[str, ...], Callable[[Path], Run]]] = {
    "OpenVINO, as shipped": ("int8", ("openvino", "tokenizers"), _openvino),
    "PyTorch": ("float32", ("torch", "tokenizers"), partial(_torch, rounded=False)),
    "PyTorch in bfloat16": ("bfloat16", ("torch", "tokenizers"), partial(_torch, rounded=True)),
}


def measure(paragraphs: int) -> tuple[list[list[str]], list[str]]:
    """Cells under `HEAD`, and a sentence for each runtime that is not installed."""
    rows, absent = [], dict[str, None]()
    for folder in encoder_folders():
        for name, (precision, packages, load) in RUNTIMES.items():
            missing = [package for package in packages if find_spec(package) is None]
            if missing:
                absent[f"{name} is not measured: {', '.join(missing)} not installed."] = None
                continue
            show(f"{folder.name}, {name}")
            weight, speed = (
                packages_weight() + packages_weight(packages),
                _per_second(partial(load, folder), paragraphs),
            )
            rows.append([folder.name, name, precision, f"{weight:,.0f}", f"{speed:,.0f}"])
    speed = _per_second(_words, 100 * paragraphs)
    rows.append(["words", "NumPy, as shipped", "float64", f"{packages_weight():,.0f}", f"{speed:,.0f}"])
    return rows, list(absent)


def _per_second(load: Callable[[], Run], paragraphs: int) -> float:
    """Paragraphs per second on the first core that this process may use."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        run = load()
        first, *rest = texts(paragraphs + 1)
        run(first)
        began = time.perf_counter()
        for text in rest:
            run(text)
        return paragraphs / (time.perf_counter() - began)
    finally:
        os.sched_setaffinity(0, cores)


def report(paragraphs: int = 300) -> str:
    """The table as Markdown, and what is not in it."""
    rows, absent = measure(paragraphs)
    return "\n\n".join([table(HEAD, rows), *([" ".join(absent)] if absent else [])])


def main() -> None:
    """Prints the table."""
    parser = arguments(__doc__, "benchmarks.speed.runtimes --json")
    parser.add_argument("--paragraphs", type=int, default=300, help="of an encoder; words get a hundred times as many")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.json:
        rows, absent = measure(options.paragraphs)
        print(json.dumps({"rows": objects(HEAD, rows), "absent": absent}, indent=1))
    else:
        print(report(options.paragraphs))


if __name__ == "__main__":
    main()
